//! An authority of our own, and what it signs.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority.
pub struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
    /// What stands between what it signs and its root, in PEM.
    intermediates: String,
}

/// A certificate and its key, in PEM.
#[derive(Debug)]
pub struct Issued {
    /// The certificate, and the intermediates that lead to the root.
    pub certificate: String,
    /// The key.
    pub key: String,
    /// The serial number.
    pub serial: Vec<u8>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        Self::made(|_| {})
    }

    /// A new one of that name. Others all have the same one.
    pub fn named(name: &str) -> Self {
        Self::made(|wanted| wanted.distinguished_name.push(DnType::CommonName, name))
    }

    /// A new one that differs from others.
    pub fn made(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(Vec::new()).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut wanted);
        let certificate = wanted.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(wanted, key),
            intermediates: String::new(),
        }
    }

    /// One below this one; what it signs brings the certificate of the one below along.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(Vec::new()).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.distinguished_name.push(DnType::CommonName, name);
        let certificate = wanted.signed_by(&key, &self.issuer).unwrap();
        Self {
            intermediates: certificate.pem() + &self.intermediates,
            certificate,
            issuer: Issuer::new(wanted, key),
        }
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Its own certificate in DER form.
    pub fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    /// Signs a certificate for these names, valid from the first day of one year to that of another.
    pub fn issue(&self, names: &[&str], years: (i32, i32)) -> Issued {
        self.issue_with(names, |wanted| {
            wanted.not_before = date_time_ymd(years.0, 1, 1);
            wanted.not_after = date_time_ymd(years.1, 1, 1);
        })
    }

    /// Signs a certificate for these names that differs from others.
    pub fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let key = KeyPair::generate().unwrap();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut wanted = CertificateParams::new(names).unwrap();
        // The first coordinate of the public key is as good as random; a serial number must be positive.
        let mut serial = key.public_key_raw()[1..17].to_vec();
        serial[0] = serial[0] & 0x7F | 0x40;
        wanted.serial_number = Some(SerialNumber::from_slice(&serial));
        change(&mut wanted);
        let certificate = wanted.signed_by(&key, &self.issuer).unwrap().pem();
        Issued {
            certificate: certificate + &self.intermediates,
            key: key.serialize_pem(),
            serial,
        }
    }

    /// A revocation list in PEM, issued on the first day of one year and to be replaced on that of another.
    pub fn revoke(&self, revoked: &[&Issued], years: (i32, i32)) -> String {
        let issued_at = date_time_ymd(years.0, 1, 1);
        let revoked = revoked.iter().map(|one| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&one.serial),
            revocation_time: issued_at,
            reason_code: None,
            invalidity_date: None,
        });
        let wanted = CertificateRevocationListParams {
            this_update: issued_at,
            next_update: date_time_ymd(years.1, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        wanted.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    /// A client that trusts this authority, and has a certificate or none. Its copies resume each other's sessions.
    pub fn client(&self, identity: Option<&Issued>) -> ClientConfig {
        self.client_speaking(DEFAULT_VERSIONS, identity)
    }

    /// A client that trusts any of these authorities, and has a certificate or none.
    pub fn client_of(trusted: &[&Self], identity: Option<&Issued>) -> ClientConfig {
        Self::client_with(trusted, DEFAULT_VERSIONS, identity)
    }

    /// A client that speaks these versions of TLS alone.
    pub fn client_speaking(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Issued>,
    ) -> ClientConfig {
        Self::client_with(&[self], versions, identity)
    }

    fn client_with(
        trusted: &[&Self],
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<&Issued>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for authority in trusted {
            roots.add(authority.certificate.der().clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
                builder
                    .with_client_auth_cert(
                        chain.collect::<Result<_, _>>().unwrap(),
                        PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap(),
                    )
                    .unwrap()
            }
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
