//! What Secrets do: what waits, what is touched, what is told.

use crate::world::{DAY, NOW, TLS, World, issue};

#[tokio::test]
async fn each_transition_is_told_once() {
    let mut world = World::with(TLS);
    world.settle().await;
    world.certificate("api-tls");
    world.settle().await;
    world.reconcile().await;
    world.now = NOW + 31 * DAY;
    world.reconcile().await;
    world.reconcile().await;
    world.certificate("api-tls");
    world.now = NOW;
    world.settle().await;
    let (created, told) = (
        "Normal Created: created Deployment nova-metadata, Service nova-osapi-compute, Service nova-metadata",
        world.server.events(),
    );
    let reasons: Vec<&str> = told
        .iter()
        .map(|told| told.split(':').next().unwrap())
        .collect();
    assert_eq!(told[0], created);
    assert_eq!(
        reasons,
        [
            "Normal Created",
            "Warning SecretNotFound",
            "Normal Created",
            "Normal TLSReady",
            "Normal Ready",
            "Warning CertificateExpired",
            "Normal CertificateChanged",
            "Normal CertificateServed",
            "Normal TLSReady",
        ]
    );
}

#[tokio::test]
async fn without_its_secret_an_api_waits_and_the_other_goes_on() {
    let world = World::with(TLS);
    world.settle().await;
    assert_eq!(world.server.names("deployments"), ["nova-metadata"]);
    let expected = "False SecretNotFound: osapi_compute: Secret cloud/api-tls does not exist: create it; it must be of \
                    type kubernetes.io/tls, with tls.crt and tls.key";
    assert_eq!(world.condition("TLSReady"), expected);
    assert_eq!(world.condition("Ready"), expected);
    assert!(
        world
            .condition("Reconciling")
            .starts_with("True WaitingForSecret")
    );

    world.certificate("api-tls");
    world.reconcile().await;
    let writes = world.server.writes();
    assert!(
        writes.contains(&"patch deployments nova-osapi-compute".to_owned()),
        "{writes:?}"
    );
    assert!(world.condition("TLSReady").starts_with("True"));
}

#[tokio::test]
async fn every_fault_of_a_secret_has_its_reason_and_touches_nothing_that_runs() {
    let world = World::with(TLS);
    let (certificate, key) = issue(NOW - DAY, NOW + DAY);
    let (_, other) = issue(NOW - DAY, NOW + DAY);
    world.secret("api-tls", &[("tls.crt", &certificate), ("tls.key", &key)]);
    world.settle().await;
    let running = world.server.get("deployments", "nova-osapi-compute");
    let service = world.server.get("services", "nova-osapi-compute");
    // Something that would roll the pods waits too.
    world.spec(&TLS.replace("name: osapi_compute", "name: osapi_compute, port: 443"));

    let cases: [(&[(&str, &str)], &str); 4] = [
        (
            &[("tls.crt", &certificate), ("tls.key", &other)],
            "KeyMismatch",
        ),
        (&[("tls.crt", &certificate)], "SecretKeyMissing"),
        (
            &[("tls.crt", "junk"), ("tls.key", &key)],
            "CertificateInvalid",
        ),
        (
            &[("tls.crt", &certificate), ("tls.key", "junk")],
            "KeyInvalid",
        ),
    ];
    for (data, reason) in cases {
        world.secret("api-tls", data);
        world.reconcile().await;
        let said = world.condition("TLSReady");
        assert!(
            said.starts_with(&format!(
                "False {reason}: osapi_compute: Secret cloud/api-tls"
            )),
            "{said}"
        );
        assert!(world.condition("Available").starts_with("True"));
        assert_eq!(world.server.get("services", "nova-osapi-compute"), service);
    }
    world.server.remove("secrets", "api-tls");
    world.reconcile().await;
    assert!(
        world
            .condition("TLSReady")
            .starts_with("False SecretNotFound")
    );
    assert_eq!(
        world.server.get("deployments", "nova-osapi-compute"),
        running
    );

    world.certificate("api-tls");
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
    assert_ne!(
        world.server.get("deployments", "nova-osapi-compute"),
        running
    );
}

#[tokio::test]
async fn an_expired_certificate_is_served_loudly() {
    let mut world = World::with(TLS);
    world.certificate("api-tls");
    world.settle().await;
    let again = world.reconcile().await.again.unwrap();
    assert!(again.as_secs() <= 660, "{again:?}");
    world.now = NOW + 31 * DAY;
    world.reconcile().await;
    let writes = world.server.writes();
    assert_eq!(
        writes,
        ["patch novaapiservices/status nova", "create events"]
    );
    let said = world.condition("TLSReady");
    assert!(
        said.starts_with("False CertificateExpired: osapi_compute: the certificate (serial "),
        "{said}"
    );
    assert!(
        said.contains("in Secret cloud/api-tls expired at 2026-01-31T"),
        "{said}"
    );
    assert!(
        world
            .condition("Ready")
            .starts_with("True CertificateExpired")
    );
    assert!(world.metrics().contains("kilonova_tls_not_after_timestamp_seconds{api=\"osapi_compute\",name=\"nova\",namespace=\"cloud\"} 17698"));
    // A pod that is rescheduled, and a roll, go on.
    world.spec(&TLS.replace("name: osapi_compute", "name: osapi_compute, port: 443"));
    world.reconcile().await;
    assert!(
        world
            .server
            .writes()
            .contains(&"patch deployments nova-osapi-compute".to_owned())
    );
}
