//! A pod that cannot take over what is mounted is replaced at its deadline; nothing else is.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kilonova_e2e::{Cluster, components};
use kilonova_probe::{Authority, wait_within};

use crate::tls::{TLS, handshake, issue, write_pair};

/// Where the kubelet of the pod's node lays down a Secret for it.
fn volumes(cluster_node: &str, pod: &Pod) -> PathBuf {
    let number = cluster_node.rsplit('-').next().unwrap();
    let root = components::pid(&format!("node-{number}"));
    let uid = pod.metadata.uid.as_deref().unwrap();
    format!(
        "/proc/{}/root/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~secret",
        root.as_raw_nonzero()
    )
    .into()
}

#[test]
fn a_pod_whose_secret_is_stuck_is_replaced() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("deadline");
    let authority = Authority::new();
    write_pair(&namespace, &issue(&namespace, &authority));
    namespace.apply(TLS);
    namespace.wait_ready();
    let pod = namespace.pods().remove(0);
    let node = pod.spec.clone().unwrap().node_name.unwrap();

    // What is mounted cannot be renewed any more, by the kubelet or by anybody.
    for volume in std::fs::read_dir(volumes(&node, &pod)).unwrap() {
        let stuck = Command::new("chattr")
            .arg("+i")
            .arg(volume.unwrap().path())
            .status();
        assert!(stuck.unwrap().success());
    }
    let began = Instant::now();
    let renewed = issue(&namespace, &authority);
    write_pair(&namespace, &renewed);
    let deadline = Duration::from_secs(240);
    wait_within(deadline, "the pod to be replaced", || {
        let pods = namespace.pods();
        pods.iter()
            .all(|other| other.metadata.uid != pod.metadata.uid)
            .then_some(())
    });
    println!(
        "Secret written → the pod that cannot read it is replaced: {:.0?}",
        began.elapsed()
    );
    // 90 seconds, and what it takes to notice and to act.
    let took = began.elapsed().as_secs();
    assert!((85..120).contains(&took), "{took} s");
    namespace.wait_ready();
    let shown = handshake(&namespace, &authority, None).unwrap();
    assert_eq!(shown.certificate(), renewed.der());
}
