//! A cluster in which nothing changes: the operator writes nothing.

#![cfg(test)]

use std::time::Duration;

use kilonova_e2e::chance::pass;
use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, Namespace, audit, full};
use kilonova_probe::{Authority, wait_within};

/// Requests the operator counts as writes, summed over their labels.
fn writes(cluster: &Cluster) -> f64 {
    let text = cluster.operator_metrics();
    let counted = text
        .lines()
        .filter(|line| line.starts_with("kilonova_operator_writes_total{"));
    counted
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

const BOTH: &str = "{podLayout: Combined, apis: [{name: osapi_compute}, {name: metadata}]}";
const TLS: &str = "apis: [{name: osapi_compute, workers: 2, tls: {secretName: nova-api-tls}}]";

/// Every other one with TLS, every other one of one pod for both APIs.
fn converge(cluster: &Cluster) -> Vec<Namespace<'_>> {
    let count = if full() { 10 } else { 4 };
    let issued = Authority::new().issue(&["nova.test"], (2020, 2099));
    let start = |number: usize| {
        let namespace = cluster.namespace(&format!("idle-{number}"));
        if number.is_multiple_of(2) {
            namespace.apply(BOTH);
        } else {
            namespace.secret(
                "nova-api-tls",
                &[("tls.crt", &issued.certificate), ("tls.key", &issued.key)],
            );
            namespace.apply(TLS);
        }
        namespace
    };
    let namespaces: Vec<_> = (0..count).map(start).collect();
    for namespace in &namespaces {
        namespace.wait_ready();
        namespace.wait_condition("Reconciling", "False", None);
    }
    namespaces
}

#[test]
fn an_idle_operator_writes_nothing() {
    let cluster = Cluster::connect();
    cluster.wait_for_leavers();
    let namespaces = converge(&cluster);
    let operator = "system:serviceaccount:kilonova-system:kilonova";
    let idle = Duration::from_secs(if full() { 300 } else { 30 });

    // What readiness itself caused may still be on its way: the measured time begins after a quiet second.
    let mut before = audit::changes_by(operator);
    wait_within(PATIENCE, "a second without a change", || {
        pass(Duration::from_secs(1));
        let now = audit::changes_by(operator);
        let quiet = now == before;
        before = now;
        quiet.then_some(())
    });
    let counted = writes(&cluster);
    assert!(
        counted > 0.0 && !before.is_empty(),
        "both count what converging took"
    );
    pass(idle);
    let after = audit::changes_by(operator);
    println!(
        "{} ApiServices, {idle:?} idle: {} changes in the audit log, {} counted by the operator",
        namespaces.len(),
        after.len() - before.len(),
        writes(&cluster) - counted
    );
    assert_eq!(after[before.len()..], [] as [String; 0]);
    assert!((writes(&cluster) - counted).abs() < 0.5);

    // The same manifest once more is the user's write alone.
    namespaces[0].apply(BOTH);
    pass(Duration::from_secs(3));
    assert_eq!(
        audit::changes_by(operator)[before.len()..],
        [] as [String; 0]
    );
    drop(namespaces);
}
