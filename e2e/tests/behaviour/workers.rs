//! Worker processes in pods.

use std::time::{Duration, Instant};

use kilonova_config::status::WorkerState;
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

    // Between two kills so long that neither oslo's throttle (more than two starts in two seconds) nor the count of
    // early deaths (five in a minute of workers younger than ten seconds) takes us for a crash loop.
    let (kills, apart) = if full() { (20, 11) } else { (4, 3) };
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
                .filter(|worker| worker.pid != victim && worker.state == WorkerState::Ready);
            (ready.count() == 2 && now.worker_restarts == kill).then(|| began.elapsed())
        });
        println!("worker {victim} killed, replaced after {replaced:?}");
        assert!(
            replaced < Duration::from_secs(1),
            "replaced after {replaced:?}"
        );
        wait_within(PATIENCE, "the next kill", || {
            assert_eq!(client::get(address, "/").status, 200);
            (began.elapsed() > Duration::from_secs(apart)).then_some(())
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
