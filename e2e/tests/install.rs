//! The other ways to install: `kubectl apply` of the generated manifest, and the chart for one namespace alone.

#![cfg(test)]

use std::env;
use std::fs;
use std::process::Command;

use kilonova_e2e::Cluster;
use kilonova_e2e::cluster::{apply, helm, kubectl};
use kilonova_e2e::namespace::PATIENCE;
use kilonova_probe::{client, wait_within};

#[test]
fn one_manifest_installs_everything() {
    let image = env::var("IMAGE").expect("e2e/in-cluster names the images");
    let (prefix, tag) = image.rsplit_once(':').unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/install.yaml");
    let manifest = fs::read_to_string(path).unwrap();
    let release = concat!(":", env!("CARGO_PKG_VERSION"));
    for program in ["operator", "server"] {
        assert!(manifest.contains(&format!("kilonova/{program}{release}")));
    }
    let ours = manifest
        .replace(
            &format!("kilonova/operator{release}"),
            &format!("{prefix}/operator:{tag}"),
        )
        .replace(
            &format!("kilonova/server{release}"),
            &format!("{prefix}/server:{tag}"),
        );
    let applied = apply(&["--server-side"], &ours);
    assert!(applied.status.success(), "{applied:?}");
    let rolled = kubectl(&[
        "-n",
        "kilonova-system",
        "rollout",
        "status",
        "deployment/kilonova",
        "--timeout=90s",
    ]);
    assert!(rolled.status.success(), "{rolled:?}");

    let cluster = Cluster::connect();
    let namespace = cluster.namespace("installed");
    namespace.apply("apis: [{name: metadata}]");
    namespace.wait_ready();
    assert_eq!(
        client::get(namespace.address("nova-metadata"), "/").status,
        200
    );
    drop(namespace);
    let removed = kubectl(&["delete", "--ignore-not-found", "-f", path, "--wait"]);
    assert!(removed.status.success(), "{removed:?}");
    alone(&cluster);
}

/// The chart's objects of the whole cluster, but the CRD.
fn of_the_whole_cluster() -> String {
    let kinds = "clusterroles,clusterrolebindings";
    let found = kubectl(&[
        "get",
        kinds,
        "-l",
        "app.kubernetes.io/name=kilonova-operator",
        "-o",
        "name",
    ]);
    let others = kubectl(&["get", kinds, "-o", "name"]);
    let others = String::from_utf8(others.stdout).unwrap();
    let named = others.lines().filter(|name| name.contains("kilonova"));
    String::from_utf8(found.stdout).unwrap() + &named.collect::<Vec<_>>().join("\n")
}

/// With `watchNamespace` there is nothing of the whole cluster but the CRD, and other namespaces are let alone.
fn alone(cluster: &Cluster) {
    let (own, other) = (cluster.namespace("alone"), cluster.namespace("not-alone"));
    let installed = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/install"))
        .args(["--set", "watchNamespace=alone"])
        .output()
        .unwrap();
    assert!(installed.status.success(), "{installed:?}");
    assert_eq!(of_the_whole_cluster(), "");
    for namespace in [&own, &other] {
        namespace.apply("apis: [{name: metadata, tls: {secretName: metadata-tls}}]");
    }
    own.wait_condition("TLSReady", "False", Some("SecretNotFound"));
    let authority = kilonova_probe::Authority::new();
    let issued = authority.issue(&[&own.host("nova-metadata")], (2020, 2099));
    own.secret(
        "metadata-tls",
        &[("tls.crt", &issued.certificate), ("tls.key", &issued.key)],
    );
    own.wait_ready();
    let refused = wait_within(PATIENCE, "its log", || {
        let log = kubectl(&["-n", "kilonova-system", "logs", "deployment/kilonova"]);
        let log = String::from_utf8(log.stdout).ok()?;
        log.contains("watching").then_some(log)
    });
    assert!(!refused.to_lowercase().contains("forbidden"), "{refused}");
    assert!(
        other.nova().status.is_none(),
        "another namespace is let alone"
    );
    let removed = helm(&[
        "uninstall",
        "kilonova",
        "--namespace",
        "kilonova-system",
        "--wait",
    ]);
    assert!(removed.status.success(), "{removed:?}");
}
