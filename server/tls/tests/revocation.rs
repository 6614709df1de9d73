//! Which revocation lists are taken, and what is said of the others.

#![cfg(test)]

use kilonova_tls::{Authorities, RevocationError, RevocationLists};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rstest::rstest;

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        Self::with_usages(name, &[])
    }

    fn with_usages(name: &str, usages: &[KeyUsagePurpose]) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::default();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.distinguished_name.push(DnType::CommonName, name);
        wanted.key_usages = usages.to_vec();
        let pem = wanted.self_signed(&key).unwrap().pem();
        // What it may do is for readers to check: here it does everything.
        wanted.key_usages.clear();
        Self {
            pem,
            issuer: Issuer::new(wanted, key),
        }
    }

    /// A list of that year, good for one more, with so many revoked certificates.
    fn list(&self, year: i32, revoked: u8) -> String {
        CertificateRevocationListParams {
            this_update: date_time_ymd(year, 1, 1),
            next_update: date_time_ymd(year + 1, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: (1..=revoked)
                .map(|serial| RevokedCertParams {
                    serial_number: SerialNumber::from(u64::from(serial)),
                    revocation_time: date_time_ymd(year, 1, 1),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }
}

fn parse(lists: &str, bundle: &[&Authority]) -> Result<RevocationLists, RevocationError> {
    let bundle: String = bundle.iter().map(|one| one.pem.as_str()).collect();
    let authorities = Authorities::parse(bundle.as_bytes()).unwrap();
    RevocationLists::parse(lists.as_bytes(), &authorities)
}

#[test]
fn lists_of_several_authorities_stand_in_one_file() {
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let lists = parse(&(one.list(2026, 2) + &two.list(2025, 1)), &[&one, &two]).unwrap();
    assert_eq!((lists.revoked(), lists.warnings().len()), (3, 0));
    // The first that should have been replaced: on 1 January 2026.
    assert_eq!(lists.next_update(), Some(1_767_225_600));
}

#[rstest]
#[case("")]
#[case("junk")]
#[case("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
fn a_file_without_lists_is_refused(#[case] text: &str) {
    let error = parse(text, &[&Authority::new("one")]).unwrap_err();
    assert_eq!(error, RevocationError::Empty);
}

#[test]
fn one_bad_list_refuses_the_file() {
    let one = Authority::new("one");
    let torn = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
    let error = parse(&(one.list(2026, 1) + torn), &[&one]).unwrap_err();
    assert!(
        error.to_string().starts_with("CRL 2 cannot be read"),
        "{error}"
    );
}

#[test]
fn a_list_that_would_lock_its_authority_s_clients_out_is_refused() {
    let (real, impostor) = (Authority::new("one"), Authority::new("one"));
    let error = parse(&impostor.list(2026, 1), &[&real]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("CRL 1 goes by the name of CN=one, but no CA certificate"),
        "{error}"
    );
    let unable = Authority::with_usages("one", &[KeyUsagePurpose::KeyCertSign]);
    let error = parse(&unable.list(2026, 1), &[&unable]).unwrap_err();
    assert_eq!(error.reason(), "CRLNotOfCA");
    let able = Authority::with_usages("one", &[KeyUsagePurpose::CrlSign]);
    assert!(parse(&able.list(2026, 1), &[&able]).is_ok());
}

#[test]
fn an_authority_with_two_keys_is_refused() {
    let (old, new) = (Authority::new("one"), Authority::new("one"));
    let error = parse(&new.list(2026, 1), &[&old, &new]).unwrap_err();
    assert!(
        error.to_string().contains("with two different keys"),
        "{error}"
    );
    // Its certificate alone may be renewed.
    assert!(parse(&new.list(2026, 1), &[&new, &new]).is_ok());
}

#[test]
fn what_does_not_do_what_it_seems_to_is_said() {
    let (one, other) = (Authority::new("one"), Authority::new("other"));
    let foreign = parse(&other.list(2026, 1), &[&one]).unwrap();
    assert!(
        foreign.warnings()[0].starts_with("no CRL is of a CA of the CA bundle"),
        "{:?}",
        foreign.warnings()
    );
    let twice = parse(&(one.list(2025, 1) + &one.list(2026, 1)), &[&one]).unwrap();
    assert!(
        twice.warnings()[0].starts_with("there are several CRLs of CN=one"),
        "{:?}",
        twice.warnings()
    );
}
