//! Which clients' certificates are revoked.
//!
//! The rules, which the user documentation repeats:
//! * Only the client's own certificate is looked up, not the intermediates it came with.
//! * It is looked up in the list of the authority that signed it. When there is none the client is let in: a list of
//!   another authority must not lock everybody out.
//! * Of several lists of one authority the newest counts.
//! * A list that has expired (its nextUpdate is over) still counts.
//! * A list that would lock clients out, because it cannot be read or checked, is refused before any client meets it.

use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::SectionKind;
use x509_cert::crl::CertificateList;
use x509_cert::der::{Decode, Encode, Error as DerError, Reader, SliceReader};
use x509_cert::ext::pkix::KeyUsage;

use crate::Authorities;
use crate::authorities::Authority;
use crate::facts::seconds;
use crate::pem::sections;

/// Certificate revocation lists, the newest first.
#[derive(Clone, Debug)]
pub struct RevocationLists {
    lists: Vec<CertificateRevocationListDer<'static>>,
    next_update: Option<i64>,
    revoked: usize,
    warnings: Vec<String>,
}

/// Why a file of lists cannot be used. Nothing of it is used then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// There is no list in it.
    #[error("there is no CRL in it: it must be PEM, one or more sections X509 CRL")]
    Empty,
    /// One of its lists cannot be read.
    #[error("CRL {position} cannot be read: {message}")]
    Invalid {
        /// Its place in the file, from 1.
        position: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The authority by whose name the list goes did not sign it, or may not sign any.
    #[error(
        "CRL {position} goes by the name of {issuer}, but no CA certificate of that name in the CA bundle signed it and may sign CRLs: every client of that CA would be refused"
    )]
    NotSigned {
        /// Its place in the file, from 1.
        position: usize,
        /// The name (RFC 4514).
        issuer: String,
    },
    /// Two authorities of one name and different keys, of which a list can be checked with one only.
    #[error(
        "the CA bundle holds {issuer} with two different keys, and CRL {position} is signed with one of them: every client of the other would be refused; give a new CA key a new name, or take the old one out"
    )]
    TwoKeys {
        /// Its place in the file, from 1.
        position: usize,
        /// The name (RFC 4514).
        issuer: String,
    },
}

impl RevocationError {
    /// The error's name, as conditions and metrics give it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Empty => "CRLEmpty",
            Self::Invalid { .. } => "CRLInvalid",
            Self::NotSigned { .. } | Self::TwoKeys { .. } => "CRLNotOfCA",
        }
    }
}

impl RevocationLists {
    /// Reads a PEM file of lists for the clients of these authorities.
    pub fn parse(crl_pem: &[u8], authorities: &Authorities) -> Result<Self, RevocationError> {
        let invalid = |position, error: &dyn std::fmt::Display| RevocationError::Invalid {
            position,
            message: error.to_string(),
        };
        let found = sections(crl_pem, SectionKind::Crl)
            .map_err(|(position, error)| invalid(position, &error))?;
        let mut lists = Vec::new();
        for (index, der) in found.into_iter().enumerate() {
            let position = index + 1;
            let list =
                CertificateList::from_der(&der).map_err(|error| invalid(position, &error))?;
            fits(position, &der, &list, authorities)?;
            let der = CertificateRevocationListDer::from(der);
            readable(&der, authorities).map_err(|error| invalid(position, &error))?;
            lists.push((list, der));
        }
        if lists.is_empty() {
            return Err(RevocationError::Empty);
        }
        // The verifier takes the first list of an authority that it finds.
        lists.sort_by_key(|(list, _)| std::cmp::Reverse(seconds(list.tbs_cert_list.this_update)));
        let bodies = || lists.iter().map(|(list, _)| &list.tbs_cert_list);
        Ok(Self {
            next_update: bodies()
                .filter_map(|body| Some(seconds(body.next_update?)))
                .min(),
            revoked: bodies()
                .map(|body| body.revoked_certificates.as_ref().map_or(0, Vec::len))
                .sum(),
            warnings: warnings(bodies().map(|body| &body.issuer), authorities),
            lists: lists.into_iter().map(|(_, der)| der).collect(),
        })
    }

