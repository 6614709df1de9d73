//! Worker processes in pods.

use std::time::{Duration, Instant};

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, full, processes};
use kilonova_probe::{client, wait_within};

const PLAIN: &str = "apis: [{name: osapi_compute, workers: 2}]";

#[test]
fn two_workers_serve_and_one_survives_the_other() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("workers");
    namespace.apply(PLAIN);
    namespace.wait_ready();
    let address = namespace.address("nova-osapi-compute");
    let pod = namespace.pods().remove(0);
    let status = || namespace.pod_status(&pod).unwrap().apis.remove(0);

    wait_within(PATIENCE, "both pids to have answered", || {
        assert_eq!(client::get(address, "/").status, 200);
        let workers = status().workers;
        (workers.len() == 2 && workers.iter().all(|worker| worker.requests > 0)).then_some(())
    });

    let kills = if full() { 20 } else { 4 };
    for kill in 1..=kills {
        let victim = status().workers[0].pid;
        let process = processes::of_pod(&pod)
            .into_iter()
            .find(|process| process.inside == victim);
        let began = Instant::now();
        processes::kill(&process.expect("the worker is a process of the pod"));
        // The other one serves all the while: no answer is missing.
        let replaced = wait_within(PATIENCE, "another worker", || {
            assert_eq!(client::get(address, "/").status, 200);
            let now = status();
            let ready = now
                .workers
                .iter()
                .filter(|worker| worker.pid != victim && worker.requests < u64::MAX);
            (ready.count() == 2 && now.worker_restarts == kill).then(|| began.elapsed())
        });
        assert!(
            replaced < Duration::from_secs(1) || kill > 1,
            "replaced after {replaced:?}"
        );
        println!("worker killed, replaced after {replaced:?}");
        // oslo's throttle and the count of early deaths are for workers that die of themselves.
        wait_within(PATIENCE, "the workers to have settled", || {
            (began.elapsed() > Duration::from_secs(11)).then_some(())
        });
    }
    let after = namespace.pods().remove(0);
    let restarts = after.status.unwrap().container_statuses.unwrap()[0].restart_count;
    assert_eq!(
        (after.metadata.uid, restarts),
        (pod.metadata.uid, 0),
        "the pod was never restarted"
    );
}
