//! Clients that speak HTTP/2 with prior knowledge, several requests at once on each connection.

use std::error::Error;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::Frame;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kilonova_probe::wait_within;
use tokio::net::TcpStream;
use tokio::time::{Interval, interval};

/// Clients, each with a connection of its own.
const CLIENTS: usize = 8;
/// Requests at once on each connection; the last one is slow.
const STREAMS: usize = 4;
/// What a slow request's body is made of, and how often a part of it comes.
const PARTS: usize = 10;
const PART: Bytes = Bytes::from_static(b",        1");
const EACH: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Tally {
    pub answered: u64,
    pub connections: u64,
    /// Begun and not answered, or not as they should be.
    pub lost: Vec<String>,
    /// Never sent, or beyond the last the server says it has seen (RFC 9113, 6.8): repeated, as clients do.
    pub turned_away: u64,
    /// When a connection was refused; the client goes no further.
    pub refused: Vec<Instant>,
}

pub struct Streams {
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    answered: Vec<AtomicU64>,
    tally: Mutex<Tally>,
}

impl Streams {
    pub fn start(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            address,
            answered: (0..CLIENTS).map(|_| AtomicU64::new(0)).collect(),
            tally: Mutex::default(),
        });
        let clients = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let clients = (0..CLIENTS).map(|number| client(Arc::clone(&clients), number));
            let clients: Vec<_> = clients.map(|client| runtime.spawn(client)).collect();
            runtime.block_on(async {
                for client in clients {
                    client.await.unwrap();
                }
            });
        });
        Self { thread, shared }
    }

    /// Waits until each client has been answered so many times more.
    pub fn wait_each(&self, more: u64) {
        let count = |client: &AtomicU64| client.load(Relaxed);
        let before: Vec<_> = self.shared.answered.iter().map(count).collect();
        wait_within(LONG, "every client to be answered", || {
            let mut now = self.shared.answered.iter().map(count).zip(&before);
            let refused = !self.shared.tally.lock().unwrap().refused.is_empty();
            (refused || now.all(|(now, before)| now >= before + more)).then_some(())
        });
    }

    /// Waits until all clients have been refused, and sums up.
    pub fn join(self) -> Tally {
        self.thread.join().unwrap();
        let mut tally = std::mem::take(&mut *self.shared.tally.lock().unwrap());
        let answered = self.shared.answered.iter();
        tally.answered = answered.map(|client| client.load(Relaxed)).sum();
        tally
    }
}

/// Connects again whenever a connection ends, until nobody takes it.
async fn client(shared: Arc<Shared>, number: usize) {
    loop {
        let Ok(tcp) = TcpStream::connect(shared.address).await else {
            return shared.tally.lock().unwrap().refused.push(Instant::now());
        };
        shared.tally.lock().unwrap().connections += 1;
        let Ok((sender, connection)) = handshake(TokioExecutor::new(), TokioIo::new(tcp)).await
        else {
            continue;
        };
        let connection = tokio::spawn(connection);
        let streams = (0..STREAMS).map(|stream| {
            let slow = stream + 1 == STREAMS;
            tokio::spawn(stream_of(Arc::clone(&shared), number, sender.clone(), slow))
        });
        for stream in streams.collect::<Vec<_>>() {
            stream.await.unwrap();
        }
        connection.abort();
    }
}

/// One request after the other, until the connection takes no more.
async fn stream_of(shared: Arc<Shared>, number: usize, mut sender: SendRequest<Body>, slow: bool) {
    let mut pace = interval(Duration::from_millis(10));
    while sender.ready().await.is_ok() {
        pace.tick().await;
        match sender.try_send_request(request(slow)).await {
            Ok(response) => {
                let status = response.status();
                let body = to_bytes(Body::new(response.into_body()), 65536).await;
                match body {
                    Ok(body) if status == StatusCode::OK && body.starts_with(b"{\"version\": ") => {
                        shared.answered[number].fetch_add(1, Relaxed);
                    }
                    other => shared.lost(format!("{status}: {other:?}")),
                }
            }
            Err(mut error) => {
                let unsent = error.take_message().is_some();
                let error = error.into_error();
                if unsent || is_turned_away(&error) {
                    shared.tally.lock().unwrap().turned_away += 1;
                } else {
                    shared.lost(format!("slow: {slow}: {error:?}"));
                }
                return;
            }
        }
    }
}

impl Shared {
    fn lost(&self, what: String) {
        self.tally.lock().unwrap().lost.push(what);
    }
}

fn is_turned_away(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &h2::Error| {
        cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR)
    })
}

fn request(slow: bool) -> Request<Body> {
    let request = Request::builder().uri("http://nova.test/v2.1/");
    if !slow {
        return request.body(Body::empty()).unwrap();
    }
    let body = Trickle {
        parts: PARTS,
        pace: interval(EACH),
    };
    request
        .method("POST")
        .header("content-type", "application/json")
        .header("content-length", 2 + PART.len() * PARTS)
        .body(Body::new(body))
        .unwrap()
}

/// A JSON list that comes little by little.
struct Trickle {
    parts: usize,
    pace: Interval,
}

impl http_body::Body for Trickle {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        ready!(self.pace.poll_tick(cx));
        let Some(left) = self.parts.checked_sub(1) else {
            return Poll::Ready(None);
        };
        let part = match left {
            _ if self.parts == PARTS => Bytes::from_static(b"[         1"),
            0 => Bytes::from_static(b",        1]"),
            _ => PART,
        };
        self.parts = left;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }
}
