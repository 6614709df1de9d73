//! Pods are replaced under load, and Ready never says so early.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kilonova_e2e::operator::images;
use kilonova_e2e::{Chance, Cluster, Load, Namespace, Target, full};
use kube::ResourceExt;

const SERVICE: &str = "nova-osapi-compute";
const ROUND: &str = "example.org/round";

fn spec(round: usize) -> String {
    // Every other roll is for another image, every other for another annotation of the pods.
    let image = &images()[round / 2 % 2];
    let round = round.div_ceil(2);
    format!(
        "{{database: {{secretName: nova-db}}, replicas: 2, image: {image}, apis: [{{name: osapi_compute, workers: 1,
          podTemplate: {{metadata: {{annotations: {{{ROUND}: '{round}'}}}}}}}}]}}"
    )
}

/// What tells the pods of one round from those of another.
fn marks(pod: &Pod) -> (Option<String>, Option<String>) {
    let image = pod.spec.clone().unwrap().containers.remove(0).image;
    (image, pod.annotations().get(ROUND).cloned())
}

/// Looks whether the resource is ready now; if so, no pod may be without what its spec of then asks for. Pods of a later
/// spec are nothing early.
fn is_rightly_ready(namespace: &Namespace<'_>) -> bool {
    let nova = namespace.nova();
    let status = nova.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().any(|condition| {
        let fits = condition.observed_generation == nova.metadata.generation;
        condition.type_ == "Ready" && condition.status == "True" && fits
    });
    if !ready {
        return false;
    }
    let pods = namespace.pods();
    let now = namespace.nova();
    if now.metadata.generation != nova.metadata.generation {
        return false;
    }
    let api = &nova.spec.apis[0];
    let template = api.pod_template.clone().unwrap();
    let round = template["metadata"]["annotations"][ROUND].as_str();
    let wanted = (nova.spec.image.clone(), round.map(ToOwned::to_owned));
    assert_eq!(pods.len(), 2, "generation {:?}", nova.metadata.generation);
    for pod in &pods {
        assert_eq!(marks(pod), wanted, "{}", pod.name_any());
    }
    true
}

#[test]
fn rolling_updates_lose_no_request_and_ready_is_never_early() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("rollouts");
    namespace.database();
    namespace.apply(&spec(0));
    namespace.wait_ready();
    let load = Load::start(&Target::plain(&namespace, SERVICE));

    let (over, looks, ready) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let rounds = if full() { 20 } else { 3 };
    let mut pauses = Chance::new();
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut chance = Chance::new();
            while !over.load(Ordering::Relaxed) {
                let seen = is_rightly_ready(&namespace);
                looks.fetch_add(1, Ordering::Relaxed);
                ready.fetch_add(usize::from(seen), Ordering::Relaxed);
                chance.pass(Duration::from_millis(400));
            }
        });
        for round in 1..=rounds {
            let before = namespace.uids();
            namespace.apply(&spec(round));
            namespace.wait_ready();
            assert!(namespace.uids().is_disjoint(&before), "round {round}");
            pauses.pass(Duration::from_secs(1));
        }
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
    });
    let (looks, ready) = (looks.into_inner(), ready.into_inner());
    println!("{looks} looks at random moments, Ready at {ready}: never early");
    assert!(looks >= if full() { 100 } else { 30 }, "{looks} looks");
    load.end(&format!("{rounds} rolling updates"));
}
