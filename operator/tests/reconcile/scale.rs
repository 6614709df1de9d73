//! Many at once: what they cost when they change, and when they do not.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::apiserver::ApiServer;
use crate::operator::Operator;
use crate::world::{World, bring_up};

const MINUTE: Duration = Duration::from_secs(60);

/// So many `ApiService`s, `n0` and further.
fn world(services: usize) -> World {
    let world = World::with("{apis: [{name: metadata}]}");
    world.server.remove("novaapiservices", "nova");
    for number in 0..services {
        world.server.put(
            "novaapiservices",
            json!({
                "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService",
                "metadata": {"name": format!("n{number}"), "namespace": "cloud", "generation": 1},
                "spec": {"apis": [{"name": "osapi_compute"}, {"name": "metadata"}], "podLayout": "Combined"},
            }),
        );
    }
    world
}

fn all_ready(server: &ApiServer) -> bool {
    server.names("novaapiservices").iter().all(|name| {
        let service = server.get("novaapiservices", name).unwrap();
        let conditions = service["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// Lets the operator work, and the pods come up, until all are ready and nothing is written any more.
async fn converge(server: &ApiServer, operator: &Operator) {
    for _ in 0..50 {
        bring_up(server);
        operator.quiet(Duration::from_secs(30)).await;
        if all_ready(server) && server.writes().is_empty() {
            return;
        }
    }
    panic!("it does not converge");
}

/// Requests since they were last asked for, by verb.
fn requests(server: &ApiServer) -> BTreeMap<&'static str, usize> {
    let mut verbs = BTreeMap::new();
    for asked in server.asked() {
        *verbs.entry(asked.verb).or_default() += 1;
    }
    verbs
}

#[tokio::test(start_paused = true)]
async fn a_hundred_idle_ones_cost_nothing_but_their_watches() {
    let world = world(100);
    let operator = Operator::start(&world.server);
    converge(&world.server, &operator).await;
    operator.quiet(30 * MINUTE).await;
    let asked = requests(&world.server);
    assert_eq!(asked.keys().collect::<Vec<_>>(), [&"watch"], "{asked:?}");

    // The same manifest once more.
    for name in world.server.names("novaapiservices") {
        world.server.change("novaapiservices", &name, |service| {
            service["metadata"]["annotations"] = json!({"applied": "again"});
        });
    }
    operator.quiet(MINUTE).await;
    assert_eq!(requests(&world.server), BTreeMap::new());
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_lists_a_page_of_each_kind_and_writes_nothing() {
    let mut costs = Vec::new();
    for services in [10, 100] {
        let world = world(services);
        for number in 0..200 {
            world.secret(&format!("unrelated-{number}"), &[]);
        }
        let operator = Operator::start(&world.server);
        converge(&world.server, &operator).await;
        operator.stop().await;
        world.server.asked();

        let operator = Operator::start(&world.server);
        operator.quiet(MINUTE).await;
        let asked = requests(&world.server);
        assert_eq!(asked.keys().collect::<Vec<_>>(), [&"list", &"watch"]);
        costs.push((asked["list"], asked["watch"]));
        operator.stop().await;
    }
    assert_eq!(costs[0], costs[1], "lists and watches do not grow");
}

#[tokio::test(start_paused = true)]
async fn one_change_among_a_hundred_is_handled_at_once() {
    let world = world(100);
    let operator = Operator::start(&world.server);
    converge(&world.server, &operator).await;
    world.server.change("novaapiservices", "n42", |service| {
        service["spec"]["apis"][0]["workers"] = json!(7);
        service["metadata"]["generation"] = json!(2);
    });
    let handled = world.server.until(|server| {
        server.get("novaapiservices", "n42").unwrap()["status"]["observedGeneration"] == 2
    });
    timeout(Duration::from_secs(1), handled).await.unwrap();
    let written = world.server.writes();
    // The plan is announced, and its end is told.
    assert!(written.len() <= 5, "{written:?}");
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_one_is_forgotten_and_its_secret_wakes_nobody() {
    let world = world(3);
    world.certificate("shared");
    for name in ["n0", "n1"] {
        world.server.change("novaapiservices", name, |service| {
            service["spec"]["podLayout"] = json!("PerApi");
            service["spec"]["apis"] =
                json!([{"name": "metadata", "tls": {"secretName": "shared"}}]);
            service["metadata"]["generation"] = json!(2);
        });
    }
    let operator = Operator::start(&world.server);
    converge(&world.server, &operator).await;
    world.server.remove("novaapiservices", "n1");
    operator.quiet(MINUTE).await;
    world.server.asked();
    world.certificate("shared");
    operator.quiet(Duration::from_secs(1)).await;
    let answered: Vec<String> = world
        .server
        .asked()
        .into_iter()
        .filter(|asked| asked.resource == "novaapiservices/status")
        .map(|asked| asked.name)
        .collect();
    assert!(
        !answered.is_empty() && answered.iter().all(|name| name == "n0"),
        "{answered:?}"
    );
    let told = operator.context.cluster.metrics.text().unwrap();
    assert!(!told.contains("name=\"n1\""));
    operator.stop().await;
}
