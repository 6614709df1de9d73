//! A client's connection, with TLS or without, that knows how much came back.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, RwLock};

use kilonova_probe::{Connection, PATIENCE};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

/// Where requests go. What a client trusts and shows may change while it runs.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub tls: Option<Arc<RwLock<Arc<ClientConfig>>>>,
}

pub struct Wire {
    stream: Stream,
    /// Bytes of answers that came, decrypted.
    pub received: u64,
    /// The client's end.
    pub port: u16,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Why there is no connection.
#[derive(Debug)]
pub enum NoWire {
    /// TCP: nobody listens.
    Refused(io::Error),
    /// TLS.
    Handshake(u16, io::Error),
}

impl Target {
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    pub fn secure(address: SocketAddr, config: ClientConfig) -> Self {
        let tls = Some(Arc::new(RwLock::new(Arc::new(config))));
        Self { address, tls }
    }

    /// What clients trust and show from their next connection on.
    pub fn use_config(&self, config: ClientConfig) {
        if let Some(current) = &self.tls {
            *current.write().unwrap() = Arc::new(config);
        }
    }

    pub fn connect(&self) -> Result<Connection<Wire>, NoWire> {
        let tcp = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(NoWire::Refused)?;
        let port = tcp.local_addr().map_err(NoWire::Refused)?.port();
        let stream = self.wrap(tcp);
        let stream = stream.map_err(|error| NoWire::Handshake(port, error))?;
        Ok(Connection::over(Wire {
            stream,
            received: 0,
            port,
        }))
    }

    fn wrap(&self, tcp: TcpStream) -> io::Result<Stream> {
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_nodelay(true)?;
        let Some(config) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let config = Arc::clone(&config.read().unwrap());
        let name = ServerName::try_from("nova.test").map_err(io::Error::other)?;
        let client = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(client, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Wire {
    /// The certificate the server showed.
    pub fn certificate(&self) -> Vec<u8> {
        match &self.stream {
            Stream::Plain(_) => Vec::new(),
            Stream::Tls(stream) => stream.conn.peer_certificates().unwrap()[0].to_vec(),
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = match &mut self.stream {
            Stream::Plain(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }?;
        self.received += bytes as u64;
        Ok(bytes)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}
