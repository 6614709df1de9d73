//! The authorities that sign the clients' certificates.

use std::sync::Arc;

use rustls::RootCertStore;

use crate::pair::certificates;

/// A bundle of authorities.
#[derive(Clone, Debug)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
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
        let bundle = certificates(ca_pem)
            .map_err(|(position, error)| invalid(position, error.to_string()))?;
        let mut roots = RootCertStore::empty();
        for (index, certificate) in bundle.into_iter().enumerate() {
            roots
                .add(certificate)
                .map_err(|error| invalid(index + 1, error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        Ok(Self {
            roots: Arc::new(roots),
        })
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_without_certificates_is_refused() {
        assert_eq!(
            Authorities::parse(b"").unwrap_err(),
            AuthoritiesError::Empty
        );
        assert_eq!(
            Authorities::parse(b"junk").unwrap_err(),
            AuthoritiesError::Empty
        );
    }

    #[test]
    fn one_bad_certificate_refuses_the_bundle() {
        let good = rcgen::generate_simple_self_signed(vec!["ca.test".to_owned()]).unwrap();
        let bundle = format!(
            "{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            good.cert.pem()
        );
        let error = Authorities::parse(bundle.as_bytes()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("certificate 2 of the CA bundle"),
            "{error}"
        );
    }
}
