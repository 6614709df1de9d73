//! Whether clients will take a certificate for a server's.

use x509_cert::Certificate;
use x509_cert::der::Error;
use x509_cert::der::oid::db::rfc5280::{ANY_EXTENDED_KEY_USAGE, ID_KP_SERVER_AUTH};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

/// Why no client would accept this certificate from a server; `None` when its extensions allow it.
pub(crate) fn unfit(certificate: &Certificate) -> Result<Option<&'static str>, Error> {
    let body = certificate.tbs_certificate();
    if let Some((_, purposes)) = body.get_extension::<ExtendedKeyUsage>()?
        && !purposes.0.contains(&ID_KP_SERVER_AUTH)
        && !purposes.0.contains(&ANY_EXTENDED_KEY_USAGE)
    {
        return Ok(Some("its extended key usage does not include serverAuth"));
    }
    if let Some((_, usage)) = body.get_extension::<KeyUsage>()?
        && !(usage.digital_signature() || usage.key_encipherment() || usage.key_agreement())
    {
        return Ok(Some(
            "its key usage allows neither digitalSignature nor keyEncipherment nor keyAgreement",
        ));
    }
    Ok(None)
}

/// What some clients will not accept.
pub(crate) fn doubts(certificate: &Certificate) -> Result<Vec<String>, Error> {
    let body = certificate.tbs_certificate();
    let mut doubts = Vec::new();
    if is_authority(certificate)? {
        doubts.push(
            "the server's certificate is a CA certificate, which strict clients refuse: issue one from it".to_owned(),
        );
    }
    if body
        .get_extension::<SubjectAltName>()?
        .is_none_or(|(_, names)| names.0.is_empty())
    {
        doubts.push(
            "the server's certificate has no subject alternative name, the only place where clients look for the host"
                .to_owned(),
        );
    }
    if let Some((_, usage)) = body.get_extension::<KeyUsage>()?
        && !usage.digital_signature()
    {
        doubts.push(
            "the server's certificate has a key usage without digitalSignature, which strict clients want".to_owned(),
        );
    }
    Ok(doubts)
}

/// Whether a certificate may sign others.
pub(crate) fn is_authority(certificate: &Certificate) -> Result<bool, Error> {
    let constraints = certificate
        .tbs_certificate()
        .get_extension::<BasicConstraints>()?;
    Ok(constraints.is_some_and(|(_, constraints)| constraints.ca))
}
