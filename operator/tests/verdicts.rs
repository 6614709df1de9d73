//! What is said of certificates, authorities and revocation lists.

#![allow(clippy::unwrap_used, clippy::panic)]

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kilonova_operator::api::ApiService;
use kilonova_operator::tls::{Secrets, judge};
use kilonova_operator::verdict::{Verdict, holds_for};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use rstest::rstest;

/// The first day of 2026.
const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

/// A certificate for these names, valid until the end of 2030, and its key.
fn pair(names: &[&str]) -> [(&'static str, String); 2] {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut wanted = CertificateParams::new(names).unwrap();
    wanted.not_before = date_time_ymd(2020, 1, 1);
    wanted.not_after = date_time_ymd(2030, 12, 31);
    let certificate = wanted.self_signed(&key).unwrap();
    [
        ("tls.crt", certificate.pem()),
        ("tls.key", key.serialize_pem()),
    ]
}

/// An authority that ends on this day of 2026.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

fn authority(name: &str, month: u8, day: u8) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2026, month, day);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { params, key, pem }
}

impl Authority {
    /// A list of nobody, to be replaced at the beginning of this year.
    fn list(&self, next: i32) -> String {
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.params, &self.key);
        list.signed_by(&issuer).unwrap().pem().unwrap()
    }
}

fn secret(secrets: &mut Secrets, name: &str, data: &[(&str, String)]) {
    let data = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    let mut secret = Secret {
        data: Some(data.collect()),
        ..Secret::default()
    };
    secret.metadata.name = Some(name.to_owned());
    secrets.insert(name.to_owned(), secret);
}

fn judged(tls: &str, secrets: &Secrets, now: i64) -> Verdict {
    let service: ApiService = serde_yaml::from_str(&format!(
        "{{apiVersion: kilonova.dev/v1alpha1, kind: ApiService, metadata: {{name: nova, namespace: cloud, uid: u}}, \
         spec: {{apis: [{{name: metadata, tls: {tls}}}]}}}}"
    ))
    .unwrap();
    let verdicts = judge(&service, secrets, Timestamp::from_second(now).unwrap());
    verdicts.into_iter().next().unwrap()
}

/// Reason of what blocks, and of what is only said.
fn reasons(verdict: &Verdict) -> (Option<&str>, Vec<&str>) {
    let warnings = verdict.warnings.iter().map(|warning| warning.reason);
    (
        verdict.problem.as_ref().map(|problem| problem.reason),
        warnings.collect(),
    )
}

#[rstest]
#[case(&["nova-metadata.cloud.svc"], &[])]
#[case(&["*.cloud.svc.cluster.local"], &[])]
#[case(&["nova-metadata"], &[])]
#[case(&["nova.example.com"], &["CertificateNamesOther"])]
fn a_certificate_should_name_the_service(#[case] names: &[&str], #[case] said: &[&str]) {
    let mut secrets = Secrets::new();
    secret(&mut secrets, "a", &pair(names));
    let verdict = judged("{secretName: a}", &secrets, NOW);
    assert_eq!(reasons(&verdict), (None, said.to_vec()));
}

const CLIENTS: &str = "{secretName: a, clientAuth: {caSecretName: ca}}";

#[test]
fn an_authority_that_ends_is_spoken_of_thirty_days_before() {
    let mut secrets = Secrets::new();
    secret(&mut secrets, "a", &pair(&["nova-metadata.cloud.svc"]));
    // The last second of an authority that ends on the 1st of March is that day's first.
    let (old, new) = (authority("old", 3, 1), authority("new", 12, 1));
    secret(
        &mut secrets,
        "ca",
        &[("ca.crt", format!("{}{}", old.pem, new.pem))],
    );
    let end = NOW + 59 * DAY;
    let at = |now| judged(CLIENTS, &secrets, now);
    assert_eq!(reasons(&at(end - 30 * DAY - 1)), (None, vec![]));
    let next = holds_for(&[at(NOW)], Timestamp::from_second(NOW).unwrap());
    assert_eq!(next.map(|next| next.as_secs()), Some(29 * 86_400));
    let expiring = at(end - 30 * DAY);
    assert_eq!(reasons(&expiring), (None, vec!["ClientCAExpiring"]));
    assert_eq!(
        expiring.warnings[0].message,
        "metadata: Secret cloud/ca, key ca.crt: the CA CN=old expires at 2026-03-01T00:00:00Z: add its successor to \
         the bundle, give the clients new certificates, then take it out"
    );
    assert_eq!(reasons(&at(end + 1)), (None, vec!["ClientCAExpired"]));
}

#[test]
fn revocation_lists_must_be_there_readable_and_of_the_authority() {
    let (ours, other) = (authority("ours", 12, 1), authority("other", 12, 1));
    let with = |list: Option<String>| {
        let mut secrets = Secrets::new();
        secret(&mut secrets, "a", &pair(&["nova-metadata.cloud.svc"]));
        let mut data = vec![("ca.crt", ours.pem.clone())];
        data.extend(list.map(|list| ("crl.pem", list)));
        secret(&mut secrets, "ca", &data);
        let verdict = judged(
            "{secretName: a, clientAuth: {caSecretName: ca, crlKey: crl.pem}}",
            &secrets,
            NOW,
        );
        let (problem, warnings) = reasons(&verdict);
        let all = problem.into_iter().chain(warnings).map(str::to_owned);
        (verdict.blocks(), all.collect::<Vec<_>>().join(" "))
    };
    let said = |blocks, reasons: &str| (blocks, reasons.to_owned());
    assert_eq!(with(None), said(true, "SecretKeyMissing"));
    assert_eq!(with(Some("junk".to_owned())), said(true, "CRLEmpty"));
    assert_eq!(with(Some(ours.list(2027))), said(false, ""));
    assert_eq!(with(Some(ours.list(2025))), said(false, "CRLExpired"));
    let (blocks, reason) = with(Some(other.list(2027)));
    assert!(reason.starts_with("CRL"), "{blocks} {reason}");
}
