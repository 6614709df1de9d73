//! A certificate chain with its private key.

use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Facts;

/// A certificate chain and the key of its first certificate: what an API is served with.
#[derive(Clone, Debug)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    facts: Facts,
}

/// Why a certificate and a key cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// `tls.crt` holds no PEM certificate.
    #[error(
        "tls.crt holds no certificate: it must be PEM, the server's certificate first, then its intermediates"
    )]
    NoCertificate,
    /// `tls.crt` holds something that is not a certificate.
    #[error("tls.crt cannot be read: {0}")]
    CertificateInvalid(String),
    /// `tls.key` holds no PEM key.
    #[error("tls.key holds no private key: it must be PEM (PKCS#8, PKCS#1 or SEC 1)")]
    NoKey,
    /// `tls.key` is protected by a passphrase.
    #[error("tls.key is encrypted: store it without a passphrase")]
    KeyEncrypted,
    /// `tls.key` holds a key that cannot sign here.
    #[error("tls.key cannot be used: {0}")]
    KeyInvalid(String),
    /// The two do not belong together.
    #[error(
        "tls.key is not the key of the first certificate in tls.crt: store the two from one issue together"
    )]
    KeyMismatch,
}

impl PairError {
    /// The error's name, as conditions and metrics give it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::CertificateInvalid(_) => "CertificateInvalid",
            Self::NoKey | Self::KeyInvalid(_) => "KeyInvalid",
            Self::KeyEncrypted => "KeyEncrypted",
            Self::KeyMismatch => "KeyMismatch",
        }
    }
}

impl Pair {
    /// Reads a PEM chain and a PEM key, and checks that they belong together. Validity in time is not judged here:
    /// see [`Facts::validity`].
    pub fn parse(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, PairError> {
        let chain = CertificateDer::pem_slice_iter(certificate_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| PairError::CertificateInvalid(error.to_string()))?;
        let first = chain.first().ok_or(PairError::NoCertificate)?;
        let facts =
            Facts::of(first).map_err(|error| PairError::CertificateInvalid(error.to_string()))?;
        let key = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(private_key(key_pem)?)
            .map_err(|error| PairError::KeyInvalid(error.to_string()))?;
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(PairError::KeyMismatch);
            }
            Err(rustls::Error::InvalidCertificate(error)) => {
                return Err(PairError::CertificateInvalid(format!("{error:?}")));
            }
            Err(error) => return Err(PairError::KeyInvalid(error.to_string())),
        }
        Ok(Self {
            key: Arc::new(key),
            facts,
        })
    }

    /// What the first certificate says about itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PairError> {
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) if is_encrypted(text) => {
            drop(key);
            Err(PairError::KeyEncrypted)
        }
        Ok(key) => Ok(key),
        Err(_) if is_encrypted(text) => Err(PairError::KeyEncrypted),
        Err(pem::Error::NoItemsFound) => Err(PairError::NoKey),
        Err(error) => Err(PairError::KeyInvalid(error.to_string())),
    }
}

/// PKCS#8 says it in the label, the older forms in a header that PEM readers pass over.
fn is_encrypted(text: &[u8]) -> bool {
    let has = |needle: &[u8]| text.windows(needle.len()).any(|window| window == needle);
    has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED")
}

/// The certificates of a PEM text, whatever else is in it; or which section, from 1, cannot be read.
pub(crate) fn certificates(
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, (usize, pem::Error)> {
    let mut found = Vec::new();
    for (index, section) in <(SectionKind, Vec<u8>)>::pem_slice_iter(text).enumerate() {
        match section {
            Ok((SectionKind::Certificate, der)) => found.push(CertificateDer::from(der)),
            Ok(_) => {}
            Err(error) => return Err((index + 1, error)),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey as Issued, KeyPair, generate_simple_self_signed};

    fn issued() -> (String, String) {
        let Issued { cert, signing_key } =
            generate_simple_self_signed(vec!["nova.test".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn refused(certificate: &str, key: &str) -> PairError {
        Pair::parse(certificate.as_bytes(), key.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_matching_pair_is_taken() {
        let (certificate, key) = issued();
        let pair = Pair::parse(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(pair.facts().dns_names, ["nova.test"]);
    }

    #[test]
    fn another_key_is_a_mismatch() {
        let (certificate, _) = issued();
        let other = KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(refused(&certificate, &other), PairError::KeyMismatch);
    }

    #[test]
    fn every_fault_has_its_own_error() {
        let (certificate, key) = issued();
        assert_eq!(refused("", &key), PairError::NoCertificate);
        assert_eq!(refused("junk", &key), PairError::NoCertificate);
        assert_eq!(refused(&key, &key), PairError::NoCertificate);
        assert_eq!(refused(&certificate, ""), PairError::NoKey);
        assert_eq!(refused(&certificate, &certificate), PairError::NoKey);
        let torn = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(refused(torn, &key).reason(), "CertificateInvalid");
        let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(refused(&certificate, junk).reason(), "KeyInvalid");
    }

    #[test]
    fn an_encrypted_key_is_named_as_such() {
        let (certificate, key) = issued();
        let pkcs8 =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(refused(&certificate, pkcs8), PairError::KeyEncrypted);
        let legacy = key.replacen(
            '\n',
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
            1,
        );
        assert_eq!(refused(&certificate, &legacy), PairError::KeyEncrypted);
    }
}
