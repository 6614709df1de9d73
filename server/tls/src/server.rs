//! What handshakes are made with.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::server::{ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::{Authorities, Pair, RevocationLists};

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.2 and 1.3: what every client of the last decade speaks.
    #[default]
    From12,
    /// TLS 1.3 alone.
    Only13,
}

const ALL: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

impl Versions {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::From12 => ALL,
            Self::Only13 => &ALL[..1],
        }
    }
}

/// How clients are asked for a certificate.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// Who may have signed it.
    pub authorities: Authorities,
    /// Whether the handshake fails without one; a bad certificate always fails it.
    pub required: bool,
    /// Which ones are bad although they were signed: see [`crate::revocation`] for the rules.
    pub revoked: Option<RevocationLists>,
}

/// Why checked parts do not make a TLS configuration: a fault of ours or of the crypto library.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up TLS: {0}")]
pub struct ServerConfigError(String);

/// Builds what handshakes are made with: one certificate, HTTP/2 and HTTP/1.1 by ALPN, fresh session storage and the
/// tickets given. With tickets from another seed nothing agreed under an earlier configuration is resumed under this
/// one.
pub fn server_config(
    pair: &Pair,
    clients: Option<&ClientAuth>,
    versions: Versions,
    tickets: Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, ServerConfigError> {
    let failed = |error: &dyn std::fmt::Display| ServerConfigError(error.to_string());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions.supported())
        .map_err(|error| failed(&error))?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut verifier =
                WebPkiClientVerifier::builder_with_provider(clients.authorities.roots(), provider);
            if !clients.required {
                verifier = verifier.allow_unauthenticated();
            }
            if let Some(revoked) = &clients.revoked {
                verifier = verifier
                    .with_crls(revoked.lists().iter().cloned())
                    .only_check_end_entity_revocation()
                    .allow_unknown_revocation_status();
            }
            builder.with_client_cert_verifier(verifier.build().map_err(|error| failed(&error))?)
        }
    };
    let certificate: Arc<dyn ResolvesServerCert> =
        Arc::new(SingleCertAndKey::from(pair.certified_key()));
    let mut config = builder.with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = tickets;
    Ok(config)
}
