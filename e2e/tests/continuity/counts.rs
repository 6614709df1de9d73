//! More and fewer workers and pods under load.

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, Load, Namespace, Target};
use kilonova_probe::wait_within;

const SERVICE: &str = "nova-osapi-compute";

fn apply(namespace: &Namespace<'_>, replicas: usize, workers: usize) {
    namespace.apply(&format!(
        "{{database: {{secretName: nova-db}}, replicas: {replicas}, apis: [{{name: osapi_compute, workers: {workers}}}]}}"
    ));
}

#[test]
fn workers_and_pods_come_and_go_without_a_lost_request() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("counts");
    namespace.database();
    apply(&namespace, 2, 1);
    namespace.wait_ready();
    let before = namespace.uids();
    let load = Load::start(&Target::plain(&namespace, SERVICE));
    for workers in [8, 2] {
        apply(&namespace, 2, workers);
        namespace.wait_ready();
        let status = namespace.status();
        assert_eq!(
            status["apis"][0]["workers"]["effective"], workers,
            "{status}"
        );
    }
    assert_eq!(namespace.uids(), before, "no pod was replaced");
    load.end("workers 1 → 8 → 2");

    let load = Load::start(&Target::plain(&namespace, SERVICE));
    for replicas in [6, 2] {
        apply(&namespace, replicas, 2);
        namespace.wait_ready();
        wait_within(PATIENCE, "the number of pods", || {
            (namespace.pods().len() == replicas).then_some(())
        });
    }
    load.end("replicas 2 → 6 → 2");
}
