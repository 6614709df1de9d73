//! Who a client is, by its certificate.

use std::fmt::Write;

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::facts::{fingerprint, seconds, serial};

/// A client whose certificate was verified. Texts come from the certificate; what could break a log line is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Distinguished name of the subject (RFC 4514); empty when the certificate has none.
    pub subject: String,
    /// DNS names of the subject alternative names, in order.
    pub dns_names: Vec<String>,
    /// URIs of the subject alternative names, in order; a SPIFFE ID is one.
    pub uris: Vec<String>,
    /// E-mail addresses of the subject alternative names, in order.
    pub emails: Vec<String>,
    /// Serial number, upper-case hexadecimal.
    pub serial: String,
    /// SHA-256 over the DER form, lower-case hexadecimal.
    pub fingerprint: String,
    /// Last second of validity, seconds since 1970. A resumed session does not look at it again: the server must.
    pub not_after: i64,
}

impl Identity {
    /// Reads a verified certificate in DER form. One that only the verifier understands is known by its fingerprint.
    pub fn of(der: &[u8]) -> Self {
        let mut identity = Self {
            fingerprint: fingerprint(der),
            not_after: i64::MAX,
            ..Self::default()
        };
        let Ok(certificate) = Certificate::from_der(der) else {
            return identity;
        };
        let body = certificate.tbs_certificate();
        identity.subject = printable(&body.subject().to_string());
        identity.serial = serial(body);
        identity.not_after = seconds(body.validity().not_after);
        if let Ok(Some((_, names))) = body.get_extension::<SubjectAltName>() {
            for name in &names.0 {
                match name {
                    GeneralName::DnsName(name) => identity.dns_names.push(printable(name.as_str())),
                    GeneralName::UniformResourceIdentifier(name) => {
                        identity.uris.push(printable(name.as_str()));
                    }
                    GeneralName::Rfc822Name(name) => identity.emails.push(printable(name.as_str())),
                    _ => {}
                }
            }
        }
        identity
    }

    /// The one name to call it by: its first URI, else its first DNS name, else its subject, else its fingerprint.
    pub fn name(&self) -> &str {
        let names = self.uris.first().or_else(|| self.dns_names.first());
        match names.unwrap_or(&self.subject) {
            name if name.is_empty() => &self.fingerprint,
            name => name,
        }
    }
}

/// A line of a log stays one line, and a quoted name ends where its quote does.
fn printable(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut safe, character| {
            if character.is_control() || character == '"' {
                let _ = write!(safe, "\\x{:02X}", u32::from(character));
            } else {
                safe.push(character);
            }
            safe
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};
    use rstest::rstest;

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn identity(subject: &str, names: Vec<SanType>) -> Identity {
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        if !subject.is_empty() {
            wanted.distinguished_name.push(DnType::CommonName, subject);
        }
        wanted.subject_alt_names = names;
        wanted.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x0A, 0x0B]));
        let certificate = wanted.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Identity::of(certificate.der())
    }

    #[rstest]
    #[case("svc", vec![dns("one.test"), uri("spiffe://test/one"), uri("spiffe://test/two")], "spiffe://test/one")]
    #[case("svc", vec![dns("one.test"), dns("two.test")], "one.test")]
    #[case("svc", vec![SanType::Rfc822Name("a@b.test".try_into().unwrap())], "CN=svc")]
    #[case("two\nlines \"quoted\"", vec![], "CN=two\\0alines \\\\x22quoted\\\\x22")]
    #[case("svc", vec![uri("urn:\ttab")], "urn:\\x09tab")]
    fn it_is_called_by_its_most_telling_name(
        #[case] subject: &str,
        #[case] names: Vec<SanType>,
        #[case] expected: &str,
    ) {
        assert_eq!(identity(subject, names).name(), expected);
    }

    #[test]
    fn everything_the_certificate_says_is_there() {
        let email = SanType::Rfc822Name("a@b.test".try_into().unwrap());
        let identity = identity("svc", vec![dns("one.test"), uri("urn:one"), email]);
        assert_eq!(
            (
                identity.subject.as_str(),
                identity.serial.as_str(),
                identity.fingerprint.len()
            ),
            ("CN=svc", "0A0B", 64)
        );
        assert_eq!(
            (identity.dns_names, identity.uris, identity.emails),
            (
                vec!["one.test".to_owned()],
                vec!["urn:one".to_owned()],
                vec!["a@b.test".to_owned()]
            )
        );
    }

    #[test]
    fn one_without_a_name_is_called_by_its_fingerprint() {
        let nameless = identity("", vec![]);
        assert_eq!(nameless.name(), nameless.fingerprint);
        assert_eq!(Identity::of(b"junk").name().len(), 64);
    }
}
