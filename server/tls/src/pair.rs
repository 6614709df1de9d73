//! A certificate chain with its private key.

use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::sign::SigningKey;
use rustls_pki_types::pem::{self, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Error as DerError};

use crate::pem::sections;
use crate::{Facts, purpose};

/// A certificate chain and the key of its first certificate: what an API is served with.
#[derive(Clone, Debug)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    facts: Facts,
    warnings: Vec<String>,
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
    /// The key belongs to a later certificate of the chain.
    #[error(
        "tls.key is the key of certificate {0} in tls.crt: the server's certificate must come first, then its intermediates"
    )]
    NotFirst(usize),
    /// No client would accept the certificate from a server. Unlike an expired one it cannot have been good before.
    #[error("the certificate in tls.crt is not one for servers, every client would refuse it: {0}")]
    WrongPurpose(&'static str),
}

impl PairError {
    /// The error's name, as conditions and metrics give it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::CertificateInvalid(_) => "CertificateInvalid",
            Self::NoKey | Self::KeyInvalid(_) => "KeyInvalid",
            Self::KeyEncrypted => "KeyEncrypted",
            Self::KeyMismatch => "KeyMismatch",
            Self::NotFirst(_) => "CertificateNotFirst",
            Self::WrongPurpose(_) => "CertificatePurpose",
        }
    }
}

impl Pair {
    /// Reads a PEM chain and a PEM key, and checks that they belong together. Validity in time is not judged here:
    /// see [`Facts::validity`].
    pub fn parse(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, PairError> {
        let invalid =
            |error: &dyn std::fmt::Display| PairError::CertificateInvalid(error.to_string());
        let chain: Vec<_> = sections(certificate_pem, SectionKind::Certificate)
            .map_err(|(position, error)| invalid(&format_args!("section {position}: {error}")))?
            .into_iter()
            .map(CertificateDer::from)
            .collect();
        let first = chain.first().ok_or(PairError::NoCertificate)?;
        let certificate = Certificate::from_der(first).map_err(|error| invalid(&error))?;
        let facts = Facts::of(first, &certificate).map_err(|error| invalid(&error))?;
        let key = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(private_key(key_pem)?)
            .map_err(|error| PairError::KeyInvalid(error.to_string()))?;
        belong_together(&chain, &key)?;
        if let Some(why) = purpose::unfit(&certificate).map_err(|error| invalid(&error))? {
            return Err(PairError::WrongPurpose(why));
        }
        let warnings = doubts(&certificate, &chain).map_err(|error| invalid(&error))?;
        Ok(Self {
            key: Arc::new(CertifiedKey::new(chain, key)),
            facts,
            warnings,
        })
    }

    /// What the first certificate says about itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What some clients will not accept, in words; it is served all the same.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
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

fn belong_together(
    chain: &[CertificateDer<'static>],
    key: &Arc<dyn SigningKey>,
) -> Result<(), PairError> {
    let matches = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(key)).keys_match()
    };
    let Some((first, rest)) = chain.split_first() else {
        return Err(PairError::NoCertificate);
    };
    match matches(first) {
        Ok(()) => Ok(()),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            match rest.iter().position(|other| matches(other).is_ok()) {
                Some(index) => Err(PairError::NotFirst(index + 2)),
                None => Err(PairError::KeyMismatch),
            }
        }
        Err(rustls::Error::InvalidCertificate(error)) => {
            Err(PairError::CertificateInvalid(format!("{error:?}")))
        }
        Err(error) => Err(PairError::KeyInvalid(error.to_string())),
    }
}

fn doubts(first: &Certificate, chain: &[CertificateDer<'_>]) -> Result<Vec<String>, DerError> {
    let mut doubts = purpose::doubts(first)?;
    // One that only clients understand is theirs to judge.
    let known: Result<Vec<_>, _> = chain.iter().map(|der| Certificate::from_der(der)).collect();
    for (index, pair) in known.unwrap_or_default().windows(2).enumerate() {
        if pair[0].tbs_certificate().issuer() != pair[1].tbs_certificate().subject() {
            doubts.push(format!(
                "certificate {} in tls.crt did not sign the one before it: some clients will not find their way",
                index + 2
            ));
        }
    }
    Ok(doubts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedKey as Issued, ExtendedKeyUsagePurpose, IsCa,
        KeyPair, KeyUsagePurpose, generate_simple_self_signed,
    };
    use rstest::rstest;

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
        assert_eq!(pair.warnings(), [""; 0]);
    }

    /// A certificate with its key, changed before it is signed by itself.
    fn made(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(vec!["nova.test".to_owned()]).unwrap();
        change(&mut wanted);
        (wanted.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[rstest]
    #[case(vec![ExtendedKeyUsagePurpose::ClientAuth], vec![], Some("serverAuth"))]
    #[case(vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth], vec![], None)]
    #[case(vec![ExtendedKeyUsagePurpose::Any], vec![], None)]
    #[case(vec![], vec![KeyUsagePurpose::KeyCertSign], Some("neither digitalSignature"))]
    #[case(vec![], vec![KeyUsagePurpose::KeyEncipherment], None)]
    fn one_that_no_client_would_take_is_refused(
        #[case] purposes: Vec<ExtendedKeyUsagePurpose>,
        #[case] usages: Vec<KeyUsagePurpose>,
        #[case] expected: Option<&str>,
    ) {
        let (certificate, key) = made(|wanted| {
            wanted.extended_key_usages = purposes;
            wanted.key_usages = usages;
        });
        let parsed = Pair::parse(certificate.as_bytes(), key.as_bytes());
        match expected {
            None => assert!(parsed.is_ok(), "{parsed:?}"),
            Some(expected) => {
                let error = parsed.unwrap_err();
                assert_eq!(error.reason(), "CertificatePurpose");
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
    }

    #[test]
    fn what_some_clients_refuse_is_a_warning() {
        let (certificate, key) = made(|wanted| {
            wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            wanted.subject_alt_names.clear();
            wanted.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
        });
        let pair = Pair::parse(certificate.as_bytes(), key.as_bytes()).unwrap();
        let warnings = pair.warnings().join("; ");
        for expected in [
            "is a CA certificate",
            "no subject alternative name",
            "without digitalSignature",
        ] {
            assert!(warnings.contains(expected), "{warnings}");
        }
    }

    #[test]
    fn a_chain_in_another_order_is_said() {
        let (other, _) = made(|wanted| {
            wanted
                .distinguished_name
                .push(rcgen::DnType::CommonName, "somebody else");
        });
        let (certificate, key) = issued();
        let stranger = format!("{certificate}{other}");
        let pair = Pair::parse(stranger.as_bytes(), key.as_bytes()).unwrap();
        assert!(
            pair.warnings()[0].starts_with("certificate 2 in tls.crt did not sign"),
            "{:?}",
            pair.warnings()
        );
        let backwards = format!("{other}{certificate}");
        assert_eq!(refused(&backwards, &key), PairError::NotFirst(2));
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
