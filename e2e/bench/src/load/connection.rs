//! One connection: a request goes out, an answer comes in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::Target;
use super::answer::Shape;

const KEPT: &[u8] = b"GET / HTTP/1.1\r\nHost: nova.test\r\n\r\n";
const LAST: &[u8] = b"GET / HTTP/1.1\r\nHost: nova.test\r\nConnection: close\r\n\r\n";
/// More than an answer of a version document.
const ROOM: usize = 4096;

/// What came of looking at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The answer is not whole, or the server has not closed as it was asked to.
    Waiting,
    /// The answer is there.
    Answered,
}

#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    kept: bool,
    owed: bool,
    answered: bool,
    shape: Option<Shape>,
    buffer: Box<[u8]>,
    filled: usize,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Connects; hands are shaken as the first answer is waited for.
    pub fn open(target: &Target) -> io::Result<Self> {
        let tcp = TcpStream::connect(target.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_nonblocking(true)?;
        let stream = match &target.tls {
            None => Stream::Plain(tcp),
            Some(config) => {
                let name = ServerName::try_from("nova.test").map_err(io::Error::other)?;
                let client = ClientConnection::new(Arc::clone(config), name);
                let client = client.map_err(io::Error::other)?;
                Stream::Tls(Box::new(StreamOwned::new(client, tcp)))
            }
        };
        Ok(Self {
            stream,
            kept: target.kept,
            owed: false,
            answered: false,
            shape: None,
            buffer: vec![0; ROOM].into(),
            filled: 0,
        })
    }

    pub fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &tls.sock,
        }
    }

    /// Sends a request, as soon as hands are shaken.
    pub fn begin(&mut self) -> io::Result<()> {
        self.filled = 0;
        self.answered = false;
        self.owed = true;
        self.pay()
    }

    /// Reads what there is.
    pub fn progress(&mut self) -> io::Result<Progress> {
        if self.owed {
            self.pay()?;
        }
        if self.answered {
            return self.closing();
        }
        match self.stream.read(&mut self.buffer[self.filled..]) {
            Ok(0) => return Err(io::Error::other("closed in the middle of an answer")),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Progress::Waiting),
            Err(error) => return Err(error),
        }
        if !self.whole()? {
            return Ok(Progress::Waiting);
        }
        self.answered = true;
        if self.kept {
            Ok(Progress::Answered)
        } else {
            self.closing()
        }
    }

    fn pay(&mut self) -> io::Result<()> {
        if let Stream::Tls(tls) = &mut self.stream
            && tls.conn.is_handshaking()
        {
            match tls.conn.complete_io(&mut tls.sock) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                shaken => shaken?,
            };
        }
        self.owed = false;
        let request = if self.kept { KEPT } else { LAST };
        self.stream.write_all(request)
    }

    fn whole(&mut self) -> io::Result<bool> {
        let bytes = &self.buffer[..self.filled];
        let shape = match self.shape {
            Some(shape) => shape,
            None => match Shape::of(bytes)? {
                Some(shape) if shape.length() <= ROOM => *self.shape.insert(shape),
                Some(_) => return Err(io::Error::other("an answer too long")),
                None => return Ok(false),
            },
        };
        if bytes.len() < shape.length() {
            return Ok(false);
        }
        if shape.fits(bytes) {
            Ok(true)
        } else {
            let text = String::from_utf8_lossy(bytes);
            Err(io::Error::other(format!(
                "an answer unlike the first: {text}"
            )))
        }
    }

    /// The server was asked to close.
    fn closing(&mut self) -> io::Result<Progress> {
        match self.stream.read(&mut [0; 64]) {
            Ok(0) => Ok(Progress::Answered),
            Ok(_) => Err(io::Error::other("more than an answer")),
            Err(error) => match error.kind() {
                ErrorKind::UnexpectedEof => Ok(Progress::Answered),
                ErrorKind::WouldBlock => Ok(Progress::Waiting),
                _ => Err(error),
            },
        }
    }
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.write_all(bytes),
            Self::Tls(tls) => tls.write_all(bytes),
        }
    }
}
