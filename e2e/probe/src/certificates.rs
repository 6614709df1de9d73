//! An authority of our own, and what it signs.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(Vec::new()).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = wanted.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(wanted, key),
        }
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Signs a certificate for these names, valid from the first day of one year to that of another.
    pub fn issue(&self, names: &[&str], years: (i32, i32)) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut wanted =
            CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())
                .unwrap();
        wanted.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        Issued {
            certificate: wanted.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority, and has a certificate or none.
    pub fn client(&self, identity: Option<&Issued>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(
                    vec![der(&identity.certificate)],
                    PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
                )
                .unwrap(),
        }
    }
}

impl Issued {
    /// A certificate for `nova.test` that is valid for long.
    pub fn valid(authority: &Authority) -> Self {
        authority.issue(&["nova.test"], (2020, 2099))
    }

    /// The certificate in DER form.
    pub fn der(&self) -> Vec<u8> {
        der(&self.certificate).to_vec()
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
