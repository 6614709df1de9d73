//! A cluster in which nothing changes: the operator writes nothing.

#![cfg(test)]

use std::thread::park_timeout;
use std::time::{Duration, Instant};

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

fn converge(cluster: &Cluster) -> [Namespace<'_>; 2] {
    let plain = cluster.namespace("idle-plain");
    plain.apply("{podLayout: Combined, apis: [{name: osapi_compute}, {name: metadata}]}");
    let tls = cluster.namespace("idle-tls");
    let issued = Authority::new().issue(&["nova.test"], (2020, 2099));
    tls.secret(
        "nova-api-tls",
        &[("tls.crt", &issued.certificate), ("tls.key", &issued.key)],
    );
    tls.apply("apis: [{name: osapi_compute, workers: 2, tls: {secretName: nova-api-tls}}]");
    for namespace in [&plain, &tls] {
        namespace.wait_ready();
        namespace.wait_condition("Reconciling", "False", None);
    }
    [plain, tls]
}

#[test]
fn an_idle_operator_writes_nothing() {
    let cluster = Cluster::connect();
    cluster.wait_for_leavers();
    let namespaces = converge(&cluster);
    let operator = "system:serviceaccount:kilonova-system:kilonova";
    let idle = Duration::from_secs(if full() { 120 } else { 30 });

    // What readiness itself caused may still be on its way: the measured time begins after a quiet second.
    let mut before = audit::changes_by(operator);
    wait_within(PATIENCE, "a second without a change", || {
        park_timeout(Duration::from_secs(1));
        let now = audit::changes_by(operator);
        let quiet = now == before;
        before = now;
        quiet.then_some(())
    });
    let (counted, began) = (writes(&cluster), Instant::now());
    assert!(
        counted > 0.0 && !before.is_empty(),
        "both count what converging took"
    );
    while began.elapsed() < idle {
        park_timeout(idle.saturating_sub(began.elapsed()));
    }
    let after = audit::changes_by(operator);
    println!(
        "{idle:?} idle: {} changes in the audit log, {} counted by the operator",
        after.len() - before.len(),
        writes(&cluster) - counted
    );
    assert_eq!(after[before.len()..], [] as [String; 0]);
    assert!((writes(&cluster) - counted).abs() < 0.5);
    drop(namespaces);
}