    /// When the first of them should have been replaced, seconds since 1970.
    pub fn next_update(&self) -> Option<i64> {
        self.next_update
    }

    /// How many certificates are revoked.
    pub fn revoked(&self) -> usize {
        self.revoked
    }

    /// What is odd about the lists, in words; they are used all the same.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn lists(&self) -> &[CertificateRevocationListDer<'static>] {
        &self.lists
    }
}

fn warnings<'a>(
    issuers: impl Iterator<Item = &'a x509_cert::name::Name>,
    authorities: &Authorities,
) -> Vec<String> {
    let mut seen = Vec::new();
    let mut warnings = Vec::new();
    for issuer in issuers {
        if seen.contains(&issuer) {
            warnings.push(format!(
                "there are several CRLs of {issuer}: the newest counts"
            ));
        }
        seen.push(issuer);
    }
    let of_the_bundle =
        |issuer: &&x509_cert::name::Name| named(authorities, issuer).next().is_some();
    if !seen.iter().any(of_the_bundle) {
        warnings.push(
            "no CRL is of a CA of the CA bundle: clients that such a CA has signed cannot be revoked".to_owned(),
        );
    }
    warnings
}

/// Whether the lists of these authorities' clients can be checked with them. One of an authority that is not in the
/// bundle is the list of an intermediate that clients bring along.
fn fits(
    position: usize,
    der: &[u8],
    list: &CertificateList,
    authorities: &Authorities,
) -> Result<(), RevocationError> {
    let issuer = &list.tbs_cert_list.issuer;
    let mut good = 0;
    let mut others = 0;
    for authority in named(authorities, issuer) {
        if may_sign_lists(authority) && signed(der, list, authority) {
            good += 1;
        } else {
            others += 1;
        }
    }
    let issuer = issuer.to_string();
    match (good, others) {
        (_, 0) => Ok(()),
        (0, _) => Err(RevocationError::NotSigned { position, issuer }),
        _ => Err(RevocationError::TwoKeys { position, issuer }),
    }
}

fn named<'a>(
    authorities: &'a Authorities,
    name: &'a x509_cert::name::Name,
) -> impl Iterator<Item = &'a Authority> {
    let bundle = authorities.known().iter();
    bundle.filter(move |authority| authority.certificate.tbs_certificate().subject() == name)
}

fn may_sign_lists(authority: &Authority) -> bool {
    let usage = authority
        .certificate
        .tbs_certificate()
        .get_extension::<KeyUsage>();
    matches!(usage, Ok(None)) || matches!(usage, Ok(Some((_, usage))) if usage.crl_sign())
}

fn signed(der: &[u8], list: &CertificateList, authority: &Authority) -> bool {
    let key = authority
        .certificate
        .tbs_certificate()
        .subject_public_key_info();
    let (Ok(body), Ok(algorithm), Some(key), Some(signature)) = (
        signed_part(der),
        key.algorithm.to_der(),
        key.subject_public_key.as_bytes(),
        list.signature.as_bytes(),
    ) else {
        return false;
    };
    let provider = aws_lc_rs::default_provider();
    let algorithms = provider.signature_verification_algorithms.all;
    algorithms
        .iter()
        // The crypto library names algorithms without the outer tag and length, which are two octets here.
        .filter(|known| algorithm.get(2..) == Some(known.public_key_alg_id().as_ref()))
        .any(|known| known.verify_signature(key, body, signature).is_ok())
}

/// The bytes of a list that are signed.
fn signed_part(der: &[u8]) -> Result<&[u8], DerError> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|reader| {
        let body = reader.tlv_bytes()?;
        reader.tlv_bytes()?;
        reader.tlv_bytes()?;
        Ok(body)
    })
}

/// What the verifier itself has against a list: it knows neither indirect nor delta lists.
fn readable(
    list: &CertificateRevocationListDer<'static>,
    authorities: &Authorities,
) -> Result<(), rustls::server::VerifierBuilderError> {
    let provider = std::sync::Arc::new(aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(authorities.roots(), provider)
        .with_crls([list.clone()])
        .build()
        .map(drop)
}
