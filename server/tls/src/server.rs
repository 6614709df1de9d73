//! What handshakes are made with.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

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
    let provider = Arc::new(provider());
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
    config.ignore_client_order = true;
    Ok(config)
}

/// What the crypto library has, with AES-128 before AES-256 as in Go's `crypto/tls`: both are beyond any attack, and
/// SHA-256, which processors compute by themselves, makes a handshake cheaper by a tenth than SHA-384. Clients that want
/// AES-256 offer nothing else.
fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    let with_128 = |suite: &SupportedCipherSuite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        )
    };
    provider.cipher_suites.sort_by_key(|suite| !with_128(suite));
    provider
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheaper_of_two_strong_suites_comes_first_and_none_is_lost() {
        let suites: Vec<_> = provider()
            .cipher_suites
            .iter()
            .map(SupportedCipherSuite::suite)
            .collect();
        let place = |suite| suites.iter().position(|it| *it == suite).unwrap();
        let (small, large) = (
            place(CipherSuite::TLS13_AES_128_GCM_SHA256),
            place(CipherSuite::TLS13_AES_256_GCM_SHA384),
        );
        assert!(small < large);
        assert_eq!(suites.len(), aws_lc_rs::ALL_CIPHER_SUITES.len());
    }
}
