//! Secrets that are missing or cannot be used: said, and nothing that runs is touched.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, Namespace};
use kilonova_probe::{Authority, wait_within};

use crate::tls::{SERVICE, TLS, handshake, issue, write_pair};

/// Waits for a complaint that names the Secret.
fn complaint(namespace: &Namespace<'_>, reason: &str) {
    let message = namespace.wait_condition("TLSReady", "False", Some(reason));
    assert!(message.contains("nova-api-tls"), "{message}");
    wait_within(PATIENCE, "its event", || {
        namespace
            .event_reasons()
            .contains(&reason.to_owned())
            .then_some(())
    });
}

#[test]
fn every_fault_is_named_and_heals_by_itself() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("secret-faults");
    let authority = Authority::new();
    let issued = issue(&namespace, &authority);
    namespace.apply(TLS);
    complaint(&namespace, "SecretNotFound");
    assert_eq!(
        namespace.get::<Deployment>(SERVICE),
        None,
        "its first creation waits"
    );

    namespace.secret("nova-api-tls", &[("tls.crt", &issued.certificate)]);
    complaint(&namespace, "SecretKeyMissing");

    let other = issue(&namespace, &authority);
    namespace.secret(
        "nova-api-tls",
        &[("tls.crt", &issued.certificate), ("tls.key", &other.key)],
    );
    complaint(&namespace, "KeyMismatch");
    namespace.wait_condition("Ready", "False", None);

    write_pair(&namespace, &issued);
    namespace.wait_condition("TLSReady", "True", None);
    namespace.wait_ready();
    assert_eq!(
        handshake(&namespace, &authority, None)
            .unwrap()
            .certificate(),
        issued.der()
    );
}

#[test]
fn a_running_pod_keeps_what_was_good_and_takes_what_is_good_again() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("secret-running");
    let authority = Authority::new();
    let issued = issue(&namespace, &authority);
    write_pair(&namespace, &issued);
    namespace.apply(TLS);
    namespace.wait_ready();
    let pod = namespace.pods().remove(0);
    let deployment: Deployment = namespace.get(SERVICE).unwrap();
    let still_served = || {
        let shown = handshake(&namespace, &authority, None).unwrap();
        assert_eq!(shown.certificate(), issued.der());
    };

    namespace.secret(
        "nova-api-tls",
        &[
            ("tls.crt", &issued.certificate),
            ("tls.key", &issue(&namespace, &authority).key),
        ],
    );
    complaint(&namespace, "KeyMismatch");
    still_served();
    namespace.delete::<Secret>("nova-api-tls");
    complaint(&namespace, "SecretNotFound");
    still_served();
    let untouched: Deployment = namespace.get(SERVICE).unwrap();
    assert_eq!(untouched.spec, deployment.spec);

    let renewed = issue(&namespace, &authority);
    write_pair(&namespace, &renewed);
    namespace.wait_condition("TLSReady", "True", None);
    wait_within(2 * PATIENCE, "the new certificate to be served", || {
        let shown = handshake(&namespace, &authority, None)
            .unwrap()
            .certificate();
        (shown == renewed.der()).then_some(())
    });
    assert_eq!(
        namespace.pods().remove(0).metadata.uid,
        pod.metadata.uid,
        "no pod was restarted"
    );
}

#[test]
fn an_expired_certificate_is_served_loudly() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("secret-expired");
    let authority = Authority::new();
    write_pair(
        &namespace,
        &authority.issue(&[&namespace.host(SERVICE)], (2020, 2021)),
    );
    namespace.apply(TLS);
    complaint(&namespace, "CertificateExpired");
    wait_within(PATIENCE, "the pod to serve it", || {
        let refused = handshake(&namespace, &authority, None).err()?.to_string();
        refused.contains("expired").then_some(())
    });
    let pod = namespace.pods().remove(0);
    let ip = pod.status.unwrap().pod_ip.unwrap();
    let metrics = kilonova_probe::client::get(format!("{ip}:9774").parse().unwrap(), "/metrics");
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(
        metrics
            .contains("kilonova_tls_not_after_timestamp_seconds{api=\"osapi_compute\"} 1609459200"),
        "{metrics}"
    );
    let log = kilonova_e2e::cluster::kubectl(&[
        "-n",
        &namespace.name,
        "logs",
        &pod.metadata.name.unwrap(),
    ]);
    assert!(
        String::from_utf8_lossy(&log.stdout).contains("has EXPIRED"),
        "{log:?}"
    );
}
