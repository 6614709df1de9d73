//! What handshakes are made with.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::{Authorities, Pair};

/// TLS 1.2 and 1.3: what every client of the last decade speaks.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// How clients are asked for a certificate.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// Who may have signed it.
    pub authorities: Authorities,
    /// Whether the handshake fails without one; a bad certificate always fails it.
    pub required: bool,
}

/// Why checked parts do not make a TLS configuration: a fault of ours or of the crypto library.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}")]
pub struct ServerConfigError(String);

/// Builds what handshakes are made with: one certificate, HTTP/2 and HTTP/1.1 by ALPN, fresh session storage and
/// ticket keys, so that nothing agreed under an earlier configuration is resumed under this one.
pub fn server_config(
    pair: &Pair,
    clients: Option<&ClientAuth>,
) -> Result<ServerConfig, ServerConfigError> {
    let failed = |error: &dyn std::fmt::Display| ServerConfigError(error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(VERSIONS)
        .map_err(|error| failed(&error))?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(clients.authorities.roots(), provider);
            let verifier = if clients.required {
                verifier
            } else {
                verifier.allow_unauthenticated()
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| failed(&error))?)
        }
    };
    let certificate: Arc<dyn ResolvesServerCert> =
        Arc::new(SingleCertAndKey::from(pair.certified_key()));
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| failed(&error))?;
    Ok(config)
}
