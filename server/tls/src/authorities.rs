//! The authorities that sign the clients' certificates.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::SectionKind;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use crate::Facts;
use crate::pem::sections;
use crate::purpose;

/// A bundle of authorities. Like every anchor of trust they count for as long as they are in the bundle: their dates
/// are not looked at when a client comes, only reported.
#[derive(Clone, Debug)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    known: Vec<Authority>,
    warnings: Vec<String>,
}

/// One of them, as far as it can be read.
#[derive(Clone, Debug)]
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    facts: Facts,
}

/// Why a bundle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// There is no certificate in it.
    #[error("the CA bundle holds no certificate: it must be PEM, one or more CA certificates")]
    Empty,
    /// One of its certificates cannot be read. Nothing of the bundle is used: a client must not be refused because
    /// of an authority that silently fell out.
    #[error("certificate {position} of the CA bundle cannot be read: {message}")]
    Invalid {
        /// Its place in the bundle, from 1.
        position: usize,
        /// What is wrong with it.
        message: String,
    },
}

impl AuthoritiesError {
    /// The error's name, as conditions and metrics give it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "ClientCAEmpty",
            Self::Invalid { .. } => "ClientCAInvalid",
        }
    }
}

impl Authorities {
    /// Reads a PEM bundle.
    pub fn parse(ca_pem: &[u8]) -> Result<Self, AuthoritiesError> {
        let invalid = |position, message: String| AuthoritiesError::Invalid { position, message };
        let bundle = sections(ca_pem, SectionKind::Certificate)
            .map_err(|(position, error)| invalid(position, error.to_string()))?;
        let mut roots = RootCertStore::empty();
        let mut known = Vec::new();
        let mut warnings = Vec::new();
        for (index, der) in bundle.into_iter().enumerate() {
            // What only the verifier can read is trusted all the same; there is just less to be said of it.
            if let Ok(certificate) = Certificate::from_der(&der)
                && let Ok(facts) = Facts::of(&der, &certificate)
            {
                if !purpose::is_authority(&certificate).unwrap_or(true) {
                    warnings.push(format!(
                        "certificate {} of the CA bundle ({}) is not a CA certificate: no client's certificate can be signed by it",
                        index + 1,
                        facts.subject
                    ));
                }
                known.push(Authority { certificate, facts });
            }
            roots
                .add(CertificateDer::from(der))
                .map_err(|error| invalid(index + 1, error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        Ok(Self {
            roots: Arc::new(roots),
            known,
            warnings,
        })
    }

    /// The authority whose validity ends first.
    pub fn earliest(&self) -> Option<&Facts> {
        let facts = self.known.iter().map(|authority| &authority.facts);
        facts.min_by_key(|facts| facts.not_after)
    }

    /// What is odd about the bundle, in words; it is used all the same.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }

    pub(crate) fn known(&self) -> &[Authority] {
        &self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};

    fn authority(name: &str, until: i32) -> String {
        let mut wanted = CertificateParams::default();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.distinguished_name.push(DnType::CommonName, name);
        wanted.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        wanted.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        let key = KeyPair::generate().unwrap().serialize_pem();
        for text in ["", "junk", &key] {
            assert_eq!(
                Authorities::parse(text.as_bytes()).unwrap_err(),
                AuthoritiesError::Empty
            );
        }
    }

    #[test]
    fn one_bad_certificate_refuses_the_bundle() {
        let bundle = format!(
            "{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            authority("one", 2099)
        );
        let error = Authorities::parse(bundle.as_bytes()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("certificate 2 of the CA bundle"),
            "{error}"
        );
    }

    #[test]
    fn the_first_to_expire_is_known() {
        let bundle = authority("late", 2099) + &authority("soon", 2098);
        let authorities = Authorities::parse(bundle.as_bytes()).unwrap();
        assert_eq!(authorities.earliest().unwrap().subject, "CN=soon");
        assert_eq!(authorities.warnings(), [""; 0]);
    }

    #[test]
    fn one_that_is_no_authority_is_said() {
        let leaf = rcgen::generate_simple_self_signed(vec!["leaf.test".to_owned()]).unwrap();
        let bundle = authority("ca", 2099) + &leaf.cert.pem();
        let authorities = Authorities::parse(bundle.as_bytes()).unwrap();
        assert!(
            authorities.warnings()[0].starts_with("certificate 2 of the CA bundle (CN="),
            "{:?}",
            authorities.warnings()
        );
    }
}
