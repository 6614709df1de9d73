//! The TLS part of a connection: from its first byte to the client's identity.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kilonova_tls::Identity;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{HandshakeKind, ServerConnection};
use tokio_rustls::server::TlsStream;

use super::context::Context;
use crate::handshake::{Reason, classify};

/// The most that is read of what is not TLS, so that the client sees a clean end.
const PLAIN_HEAD: usize = 16 * 1024;

/// A connection that is safe from here on.
pub struct Secured {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// Who the client is, when its certificate was asked for and verified.
    pub identity: Option<Arc<Identity>>,
}

/// Why there is no safe connection.
struct Failure {
    reason: Reason,
    detail: Option<String>,
    /// Nothing ever came: somebody looked whether the port is open.
    silent: bool,
}

/// Shakes hands, within a time. A failure is counted, and logged in one line.
pub async fn shake_hands(
    context: &Context,
    tls: &TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    within: Duration,
) -> Option<Secured> {
    let outcome = timeout(within, accept(tls, stream)).await;
    let failure = match outcome.unwrap_or_else(|_| Err(Failure::of(Reason::Timeout))) {
        Ok(secured) => {
            let resumed = kind(&secured) == Some(HandshakeKind::Resumed);
            context.counters.handshake_succeeded(resumed);
            let client = secured.identity.as_ref().map(|identity| identity.name());
            tracing::debug!(
                logger = context.logger(),
                "{} TLS handshake done: client {}",
                peer.ip(),
                client.unwrap_or("unknown")
            );
            return Some(secured);
        }
        Err(failure) => failure,
    };
    context.counters.handshake_failed(failure.reason);
    let (ip, words) = (peer.ip(), failure.words());
    if failure.silent {
        tracing::debug!(
            logger = context.logger(),
            "{ip} TLS handshake failed: {words}"
        );
    } else {
        tracing::info!(
            logger = context.logger(),
            "{ip} TLS handshake failed: {words}"
        );
    }
    None
}

async fn accept(tls: &TlsAcceptor, stream: TcpStream) -> Result<Secured, Failure> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(0) => {
            return Err(Failure {
                silent: true,
                ..Failure::of(Reason::Closed)
            });
        }
        // No record of TLS begins with a letter, and every method of HTTP does.
        Ok(_) if first[0].is_ascii_uppercase() => {
            discard(&stream);
            return Err(Failure::of(Reason::PlainHttp));
        }
        Ok(_) => {}
        Err(error) => return Err(Failure::from(&error)),
    }
    let stream = tls.accept(stream).await;
    let stream = stream.map_err(|error| Failure::from(&error))?;
    let connection = stream.get_ref().1;
    let identity = identity(connection);
    // A resumed session does not look at the certificate it began with again.
    if identity
        .as_ref()
        .is_some_and(|identity| identity.not_after < unix_now())
    {
        return Err(Failure::of(Reason::ExpiredCertificate));
    }
    Ok(Secured { stream, identity })
}

fn identity(connection: &ServerConnection) -> Option<Arc<Identity>> {
    let certificate = connection.peer_certificates()?.first()?;
    Some(Arc::new(Identity::of(certificate)))
}

fn kind(secured: &Secured) -> Option<HandshakeKind> {
    secured.stream.get_ref().1.handshake_kind()
}

/// Reads what is there: closing on unread bytes would be a reset, where nova's clients see an empty answer.
fn discard(stream: &TcpStream) {
    let mut head = [0; PLAIN_HEAD];
    let _ = stream.try_read(&mut head);
}

impl Failure {
    fn of(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
            silent: false,
        }
    }

    fn from(error: &io::Error) -> Self {
        let (reason, detail) = classify(error);
        Self {
            detail,
            ..Self::of(reason)
        }
    }

    fn words(&self) -> String {
        let words = self.reason.words();
        match &self.detail {
            Some(detail) => format!("{words} ({detail})"),
            None => words.to_owned(),
        }
    }
}

fn unix_now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
