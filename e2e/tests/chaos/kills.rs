//! The operator is killed at random moments while the resource changes: the end is what a fresh run makes of it.

use std::time::Duration;

use kilonova_e2e::operator::{Rest, images};
use kilonova_e2e::{Chance, Cluster, Operator, full};

use crate::world::wait_same;

fn spec(chance: &mut Chance) -> String {
    let replicas = 1 + chance.below(2);
    let workers = 1 + chance.below(2);
    let port = 8774 + chance.below(2);
    let grace = 30 + chance.below(2);
    let metadata = if chance.below(2) == 0 {
        ", {name: metadata, workers: 1}"
    } else {
        ""
    };
    format!(
        "{{database: {{secretName: nova-db}}, replicas: {replicas}, drainDelaySeconds: 1,
          gracefulShutdownTimeoutSeconds: {grace},
          apis: [{{name: osapi_compute, port: {port}, workers: {workers}}}{metadata}]}}"
    )
}

#[test]
fn an_operator_that_is_killed_again_and_again_arrives() {
    let cluster = Cluster::connect();
    let _rest = Rest::of_the_one_in(&cluster);
    let [image, _] = images();
    let mut chance = Chance::new();
    let namespace = cluster.namespace("kills");
    namespace.database();
    let mut operator = Operator::start(&image);
    let mut last = String::new();
    let kills = if full() { 100 } else { 10 };
    for _ in 0..kills {
        last = spec(&mut chance);
        namespace.apply(&last);
        chance.pass(Duration::from_millis(1500));
        drop(operator);
        operator = Operator::start(&image);
        // Some are killed while they still list what there is.
        chance.pass(Duration::from_millis(800));
    }
    namespace.wait_ready();

    let fresh = cluster.namespace("kills-fresh");
    fresh.database();
    fresh.apply(&last);
    fresh.wait_ready();
    wait_same(&namespace, &fresh);
    println!("{kills} kills: the end is what a fresh run makes");
}
