//! One connection from its first byte to its close.
//!
//! ```text
//! socket ─► PROXY header ─► TLS ─► HTTP/1 or 2? ─┬─► Guard ─► hyper, HTTP/1 ─┬─► exchange
//!                                                └─► Timed ─► hyper, HTTP/2 ─┘
//! ```

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kilonova_config::{MAX_HEAD_BYTES, MAX_HEADERS, ProxyProtocol};
use kilonova_tls::Identity;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::activity::Activity;
use super::beginning::{self, Beginning};
use super::context::{Context, Current};
use super::exchange::Connection;
use super::guard::Guard;
use super::handshake::shake_hands;
use super::proxied;
use super::timed::Timed;
use super::watch::{Verdict, Watch};
use crate::forwarded;
use crate::http1::Limits;
use crate::reason::Reason;

/// Bytes hyper may hold of what it reads and writes on HTTP/1: a whole head, its request line, and a little more.
const BUFFER: usize = 2 * MAX_HEAD_BYTES as usize + 8192;
/// What h2 counts for a header besides its name and value (RFC 9113, section 6.5.2).
const HEADER_OVERHEAD: u32 = 32;
/// Bytes of bodies a client may send on HTTP/2 before we have read them, per request and altogether.
const WINDOW: u32 = 65_535;
/// Bytes of an answer that wait in HTTP/2 for a client that does not read.
const SEND_BUFFER: usize = 16_384;

/// Serves a connection to its end.
pub async fn serve(context: &Arc<Context>, mut stream: TcpStream, peer: SocketAddr) {
    tracing::debug!(
        logger = context.logger(),
        "({}) accepted ('{}', {})",
        std::process::id(),
        peer.ip(),
        peer.port()
    );
    let current = context.current();
    let http = &current.settings.http;
    if http.tcp_keep_idle_seconds > 0 {
        let idle = Duration::from_secs(http.tcp_keep_idle_seconds.into());
        // The listening socket has switched it on. A connection that is gone already needs none.
        let _ = SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle));
    }
    let mut peer = peer;
    if http.proxy_protocol == ProxyProtocol::V1V2 {
        match proxied::client(&mut stream, peer, http).await {
            Ok(client) => peer = client,
            Err(why) => return context.refuse(peer.ip(), Reason::ProxyHeader, &why.to_string()),
        }
    }
    let Some(tls) = &current.tls else {
        return speak(context, &current, stream, peer, None).await;
    };
    let within = Duration::from_secs(http.tls_handshake_timeout_seconds.into());
    // On the heap, so that a plain connection is not as large as one with TLS.
    if let Some(secured) = Box::pin(shake_hands(context, tls, stream, peer, within)).await {
        let (stream, identity) = (secured.stream, secured.identity);
        Box::pin(speak(context, &current, stream, peer, identity)).await;
    }
}

/// Speaks HTTP/1.1 or HTTP/2, whichever the client begins with.
async fn speak<S>(
    context: &Arc<Context>,
    current: &Arc<Current>,
    mut stream: S,
    peer: SocketAddr,
    identity: Option<Arc<Identity>>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let http = &current.settings.http;
    let activity = Arc::new(Activity::new());
    let _entered = context.open.enter(peer, &activity);
    let connection = Arc::new(Connection {
        trusted: forwarded::trusts(&http.trusted_proxies, peer.ip()),
        scheme: current.scheme(),
        context: Arc::clone(context),
        current: Arc::clone(current),
        activity: Arc::clone(&activity),
        peer,
        client: peer.ip().to_string().into(),
        identity,
    });
    // Looked at when it was woken, not whenever a request comes.
    let watch = Watch::new(context, &activity, http, peer.ip());
    let mut verdicts = FuturesUnordered::from_iter([watch.verdict()]);
    let beginning = tokio::select! {
        beginning = beginning::of(&mut stream, &activity) => beginning,
        // Nothing has begun: to leave is to close.
        _ = verdicts.next() => return,
    };
    let ended = match beginning {
        Ok(Beginning::Http1(begun)) => {
            let limits = Limits {
                request_line: http.max_url_bytes as usize,
                header_line: http.max_header_line_bytes as usize,
            };
            let guard = Guard::new(stream, Arc::clone(&activity), limits, begun);
            let service = service_fn(move |request| connection.answer(request));
            // hyper's own limit for heads would also end connections that wait for their next request: ours does not.
            let served = http1::Builder::new()
                .keep_alive(http.keep_alive)
                .max_headers(MAX_HEADERS as usize)
                .max_buf_size(BUFFER)
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(guard), service);
            drive(pin!(served), &mut verdicts, Watch::verdict).await
        }
        Ok(Beginning::Http2(begun)) => {
            activity.set_http2();
            let timed = Timed::new(stream, Arc::clone(&activity), begun);
            // A client may ask for a hundred things at once, and take them back: until its turn comes, what is to be
            // answered is little more than its request.
            let service = service_fn(move |request: Request<Incoming>| {
                let connection = Arc::clone(&connection);
                async move { connection.answer(request).await }
            });
            let served = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(http.max_concurrent_streams)
                .max_header_list_size(MAX_HEAD_BYTES + MAX_HEADERS * HEADER_OVERHEAD + 4096)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW)
                .max_send_buf_size(SEND_BUFFER)
                .serve_connection(TokioIo::new(timed), service);
            // On the heap: its state is far larger than HTTP/1's, which is what most connections speak.
            drive(Box::pin(served).as_mut(), &mut verdicts, Watch::verdict).await
        }
        Ok(Beginning::Nothing) | Err(_) => return,
    };
    if let Some((reason, why)) = activity.refused() {
        context.refuse(peer.ip(), reason, why);
    } else if let Err(error) = ended {
        if error.is_parse() || (activity.is_http2() && !broken(&error)) {
            context.refuse(peer.ip(), Reason::Protocol, &error.to_string());
        } else {
            tracing::debug!(
                logger = context.logger(),
                "{} connection ended: {error}",
                peer.ip()
            );
        }
    }
}

/// Whether a connection ended for a reason below HTTP.
fn broken(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    error.is_closed() || error.is_incomplete_message() || error.is_timeout()
}

/// Serves until the client has left, or has to.
async fn drive<C, W>(
    mut served: Pin<&mut C>,
    verdicts: &mut FuturesUnordered<W>,
    next: fn(Watch) -> W,
) -> hyper::Result<()>
where
    C: Served,
    W: Future<Output = (Watch, Verdict)>,
{
    loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => return ended,
            Some((watch, verdict)) = verdicts.next() => match verdict {
                Verdict::Leave => {
                    served.as_mut().leave();
                    verdicts.push(next(watch));
                }
                Verdict::Close => return Ok(()),
            },
        }
    }
}

/// What HTTP/1 and HTTP/2 connections have in common.
trait Served: Future<Output = hyper::Result<()>> {
    /// Takes no further request.
    fn leave(self: Pin<&mut Self>);
}

impl<I, S, B> Served for http1::Connection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B> Served for http2::Connection<I, S, TokioExecutor>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
