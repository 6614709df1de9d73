//! A client on one thread that costs a server as little time to wait for as can be: prepared requests, answers that are
//! only measured, one `epoll`.

mod answer;
mod connection;
mod pace;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustls::ClientConfig;

use connection::{Connection, Progress};
use pace::Pace;

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// How to shake hands with it, if at all.
    pub tls: Option<Arc<ClientConfig>>,
    /// Whether a connection carries many requests, or one and is closed by the server.
    pub kept: bool,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Requests that were answered with 200 and a whole body.
    pub requests: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Of an open loop: from when each request should have been sent to its answer, in microseconds.
    pub latencies: Vec<u32>,
}

impl Done {
    /// Requests a second.
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

/// Connections to one server.
pub struct Client {
    target: Target,
    poll: OwnedFd,
    connections: Vec<Connection>,
    ready: Vec<epoll::Event>,
}

impl Client {
    /// A client with so many connections; kept ones are opened, and each has been answered once.
    pub fn open(target: &Target, connections: usize) -> io::Result<Self> {
        let mut client = Self {
            target: target.clone(),
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(connections),
            ready: Vec::with_capacity(256),
        };
        for place in 0..connections {
            let mut connection = client.connect(place)?;
            if client.target.kept {
                connection.begin()?;
                while connection.progress()? == Progress::Waiting {
                    client.wait(Some(PATIENCE))?;
                }
            }
            client.connections.push(connection);
        }
        Ok(client)
    }

    /// Asks on all connections at once and again as soon as there is an answer, for so long.
    pub fn ask_for(&mut self, time: Duration) -> io::Result<Done> {
        let began = Instant::now();
        let mut done = Done::default();
        let mut under_way = self.connections.len();
        for connection in &mut self.connections {
            connection.begin()?;
        }
        while under_way > 0 {
            for place in self.wait(Some(PATIENCE))? {
                if self.connections[place].progress()? == Progress::Waiting {
                    continue;
                }
                done.requests += 1;
                if !self.target.kept {
                    self.connections[place] = self.connect(place)?;
                }
                if began.elapsed() < time {
                    self.connections[place].begin()?;
                } else {
                    under_way -= 1;
                }
            }
        }
        done.took = began.elapsed();
        Ok(done)
    }

    /// Asks at a fixed rate whatever the answers do. A request that finds no free connection waits for one, and the wait
    /// is part of its latency: a server that stalls does not get fewer requests to be slow at.
    pub fn ask_at(&mut self, rate: f64, time: Duration) -> io::Result<Done> {
        let pace = Pace::new(rate, time);
        let began = Instant::now();
        let mut done = Done::default();
        let mut free: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut due = vec![Duration::ZERO; self.connections.len()];
        let mut sent = 0;
        let mut heard = Instant::now();
        while done.requests < pace.total() {
            while let Some(at) = pace.due(sent)
                && at <= began.elapsed()
                && let Some(place) = free.pop_front()
            {
                due[place] = at;
                self.connections[place].begin()?;
                sent += 1;
            }
            // It looks again at once: to sleep would be to send late.
            for place in self.wait(None)? {
                if self.connections[place].progress()? == Progress::Waiting {
                    continue;
                }
                heard = Instant::now();
                let latency = heard.duration_since(began).saturating_sub(due[place]);
                done.latencies
                    .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
                done.requests += 1;
                free.push_back(place);
            }
            if free.len() < due.len() && heard.elapsed() > PATIENCE {
                return Err(silence());
            }
        }
        done.took = began.elapsed();
        Ok(done)
    }

    fn connect(&self, place: usize) -> io::Result<Connection> {
        let connection = Connection::open(&self.target)?;
        epoll::add(
            &self.poll,
            connection.socket(),
            epoll::EventData::new_u64(place as u64),
            epoll::EventFlags::IN,
        )?;
        Ok(connection)
    }

    /// Which connections have something to say; without patience, now.
    fn wait(&mut self, patience: Option<Duration>) -> io::Result<Vec<usize>> {
        let most = Timespec {
            tv_sec: patience.map_or(0, |patience| patience.as_secs().cast_signed()),
            tv_nsec: 0,
        };
        self.ready.clear();
        let room = rustix::buffer::spare_capacity(&mut self.ready);
        match epoll::wait(&self.poll, room, Some(&most)) {
            Err(rustix::io::Errno::INTR) => return Ok(Vec::new()),
            waited => waited?,
        };
        if self.ready.is_empty() && patience.is_some() {
            return Err(silence());
        }
        let places = self.ready.iter().map(|event| event.data.u64());
        Ok(places
            .filter_map(|place| usize::try_from(place).ok())
            .collect())
    }
}

fn silence() -> io::Error {
    io::Error::other(format!("no answer within {PATIENCE:?}"))
}
