//! Reads the PROXY header, and not a byte more: what follows belongs to TLS or HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use kilonova_config::Http;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::forwarded;
use crate::proxy_protocol::{self, Header, Malformed};

/// Why a connection is not served.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// `trustedProxies` does not name it.
    #[error("it is none of trustedProxies, and may not say in a PROXY header whom it speaks for")]
    NotTrusted,
    /// What came is no PROXY header.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It did not come in time.
    #[error("no end of the PROXY header")]
    Late,
    /// The connection broke.
    #[error("no PROXY header: {0}")]
    Broken(#[from] io::Error),
}

/// Whom a connection comes from: what its PROXY header says, or its peer if that speaks for itself.
pub async fn client(
    stream: &mut TcpStream,
    peer: SocketAddr,
    http: &Http,
) -> Result<SocketAddr, ProxyError> {
    if !forwarded::trusts(&http.trusted_proxies, peer.ip()) {
        return Err(ProxyError::NotTrusted);
    }
    let within = Duration::from_secs(http.header_timeout_seconds.into());
    match timeout(within, header(stream)).await {
        Ok(client) => Ok(client?.unwrap_or(peer)),
        Err(_) => Err(ProxyError::Late),
    }
}

async fn header(stream: &mut TcpStream) -> Result<Option<SocketAddr>, ProxyError> {
    let mut header = Vec::with_capacity(128);
    loop {
        match proxy_protocol::read(&header)? {
            Header::Complete(client) => return Ok(client),
            Header::Needs(more) => {
                let begun = header.len();
                header.resize(begun + more, 0);
                stream.read_exact(&mut header[begun..]).await?;
            }
        }
    }
}
