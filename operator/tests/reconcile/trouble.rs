//! What goes wrong around the operator: it always comes to what a fresh run would make.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::apiserver::ApiServer;
use crate::apiserver::faults::Moment;
use crate::operator::Operator;
use crate::world::{BOTH, TLS, World, bring_up};

/// Every so many requests are enough for every day.
const EVERY: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);
const KINDS: [&str; 6] = [
    "controllerrevisions",
    "deployments",
    "services",
    "configmaps",
    "serviceaccounts",
    "novaapiservices",
];

/// What a user reads in the cluster, without what differs from run to run, by lines.
fn held(server: &ApiServer) -> Vec<String> {
    let objects = serde_yaml::to_string(&objects(server)).unwrap();
    let lines = objects.lines();
    let told = lines.filter(|line| !line.trim_start().starts_with("nonce: "));
    told.map(str::to_owned).collect()
}

/// Nonces are random, and so is what is made of them; numbers of steps and records tell how often something was tried.
fn forget_chance(object: &mut Value) {
    if object["kind"] == "ConfigMap" {
        object["metadata"]["annotations"].take();
    }
    if object["kind"] == "ControllerRevision" {
        object["revision"].take();
        object["metadata"]["annotations"].take();
    }
    let Some(status) = object["status"].as_object_mut() else {
        return;
    };
    for field in ["observedGeneration", "plan", "revision"] {
        status.remove(field);
    }
    for api in status
        .get_mut("apis")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        api["revision"]["desired"].take();
    }
}

/// Says where the first difference is.
fn assert_same(held: &[String], expected: &[String], when: &str) {
    let pairs = held.iter().zip(expected);
    let first = pairs.clone().position(|(one, other)| one != other);
    if let Some(first) = first {
        let around = first.saturating_sub(30)..first + 1;
        panic!(
            "{when}: {}\ninstead of {}",
            held[around].join("\n"),
            expected[first]
        );
    }
    assert_eq!(held.len(), expected.len(), "{when}");
}

fn objects(server: &ApiServer) -> Vec<Value> {
    let objects = KINDS.into_iter().flat_map(|kind| {
        let names = server.names(kind);
        names
            .into_iter()
            .map(move |name| server.get(kind, &name).unwrap())
    });
    objects
        .map(|mut object| {
            for field in ["resourceVersion", "generation"] {
                object["metadata"][field].take();
            }
            forget_chance(&mut object);
            object
        })
        .collect()
}

/// Specs that follow each other: another API, settings, mounts, layout.
fn specs() -> [String; 4] {
    [
        BOTH.to_owned(),
        TLS.replace("name: osapi_compute", "name: osapi_compute, workers: 3"),
        TLS.replace("name: metadata", "name: metadata, port: 80"),
        "{podLayout: Combined, replicas: 2, apis: [{name: osapi_compute}, {name: metadata}]}"
            .to_owned(),
    ]
}

/// A cluster with the Secret, the same each time: its serial is told.
fn with_secret(spec: &str, secret: &Value) -> World {
    let world = World::with(spec);
    world.server.put("secrets", secret.clone());
    world
}

async fn settled(spec: &str, secret: &Value) -> World {
    let world = with_secret(spec, secret);
    world.settle().await;
    world
}

fn secret() -> Value {
    let world = World::with(BOTH);
    world.certificate("api-tls");
    world.server.get("secrets", "api-tls").unwrap()
}

/// The API server answers so many requests more and then none; says whether that was felt.
async fn disturbed(world: &mut World, after: usize, moment: Moment) -> bool {
    world.server.fall_silent(after, moment);
    let silent = tokio::select! {
        () = world.settle() => false,
        () = world.server.silent() => true,
    };
    world.server.recover();
    silent
}

