//! One connection from handshake to close.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use kilonova_compute::Origin;
use kilonova_config::Http;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::activity::Activity;
use super::context::Context;
use super::exchange::Connection;
use super::phase::Phase;
use super::timed::Timed;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a worker that finishes looks whether a connection is quiet.
const FINISHING_LOOK: Duration = Duration::from_millis(100);

/// Serves a connection to its end.
pub async fn serve(context: &Arc<Context>, stream: TcpStream, peer: SocketAddr) {
    let current = context.current();
    let Some(tls) = &current.tls else {
        return speak(context, stream, peer, &current.settings.http, false).await;
    };
    match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            speak(context, stream, peer, &current.settings.http, http2).await;
        }
        Ok(Err(error)) => {
            context.counters.handshake_failed();
            tracing::info!(
                logger = context.logger(),
                "{} TLS handshake failed: {error}",
                peer.ip()
            );
        }
        Err(_) => {
            context.counters.handshake_failed();
            tracing::info!(
                logger = context.logger(),
                "{} TLS handshake not finished within {HANDSHAKE_TIMEOUT:?}",
                peer.ip()
            );
        }
    }
}

/// Speaks HTTP/1.1 or HTTP/2, whichever the client begins with.
async fn speak<S>(context: &Arc<Context>, stream: S, peer: SocketAddr, http: &Http, http2: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(Activity::new());
    if http2 {
        activity.set_http2();
    }
    let connection = Arc::new(Connection {
        context: Arc::clone(context),
        activity: Arc::clone(&activity),
        peer,
        origin: Origin {
            scheme: context.scheme(),
            local: context.local,
        },
    });
    let service = service_fn(|request| {
        let connection = Arc::clone(&connection);
        async move { Ok::<_, Infallible>(connection.answer(request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper's own limit for heads would also end connections that wait for their next request: ours does not.
    builder
        .http1()
        .keep_alive(http.keep_alive)
        .timer(TokioTimer::new())
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100);
    let io = TokioIo::new(Timed::new(stream, Arc::clone(&activity)));
    let mut served = pin!(builder.serve_connection(io, service));

    let socket_timeout = (http.client_socket_timeout_seconds > 0)
        .then(|| Duration::from_secs(http.client_socket_timeout_seconds.into()));
    let mut phase = context.phase();
    let mut now = *phase.borrow_and_update();
    let mut told = false;
    let mut look = pin!(sleep_until(
        Instant::now() + activity.seen().patience(socket_timeout)
    ));
    loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(logger = context.logger(), "{} connection ended: {error}", peer.ip());
                }
                return;
            }
            changed = phase.changed() => {
                now = *phase.borrow_and_update();
                if changed.is_err() {
                    return;
                }
                look.as_mut().reset(Instant::now());
            }
            () = look.as_mut() => {
                let seen = activity.seen();
                if seen.patience(socket_timeout).is_zero() {
                    tracing::debug!(logger = context.logger(), "({}) timed out", std::process::id());
                    return;
                }
                if now.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
                    return;
                }
                // HTTP/2 has a word for it (GOAWAY); on HTTP/1 the answers say it, and nothing is closed on a request.
                let leave = now != Phase::Serving && activity.is_http2()
                    || matches!(now, Phase::Finishing { .. }) && seen.quiet();
                if leave && !told {
                    told = true;
                    served.as_mut().graceful_shutdown();
                }
                look.as_mut().reset(Instant::now() + next_look(now, seen.patience(socket_timeout)));
            }
        }
    }
}

fn next_look(phase: Phase, patience: Duration) -> Duration {
    match phase {
        Phase::Serving => patience,
        Phase::LameDuck | Phase::Finishing { .. } => patience.min(FINISHING_LOOK),
    }
}
