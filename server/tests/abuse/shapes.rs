//! The shapes of abuse. Each holds its connections as long as the server lets it, and comes back when it does not.
//!
//! For memory the worst is all connections at the same moment, for honest clients' time so many clients as they come:
//! each at a moment of its own. All at once, one thread that plays them all would take half of a machine of two
//! processors just while it is measured how long others wait for one.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::server::Server;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// A request for `/` in static entries of the table: method, scheme, path, and an authority written out.
const HEAD: [u8; 9] = [0x82, 0x86, 0x84, 0x41, 4, b'n', b'o', b'v', b'a'];
/// How often each connection does what its shape does.
const PACE: Duration = Duration::from_millis(250);
/// How many connections come in a second when they do not come all at once.
const COMING: u32 = 400;
/// How soon an abuser that was thrown out is back: to come back faster is a flood of connections, which is another matter.
const BACK: Duration = Duration::from_secs(5);
/// The answer to a long path that leads nowhere says it twice.
const LONG: usize = 8000;
/// What an abuser that does not read lets its system keep for it, in bytes.
const ROOM: usize = 4096;
/// One after the other, so that the rounds of a shape are not the load.
const SMUGGLERS: [&str; 6] = [
    "POST / HTTP/1.1\r\nHost: n\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "GET / HTTP/1.1\r\nHost: n\r\nA: b\r\n folded\r\n\r\n",
    "GET / HTTP/1.1\nHost: n\n\n",
    "\x16\x03\x01\x02",
];

/// Where to.
pub struct Targets {
    pub plain: SocketAddr,
    tls: SocketAddr,
}

impl Targets {
    pub fn of(server: &Server) -> Self {
        let address = |api: usize| {
            let address = server.status().apis.swap_remove(api).address;
            address.rsplit('/').next().unwrap().parse().unwrap()
        };
        Self {
            plain: address(0),
            tls: address(1),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Idle,
    PartialHead,
    TrickledBody,
    UnreadAnswers,
    UnfinishedHandshake,
    RapidReset,
    ContinuationFlood,
    UnfinishedHttp2,
    Smuggler,
}

impl Shape {
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::PartialHead,
        Self::TrickledBody,
        Self::UnreadAnswers,
        Self::UnfinishedHandshake,
        Self::RapidReset,
        Self::ContinuationFlood,
        Self::UnfinishedHttp2,
        Self::Smuggler,
    ];

    /// So many connections, of which none is open yet.
    pub fn hold(self, targets: &Targets, connections: usize) -> Held {
        let address = if self == Self::UnfinishedHandshake {
            targets.tls
        } else {
            targets.plain
        };
        Held {
            shape: self,
            address,
            connections: (0..connections).map(|_| Abuser::default()).collect(),
        }
    }

    /// What a connection begins with.
    fn first(self, number: usize) -> Vec<u8> {
        match self {
            Self::Idle => Vec::new(),
            Self::PartialHead => b"GET / HTTP/1.1\r\nHost: nova\r\nA: ".to_vec(),
            Self::TrickledBody => {
                b"POST /v2.1/ HTTP/1.1\r\nHost: nova\r\nContent-Length: 100000\r\n\r\n".to_vec()
            }
            Self::UnreadAnswers => {
                let path = "x".repeat(LONG);
                format!("GET /{path} HTTP/1.1\r\nHost: nova\r\n\r\n")
                    .repeat(20)
                    .into()
            }
            Self::UnfinishedHandshake => vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
            Self::RapidReset | Self::UnfinishedHttp2 => PREFACE.to_vec(),
            Self::ContinuationFlood => [PREFACE, &frame(1, 0, 1, &HEAD)].concat(),
            Self::Smuggler => SMUGGLERS[number % SMUGGLERS.len()].into(),
        }
    }

    /// What it does then, again and again.
    fn next(self, round: u32) -> Vec<u8> {
        match self {
            Self::Idle | Self::Smuggler | Self::UnreadAnswers => Vec::new(),
            Self::PartialHead | Self::TrickledBody | Self::UnfinishedHandshake => vec![b'x'],
            Self::RapidReset => (0..20)
                .flat_map(|number| {
                    let stream = 1 + 2 * (round * 20 + number);
                    [
                        frame(1, 5, stream, &HEAD),
                        frame(3, 0, stream, &[0, 0, 0, 8]),
                    ]
                    .concat()
                })
                .collect(),
            // A header of a name and a value that stay in no table.
            Self::ContinuationFlood => {
                frame(9, 0, 1, &[&[0, 1, b'a', 100][..], &[b'b'; 100]].concat()).repeat(10)
            }
            Self::UnfinishedHttp2 => vec![0],
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Connections of one shape.
pub struct Held {
    shape: Shape,
    address: SocketAddr,
    connections: Vec<Abuser>,
}

#[derive(Default)]
struct Abuser {
    stream: Option<TcpStream>,
    began: Option<Instant>,
    round: u32,
}

impl Held {
    fn begin(&self, number: usize) -> Abuser {
        let open = || -> io::Result<TcpStream> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            if self.shape == Shape::UnreadAnswers {
                socket.set_recv_buffer_size(ROOM)?;
            }
            socket.connect_timeout(&self.address.into(), Duration::from_secs(5))?;
            socket.set_nonblocking(true)?;
            let mut stream = TcpStream::from(socket);
            let _ = stream.write(&self.shape.first(number))?;
            Ok(stream)
        };
        Abuser {
            stream: open().ok(),
            began: Some(Instant::now()),
            round: 0,
        }
    }

    /// Opens all connections at once, and goes on with all at once.
    pub fn rush(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while Instant::now() < deadline {
            let round = Instant::now();
            for number in 0..self.connections.len() {
                self.turn(number);
            }
            park_until((round + PACE).min(deadline));
        }
    }

    /// Opens one connection after the other, and goes on with each at its own moment; returns how many are held at the
    /// end.
    pub fn pace(&mut self, time: Duration) -> usize {
        let began = Instant::now();
        let all = u32::try_from(self.connections.len()).unwrap();
        let mut turns = 0;
        while began.elapsed() < time {
            let number = turns % all;
            if began.elapsed() >= Duration::from_secs(1) * number / COMING {
                self.turn(number as usize);
            }
            turns += 1;
            park_until(began + PACE * turns / all);
        }
        let held = self.connections.iter().filter(|it| it.stream.is_some());
        held.count()
    }

    fn turn(&mut self, number: usize) {
        let abuser = &mut self.connections[number];
        abuser.go_on(self.shape);
        let away = |began: Instant| began.elapsed() > BACK;
        if abuser.stream.is_none() && abuser.began.is_none_or(away) {
            self.connections[number] = self.begin(number);
        }
    }
}

fn park_until(moment: Instant) {
    park_timeout(moment.saturating_duration_since(Instant::now()));
}

impl Abuser {
    fn go_on(&mut self, shape: Shape) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let mut open = true;
        let mut unwanted = [0; 4096];
        while open && shape != Shape::UnreadAnswers {
            match stream.read(&mut unwanted) {
                Ok(0) => open = false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => open = false,
            }
        }
        let written = stream.write(&shape.next(self.round));
        self.round += 1;
        if !open || written.is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
            self.stream = None;
        }
    }
}
