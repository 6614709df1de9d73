//! What a certificate says about itself.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::{Certificate, TbsCertificate};

/// What a certificate says about itself, as far as people and metrics want to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Serial number in upper-case hexadecimal, as `openssl x509 -serial` prints it.
    pub serial: String,
    /// SHA-256 over the DER form, lower-case hexadecimal.
    pub fingerprint: String,
    /// First second of validity, seconds since 1970.
    pub not_before: i64,
    /// Last second of validity, seconds since 1970.
    pub not_after: i64,
    /// DNS names of the subject alternative names.
    pub dns_names: Vec<String>,
    /// Distinguished name of the subject (RFC 4514).
    pub subject: String,
}

/// Whether a certificate is valid at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Its first second is yet to come.
    NotYetValid,
    /// Valid.
    Valid,
    /// Its last second is over.
    Expired,
}

impl Facts {
    /// Reads the facts of a certificate in DER form.
    pub(crate) fn of(der: &[u8], certificate: &Certificate) -> Result<Self, x509_cert::der::Error> {
        let body = certificate.tbs_certificate();
        let names = body.get_extension::<SubjectAltName>()?;
        Ok(Self {
            serial: serial(body),
            fingerprint: fingerprint(der),
            not_before: seconds(body.validity().not_before),
            not_after: seconds(body.validity().not_after),
            dns_names: names.map(|(_, names)| dns(&names)).unwrap_or_default(),
            subject: body.subject().to_string(),
        })
    }

    /// Whether the certificate is valid at `now`, seconds since 1970.
    pub fn validity(&self, now: i64) -> Validity {
        if now < self.not_before {
            Validity::NotYetValid
        } else if now > self.not_after {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }
}

/// Serial number in upper-case hexadecimal.
pub(crate) fn serial(body: &TbsCertificate) -> String {
    hex(body.serial_number().as_bytes(), true)
}

/// SHA-256 over the DER form, lower-case hexadecimal.
pub(crate) fn fingerprint(der: &[u8]) -> String {
    hex(&Sha256::digest(der), false)
}

/// Seconds since 1970.
pub(crate) fn seconds(time: x509_cert::time::Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

fn dns(names: &SubjectAltName) -> Vec<String> {
    let dns = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    names.0.iter().filter_map(dns).collect()
}

/// Hexadecimal without separators; a serial loses the zero octet that only keeps it positive.
fn hex(bytes: &[u8], upper: bool) -> String {
    let bytes = match bytes {
        [0, rest @ ..] if upper && !rest.is_empty() => rest,
        bytes => bytes,
    };
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = if upper {
                write!(text, "{byte:02X}")
            } else {
                write!(text, "{byte:02x}")
            };
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use x509_cert::der::Decode;

    #[rstest]
    #[case(99, Validity::NotYetValid)]
    #[case(100, Validity::Valid)]
    #[case(200, Validity::Valid)]
    #[case(201, Validity::Expired)]
    fn validity_includes_its_first_and_last_second(#[case] now: i64, #[case] expected: Validity) {
        let facts = Facts {
            serial: String::new(),
            fingerprint: String::new(),
            not_before: 100,
            not_after: 200,
            dns_names: Vec::new(),
            subject: String::new(),
        };
        assert_eq!(facts.validity(now), expected);
    }

    #[test]
    fn facts_are_the_certificate_s_own() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(vec!["nova.test".to_owned()]).unwrap();
        wanted.serial_number = Some(rcgen::SerialNumber::from_slice(&[0xAB, 0x01]));
        wanted.not_before = rcgen::date_time_ymd(2026, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2027, 1, 1);
        wanted
            .distinguished_name
            .push(rcgen::DnType::CommonName, "nova");
        let certificate = wanted.self_signed(&key).unwrap();
        let facts = Facts::of(
            certificate.der(),
            &Certificate::from_der(certificate.der()).unwrap(),
        )
        .unwrap();
        assert_eq!(facts.serial, "AB01");
        assert_eq!(facts.fingerprint.len(), 64);
        assert_eq!(
            (facts.not_before, facts.not_after),
            (1_767_225_600, 1_798_761_600)
        );
        assert_eq!(facts.dns_names, ["nova.test"]);
        assert!(facts.subject.contains("CN=nova"), "{}", facts.subject);
    }
}
