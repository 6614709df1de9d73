//! `kubectl apply` of the generated manifest does what the chart does.

#![cfg(test)]

use std::env;
use std::fs;

use kilonova_e2e::Cluster;
use kilonova_e2e::cluster::{apply, kubectl};
use kilonova_probe::client;

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
}
