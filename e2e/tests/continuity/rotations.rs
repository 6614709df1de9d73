//! Certificates are exchanged under load: soon, everywhere, and without a restart.

use std::time::{Duration, Instant};

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, Load, Namespace, Target, full};
use kilonova_probe::{Authority, Issued, TlsConnection, wait_within};
use serde_json::Value;

const SERVICE: &str = "nova-osapi-compute";
pub const SPEC: &str = "{database: {secretName: nova-db}, replicas: 2,
     apis: [{name: osapi_compute, workers: 2, tls: {secretName: nova-api-tls}}]}";

pub fn issue(namespace: &Namespace<'_>, authority: &Authority) -> Issued {
    let issued = authority.issue(&[&namespace.host(SERVICE)], (2020, 2099));
    let pair = [
        ("tls.crt", issued.certificate.as_str()),
        ("tls.key", issued.key.as_str()),
    ];
    namespace.secret("nova-api-tls", &pair);
    issued
}

/// The serial number as openssl prints it.
pub fn serial(issued: &Issued) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for byte in &issued.serial {
        write!(text, "{byte:02X}").unwrap();
    }
    text
}

/// Waits until the status says that both pods serve a certificate.
pub fn wait_served(namespace: &Namespace<'_>, issued: &Issued, most: Duration) {
    let mut tls = Value::Null;
    wait_within(most, "both pods to serve the certificate", || {
        tls = namespace.status()["apis"][0]["tls"].clone();
        let serial_fits = tls["serial"].as_str()?.replace(':', "").to_uppercase() == serial(issued);
        (serial_fits && tls["servedBy"] == "2/2").then_some(())
    });
}

#[test]
fn a_new_certificate_is_served_by_all_within_seconds() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("rotations");
    namespace.database();
    let authority = Authority::new();
    issue(&namespace, &authority);
    namespace.apply(SPEC);
    namespace.wait_ready();
    let target = Target::tls(&namespace, SERVICE, &authority, None);
    let load = Load::start(&target);

    let before = namespace.uids();
    let rounds = if full() { 20 } else { 3 };
    let mut took = Vec::new();
    for _ in 0..rounds {
        let began = Instant::now();
        let issued = issue(&namespace, &authority);
        wait_served(&namespace, &issued, PATIENCE);
        took.push(began.elapsed());
        let client = authority.client(None);
        let address = namespace.address(SERVICE);
        let shown = TlsConnection::handshake_as(address, &namespace.host(SERVICE), client).unwrap();
        assert_eq!(shown.certificate(), issued.der());
    }
    namespace.wait_ready();
    assert_eq!(namespace.uids(), before, "no pod was replaced");
    took.sort_unstable();
    let (median, longest) = (took[rounds / 2], took[rounds - 1]);
    println!("Secret written → servedBy 2/2: median {median:.2?}, longest {longest:.2?}");
    load.end(&format!("{rounds} certificate rotations"));
    assert!(median <= Duration::from_secs(5), "{took:?}");
}
