//! Closed-loop load on a Service, from this machine, which is in the cluster's networks. Every answer is checked, none is
//! asked for twice.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, park_timeout};
use std::time::{Duration, Instant};

use kilonova_probe::{Answer, Authority, Connection, Issued, TlsConnection};
use rustls::ClientConfig;

use crate::{Namespace, full};

/// Two keep their connections, two make one for each request.
const CLIENTS: usize = 4;
/// What a client rests between two requests, so that load does not starve what it measures.
const REST: Duration = Duration::from_millis(4);
/// So many failures are told in full.
const TOLD: usize = 5;

/// Where the load goes, and how.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    tls: Option<(String, ClientConfig)>,
}

impl Target {
    /// A Service without TLS.
    pub fn plain(namespace: &Namespace<'_>, service: &str) -> Self {
        Self {
            address: namespace.address(service),
            tls: None,
        }
    }

    /// A Service with TLS, verified by its name; the client has a certificate or none.
    pub fn tls(
        namespace: &Namespace<'_>,
        service: &str,
        authority: &Authority,
        identity: Option<&Issued>,
    ) -> Self {
        let client = authority.client(identity);
        Self {
            address: namespace.address(service),
            tls: Some((namespace.host(service), client)),
        }
    }

    fn open(&self) -> io::Result<Open> {
        match &self.tls {
            None => Connection::open(self.address).map(Open::Plain),
            Some((host, client)) => TlsConnection::handshake_as(self.address, host, client.clone())
                .map(|connection| Open::Tls(Box::new(connection))),
        }
    }
}

enum Open {
    Plain(Connection<TcpStream>),
    Tls(Box<TlsConnection>),
}

impl Open {
    fn ask(&mut self) -> io::Result<Answer> {
        match self {
            Self::Plain(connection) => connection.get("/"),
            Self::Tls(connection) => connection.get("/"),
        }
    }
}

/// Load that runs until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Starts it.
    pub fn start(target: &Target) -> Self {
        let (stop, requests) = (Arc::default(), Arc::default());
        let clients = (0..CLIENTS).map(|client| {
            let (target, kept) = (target.clone(), client.is_multiple_of(2));
            let (stop, requests) = (Arc::clone(&stop), Arc::clone(&requests));
            thread::spawn(move || ask_until(&target, kept, &stop, &requests))
        });
        Self {
            clients: clients.collect(),
            stop,
            requests,
        }
    }

    /// Ends it, after as many requests as the contract asks for or fewer by the reduced figures; each must have been
    /// answered.
    pub fn end(mut self, what: &str) {
        let least = if full() { 50_000 } else { 1000 };
        while self.requests.load(Ordering::Relaxed) < least {
            park_timeout(Duration::from_millis(50));
        }
        self.stop.store(true, Ordering::Relaxed);
        let clients = self.clients.drain(..);
        let failures: Vec<String> = clients.flat_map(|one| one.join().unwrap()).collect();
        let requests = self.requests.load(Ordering::Relaxed);
        println!("{what}: {requests} requests, {} failed", failures.len());
        let told = failures.len().min(TOLD);
        assert!(failures.is_empty(), "{what}: {:#?}", &failures[..told]);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn ask_until(
    target: &Target,
    kept: bool,
    stop: &AtomicBool,
    requests: &AtomicUsize,
) -> Vec<String> {
    let (mut failures, mut open, began) = (Vec::new(), None, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        requests.fetch_add(1, Ordering::Relaxed);
        match ask(target, open.take()) {
            Ok((answer, connection)) => {
                let body = String::from_utf8_lossy(&answer.body);
                if answer.status != 200 || !body.contains("\"versions\"") {
                    failures.push(format!("{:?}: {} {body}", began.elapsed(), answer.status));
                }
                let closes = answer.header("connection") == Some("close");
                open = (kept && !closes).then_some(connection);
            }
            Err(error) => failures.push(format!("{:?}: {error}", began.elapsed())),
        }
        park_timeout(REST);
    }
    failures
}

fn ask(target: &Target, open: Option<Open>) -> io::Result<(Answer, Open)> {
    let fresh = open.is_none();
    let mut open = open.map_or_else(|| target.open(), Ok)?;
    let answer = open.ask().map_err(|error| {
        let which = if fresh { "new" } else { "kept" };
        io::Error::other(format!("on a {which} connection: {error}"))
    })?;
    Ok((answer, open))
}
