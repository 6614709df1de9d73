//! Two replicas of the operator: one acts, and the other takes over when it goes, however it goes.

#![cfg(test)]

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kilonova_e2e::chance::pass;
use kilonova_e2e::cluster::kubectl;
use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::processes::{self, Process};
use kilonova_e2e::{Cluster, Namespace, audit, full};
use kilonova_probe::wait_within;
use kube::ResourceExt;
use rustix::process::Signal;

fn scale(cluster: &Cluster, replicas: usize) {
    let replicas_argument = format!("--replicas={replicas}");
    let deployment = ["-n", "kilonova-system", "scale", "deployment/kilonova"];
    let scaled = kubectl(&[&deployment[..], &[&replicas_argument]].concat());
    assert!(scaled.status.success(), "{scaled:?}");
    wait_within(PATIENCE, "the operator's replicas", || {
        let pods = cluster.operators();
        (pods.len() == replicas && pods.iter().all(is_ready)).then_some(())
    });
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn holder(cluster: &Cluster) -> Option<String> {
    let lease: Lease = cluster.get("kilonova-system", "kilonova")?;
    lease
        .spec?
        .holder_identity
        .filter(|holder| !holder.is_empty())
}

/// The pod that leads, and its process.
fn leader(cluster: &Cluster) -> (Pod, Process) {
    wait_within(PATIENCE, "a leader", || {
        let holder = holder(cluster)?;
        let mut pods = cluster.operators().into_iter();
        let pod = pods.find(|pod| pod.name_any() == holder)?;
        let process = processes::of_pod(&pod)
            .into_iter()
            .find(|process| process.command.contains("kilonova-operator"))?;
        Some((pod, process))
    })
}

/// Asks for something new and waits until it is done: how long the cluster was without an operator.
fn served_after(namespace: &Namespace<'_>, began: Instant, workers: usize) -> Duration {
    namespace.apply(&format!("apis: [{{name: metadata, workers: {workers}}}]"));
    wait_within(PATIENCE, "the operator to act", || {
        let nova = namespace.nova();
        (nova.status?.observed_generation == nova.metadata.generation).then_some(())
    });
    began.elapsed()
}

#[test]
fn the_other_one_takes_over() {
    let cluster = Cluster::connect();
    scale(&cluster, 2);
    let namespace = cluster.namespace("lead");
    namespace.apply("apis: [{name: metadata, workers: 1}]");
    namespace.wait_ready();
    let rounds = if full() { 5 } else { 1 };

    for _ in 0..rounds {
        let (pod, _) = leader(&cluster);
        let began = Instant::now();
        cluster.delete_operator(&pod);
        wait_within(PATIENCE, "another leader", || {
            (holder(&cluster)? != pod.name_any()).then_some(())
        });
        let took = served_after(&namespace, began, 2);
        println!("leader stopped → the other one acts: {took:.1?}");
        assert!(took <= Duration::from_secs(5), "{took:?}");
        scale(&cluster, 2);
        namespace.wait_ready();

        let (_, process) = leader(&cluster);
        let began = Instant::now();
        processes::kill(&process);
        let took = served_after(&namespace, began, 1);
        println!("leader killed → one acts: {took:.1?}");
        assert!(took <= Duration::from_secs(20), "{took:?}");
        assert_ne!(leader(&cluster).1.outside, process.outside);
        scale(&cluster, 2);
        namespace.wait_ready();
    }

    // One that was stopped in its tracks wakes when another one leads: it writes nothing more.
    let (pod, process) = leader(&cluster);
    let name = pod.name_any();
    let began = Instant::now();
    processes::signal(&process, Signal::STOP);
    let took = served_after(&namespace, began, 3);
    println!("leader stopped in its tracks → the other one acts: {took:.1?}");
    assert!(took <= Duration::from_secs(20), "{took:?}");
    assert_ne!(holder(&cluster), Some(name.clone()));
    namespace.apply("apis: [{name: metadata, workers: 2}]");
    let before = audit::changes_of_pod(&name).len();
    assert!(before > 0, "the audit log knows what {name} wrote");
    processes::signal(&process, Signal::CONT);
    namespace.wait_ready();
    // Whatever it had begun has been refused or given up long before.
    pass(Duration::from_secs(8));
    let after = audit::changes_of_pod(&name);
    println!(
        "stopped, succeeded and continued: {} writes",
        after.len() - before
    );
    assert_eq!(after[before..], [] as [String; 0]);
    drop(namespace);
    scale(&cluster, 1);
}
