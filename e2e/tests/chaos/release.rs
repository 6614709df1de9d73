//! Another release of the operator would make other pods: those that run stay until somebody says so.

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::operator::{Rest, images};
use kilonova_e2e::{Cluster, Namespace, Operator};
use kilonova_probe::{client, wait_within};
use serde_json::Value;

const SERVICE: &str = "nova-osapi-compute";
const APPROVE: &str = "kilonova.dev/approve";

fn apply(namespace: &Namespace<'_>, replicas: usize, workers: usize) {
    namespace.apply(&format!(
        "{{database: {{secretName: nova-db}}, replicas: {replicas}, drainDelaySeconds: 1,
          apis: [{{name: osapi_compute, workers: {workers}}}]}}"
    ));
}

/// The step of the plan that waits.
fn waiting(namespace: &Namespace<'_>) -> Option<Value> {
    let plan = namespace.status()["plan"].take();
    let mut steps = plan.as_array()?.clone().into_iter();
    steps.find(|step| step["state"] == "Waiting")
}

fn wait_held(namespace: &Namespace<'_>) -> String {
    let step = wait_within(PATIENCE, "a roll that waits", || waiting(namespace));
    assert_eq!(step["effect"], "Roll", "{step}");
    assert!(step["what"].as_str().unwrap().contains("image"), "{step}");
    step["hash"].as_str().unwrap().to_owned()
}

fn image_of_pods(namespace: &Namespace<'_>) -> Vec<String> {
    let pods = namespace.pods().into_iter();
    let mut images: Vec<String> = pods
        .filter_map(|pod| pod.spec?.containers.remove(0).image)
        .collect();
    images.sort();
    images.dedup();
    images
}

#[test]
fn a_roll_of_the_operators_own_waits_for_approval_and_for_that_alone() {
    let cluster = Cluster::connect();
    let _rest = Rest::of_the_one_in(&cluster);
    let [before, after] = images();
    let namespace = cluster.namespace("release");
    namespace.database();
    let operator = Operator::start(&before);
    apply(&namespace, 1, 1);
    namespace.wait_ready();
    let uids = namespace.uids();
    drop(operator);

    let operator = Operator::start(&after);
    let hash = wait_held(&namespace);
    namespace.wait_condition("Ready", "True", None);

    // Neither a reload nor another number of pods releases it.
    apply(&namespace, 1, 2);
    namespace.wait_ready();
    let pod = namespace.pods().remove(0);
    let workers = namespace.pod_status(&pod).unwrap().apis.remove(0).workers;
    assert_eq!(workers.len(), 2);
    apply(&namespace, 2, 2);
    namespace.wait_ready();
    assert_eq!(wait_held(&namespace), hash);
    assert!(uids.is_subset(&namespace.uids()), "the first pod stays");
    assert_eq!(image_of_pods(&namespace).join(","), before);
    assert_eq!(client::get(namespace.address(SERVICE), "/").status, 200);

    namespace.annotate(APPROVE, Some(&hash));
    wait_within(PATIENCE, "other pods", || {
        (image_of_pods(&namespace) == [after.clone()]).then_some(())
    });
    namespace.wait_ready();
    assert_eq!(waiting(&namespace), None);
    drop(operator);

    // The same approval again, with something else to approve: it is good for nothing.
    let _operator = Operator::start(&before);
    let other = wait_held(&namespace);
    assert_ne!(other, hash);
    let uids = namespace.uids();
    namespace.annotate(APPROVE, None);
    namespace.annotate(APPROVE, Some(&hash));
    // A change of workers is a whole round of the operator with that approval before its eyes.
    apply(&namespace, 2, 1);
    namespace.wait_ready();
    assert_eq!(wait_held(&namespace), other);
    assert_eq!(namespace.uids(), uids, "a replayed approval rolls nothing");

    // What rolls by itself takes the rest along.
    namespace.apply(
        "{database: {secretName: nova-db}, replicas: 2, drainDelaySeconds: 1,
          apis: [{name: osapi_compute, port: 8799, workers: 1}]}",
    );
    namespace.wait_ready();
    assert_eq!(image_of_pods(&namespace), [before]);
    assert_eq!(waiting(&namespace), None);
}
