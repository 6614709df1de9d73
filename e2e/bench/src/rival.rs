//! A bare hyper server: gives one prepared answer to every request, accepts for itself, and does nothing else.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What hyper writes by itself.
const HYPERS_OWN: [&str; 2] = ["content-length", "date"];

/// Serves the answer that a file holds, as it came over the wire, until it is killed; over TLS when there is a
/// directory with `tls.crt` and `tls.key`.
pub fn serve(address: SocketAddr, answer: &Path, tls: Option<&Path>) -> anyhow::Result<()> {
    let answer = fs::read(answer).context("cannot read the answer")?;
    let answer = Arc::new(Answer::parse(&answer).context("the answer is not one of HTTP/1.1")?);
    let tls = tls.map(acceptor).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(accept(address, &answer, tls))
}

async fn accept(
    address: SocketAddr,
    answer: &Arc<Answer>,
    tls: Option<TlsAcceptor>,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (answer, tls) = (Arc::clone(answer), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => speak(stream, answer).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        speak(stream, answer).await;
                    }
                }
            }
        });
    }
}

async fn speak<S>(stream: S, answer: Arc<Answer>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|_: Request<hyper::body::Incoming>| {
        let answer = answer.response();
        async move { Ok::<_, Infallible>(answer) }
    });
    // How a connection ends is its client's affair.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn acceptor(directory: &Path) -> anyhow::Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_file(directory.join("tls.crt"))?;
    let key = PrivateKeyDer::from_pem_file(directory.join("tls.key"))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A prepared answer.
#[derive(Debug, PartialEq)]
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut headers = HeaderMap::new();
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(": ")?;
            let name: HeaderName = name.parse().ok()?;
            if !HYPERS_OWN.contains(&name.as_str()) {
                headers.append(name, HeaderValue::from_str(value).ok()?);
            }
        }
        let body = Bytes::copy_from_slice(&bytes[end + 4..]);
        Some(Self { headers, body })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hyper_writes_is_left_to_hyper() {
        let wire = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\ndate: x\r\n\r\n{}";
        let answer = Answer::parse(wire).unwrap();
        assert_eq!(answer.headers.len(), 1);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.body, "{}");
        assert_eq!(Answer::parse(b"HTTP/1.1 200 OK\r\n"), None);
    }
}
