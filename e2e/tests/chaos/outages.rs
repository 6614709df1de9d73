//! The cluster's own programs go and come.

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, components};
use kilonova_probe::client;
use kilonova_probe::wait_within;

use crate::world::wait_same;

fn spec(round: usize) -> String {
    format!(
        "{{database: {{secretName: nova-db}}, replicas: 2, drainDelaySeconds: 1,
          apis: [{{name: osapi_compute, workers: 1,
          podTemplate: {{metadata: {{annotations: {{example.org/round: '{round}'}}}}}}}}]}}"
    )
}

#[test]
fn the_api_server_and_its_store_are_killed_during_rollouts() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("outages");
    namespace.database();
    namespace.apply(&spec(0));
    namespace.wait_ready();
    let address = namespace.address("nova-osapi-compute");
    for (round, component) in ["kube-apiserver", "etcd", "kube-apiserver"]
        .iter()
        .enumerate()
    {
        namespace.apply(&spec(round + 1));
        components::restart(component);
        // The first requests may meet an API server that is not whole yet.
        wait_within(PATIENCE, "the pods to answer", || {
            let answered = client::try_get(address, "/").ok()?.status == 200;
            answered.then_some(())
        });
        namespace.wait_ready();
    }
    let fresh = cluster.namespace("outages-fresh");
    fresh.database();
    fresh.apply(&spec(3));
    fresh.wait_ready();
    wait_same(&namespace, &fresh);
}