/// After how many requests: every few, beginning somewhere else in each of the runs that follow each other, or with FULL=1
/// after each.
fn moments() -> impl Iterator<Item = usize> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let every = if std::env::var_os("FULL").is_some() {
        1
    } else {
        EVERY
    };
    (RUNS.fetch_add(1, Ordering::Relaxed) % every..).step_by(every)
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_request_it_ends_where_a_fresh_run_does() {
    let mut killed = 0;
    let (specs, secret) = (specs(), secret());
    for pair in specs.windows(2) {
        let before = settled(&pair[0], &secret).await;
        let expected = {
            let world = before.fork();
            world.spec(&pair[1]);
            world.settle().await;
            held(&world.server)
        };
        for moment in [Moment::Before, Moment::After] {
            for after in moments() {
                let mut world = before.fork();
                world.spec(&pair[1]);
                if !disturbed(&mut world, after, moment).await {
                    break;
                }
                world.restart();
                world.settle().await;
                assert_same(
                    &held(&world.server),
                    &expected,
                    &format!("{moment:?} request {after}"),
                );
                killed += 1;
            }
        }
    }
    assert!(killed >= 20, "{killed}");
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_request_of_the_creation_it_ends_where_a_fresh_run_does() {
    let secret = secret();
    let expected = held(&settled(TLS, &secret).await.server);
    for moment in [Moment::Before, Moment::After] {
        for after in moments() {
            let mut world = with_secret(TLS, &secret);
            if !disturbed(&mut world, after, moment).await {
                break;
            }
            world.restart();
            world.settle().await;
            assert_same(
                &held(&world.server),
                &expected,
                &format!("{moment:?} request {after}"),
            );
        }
    }
}

/// Lets pods come up until the operator is content.
async fn content(world: &World, operator: &Operator) {
    for _ in 0..20 {
        bring_up(&world.server);
        operator.quiet(MINUTE).await;
        if world.condition("Ready").starts_with("True") {
            return;
        }
    }
    panic!("{}", world.condition("Ready"));
}

#[tokio::test(start_paused = true)]
async fn watches_that_expire_or_break_lose_nothing() {
    let world = World::with(BOTH);
    let operator = Operator::start(&world.server);
    content(&world, &operator).await;
    let expected = held(&world.server);
    for round in 0..6 {
        if round % 2 == 0 {
            world.server.expire();
        } else {
            world.server.hang_up();
        }
        // What happens while nobody watches.
        world.server.remove("services", "nova-metadata");
        world
            .server
            .change("services", "nova-osapi-compute", |service| {
                service["spec"]["ports"][0]["port"] = json!(1);
            });
        operator.quiet(MINUTE).await;
        assert_same(&held(&world.server), &expected, &format!("round {round}"));
    }
    operator.quiet(2 * MINUTE).await;
    world.server.asked();
    operator.quiet(10 * MINUTE).await;
    assert_eq!(world.server.writes(), Vec::<String>::new());
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_manager_that_fights_is_noticed_and_the_end_is_ours() {
    let world = World::with(BOTH);
    let operator = Operator::start(&world.server);
    content(&world, &operator).await;
    let expected = held(&world.server);
    let loops = || {
        let text = operator.context.cluster.metrics.text().unwrap();
        text.contains("kilonova_operator_repeated_writes_total{kind=\"Service\"}")
    };
    for round in 0..20 {
        assert!(round > 5 || !loops(), "an alarm in round {round}");
        world.server.change("services", "nova-metadata", |service| {
            service["spec"]["ports"][0]["port"] = json!(1);
        });
        operator.quiet(Duration::from_secs(5)).await;
    }
    assert!(loops());
    assert_same(&held(&world.server), &expected, "in the end");
    world.server.asked();
    operator.quiet(10 * MINUTE).await;
    assert_eq!(world.server.writes(), Vec::<String>::new());
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_api_server_makes_it_slow_and_nothing_else() {
    let world = World::with(BOTH);
    world.server.slow(Duration::from_secs(1));
    let operator = Operator::start(&world.server);
    content(&world, &operator).await;
    world.server.slow(Duration::ZERO);
    let fast = settled(BOTH, &secret()).await;
    assert_eq!(
        world.server.names("deployments"),
        fast.server.names("deployments")
    );
    assert_eq!(
        world.server.names("configmaps"),
        fast.server.names("configmaps")
    );
    assert_eq!(
        world.condition("Stalled").split(':').next(),
        fast.condition("Stalled").split(':').next()
    );
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_strange_is_never_touched() {
    let world = World::with(BOTH);
    let foreign = [
        ("services", "nova-metadata"),
        ("deployments", "nova-osapi-compute"),
        ("serviceaccounts", "unrelated"),
    ];
    for (kind, name) in foreign {
        let labels = json!({"app.kubernetes.io/managed-by": "kilonova-operator", "app.kubernetes.io/instance": "nova"});
        let metadata = json!({"name": name, "namespace": "cloud", "labels": labels});
        world.server.put(
            kind,
            json!({"metadata": metadata, "spec": {"replicas": 1, "template": {}}}),
        );
    }
    let before = foreign.map(|(kind, name)| world.server.get(kind, name));
    let operator = Operator::start(&world.server);
    operator.quiet(5 * MINUTE).await;
    world.spec("{apis: [{name: metadata}]}");
    operator.quiet(5 * MINUTE).await;
    assert_eq!(
        foreign.map(|(kind, name)| world.server.get(kind, name)),
        before
    );
    assert!(world.condition("Stalled").starts_with("True NameTaken"));
    operator.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_in_flight_end_but_does_not_wait_for_ever() {
    let world = World::with(BOTH);
    world.server.slow(Duration::from_millis(100));
    let operator = Operator::start(&world.server);
    let writing = |server: &ApiServer| !server.names("configmaps").is_empty();
    world.server.until(writing).await;
    let began = Instant::now();
    operator.stop().await;
    assert!(
        began.elapsed() <= Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(
        world.condition("Ready").starts_with("False RollingOut"),
        "it was answered"
    );

    world.server.fall_silent(0, Moment::Before);
    let operator = Operator::start(&world.server);
    operator.quiet(Duration::from_secs(1)).await;
    let began = Instant::now();
    operator.stop().await;
    assert!(
        began.elapsed() <= Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_definition_is_told_and_a_new_one_noticed() {
    use kilonova_operator::controller::check_definition;
    use kilonova_operator::metrics::Metrics;

    let (server, metrics) = (ApiServer::default(), Metrics::new().unwrap());
    let mismatch = |fields: usize| {
        let line = format!("kilonova_operator_crd_schema_mismatch {fields}\n");
        metrics.text().unwrap().contains(&line)
    };
    server.lacks(Some("apis"));
    let client = server.client();
    let updated = async {
        tokio::time::timeout(MINUTE / 2, std::future::pending::<()>())
            .await
            .unwrap_err();
        assert!(mismatch(1));
        server.lacks(None);
    };
    tokio::join!(check_definition(&client, &metrics), updated);
    assert!(mismatch(0));
}
