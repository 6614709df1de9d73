//! Pods that others take away under load.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kilonova_e2e::chance::pass;
use kilonova_e2e::cluster::kubectl;
use kilonova_e2e::{Cluster, Load, Namespace, Target};
use kube::ResourceExt;

const SERVICE: &str = "nova-osapi-compute";

fn start(namespace: &Namespace<'_>, replicas: usize) {
    namespace.database();
    namespace.apply(&format!(
        "{{database: {{secretName: nova-db}}, replicas: {replicas}, apis: [{{name: osapi_compute, workers: 1,
          podTemplate: {{metadata: {{labels: {{example.org/test: {}}}}}}}}}]}}",
        namespace.name
    ));
    namespace.wait_ready();
}

fn node(pod: &Pod) -> String {
    pod.spec.clone().unwrap().node_name.unwrap()
}

#[test]
fn each_pod_is_deleted_in_turn() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("deleted-pods");
    start(&namespace, 2);
    let load = Load::start(&Target::plain(&namespace, SERVICE));
    let pods = namespace.pods();
    for pod in &pods {
        namespace.delete::<Pod>(&pod.name_any());
        namespace.wait_ready();
    }
    load.end(&format!("each of {} pods deleted in turn", pods.len()));
}

/// The fewest pods that were available while something was done.
fn fewest_available(namespace: &Namespace<'_>, doing: impl FnOnce()) -> i32 {
    let (over, fewest) = (AtomicBool::new(false), AtomicI32::new(i32::MAX));
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let deployment: Deployment = namespace.get(SERVICE).unwrap();
                let available = deployment.status.unwrap().available_replicas;
                fewest.fetch_min(available.unwrap_or(0), Ordering::Relaxed);
                pass(std::time::Duration::from_millis(100));
            }
        });
        doing();
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
    fewest.into_inner()
}

/// Lets pods come to a node again, however the test ends.
struct Uncordon(String);

impl Drop for Uncordon {
    fn drop(&mut self) {
        let _ = kubectl(&["uncordon", &self.0]);
    }
}

#[test]
fn a_node_is_drained() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("drained");
    start(&namespace, 4);
    let pods = namespace.pods();
    // The operator is on one of the nodes, and not what is tested.
    let drained = node(&pods[0]);
    let evicted = pods.iter().filter(|pod| node(pod) == drained).count();
    assert!(
        (1..4).contains(&evicted),
        "pods are spread over two nodes (NODES=2): {evicted} of 4 on {drained}"
    );
    let load = Load::start(&Target::plain(&namespace, SERVICE));
    let _uncordon = Uncordon(drained.clone());
    let fewest = fewest_available(&namespace, || {
        let selector = format!("--pod-selector=example.org/test={}", namespace.name);
        let done = kubectl(&["drain", &drained, &selector, "--timeout=180s"]);
        assert!(done.status.success(), "{done:?}");
        namespace.wait_ready();
    });
    assert!(
        fewest >= 3,
        "the budget lets one pod go at a time: {fewest} of 4"
    );
    assert!(namespace.pods().iter().all(|pod| node(pod) != drained));
    load.end(&format!(
        "drain of a node with {evicted} of 4 pods, of which at least {fewest} were available"
    ));
}
