//! Several replicas: one acts.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kilonova_operator::lease::gate::Gate;
use kilonova_operator::lease::{DURATION, HOLD};
use kilonova_operator::metrics::Metrics;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::apiserver::ApiServer;
use crate::apiserver::faults::Moment;
use crate::operator::{Operator, candidate};
use crate::world::{BOTH, World};

/// How long another replica needs to lead after `end`.
async fn fail_over(end: impl AsyncFnOnce(Operator)) -> Duration {
    let world = World::with(BOTH);
    let one = Operator::elected(&world.server, "one").await;
    let waiting = tokio::spawn({
        let server = world.server.clone();
        async move { Operator::elected(&server, "two").await }
    });
    one.quiet(Duration::from_secs(31)).await;
    assert_eq!(world.server.holder().as_deref(), Some("one"));
    let began = Instant::now();
    end(one).await;
    let two = waiting.await.unwrap();
    assert!(two.gate.check().is_ok());
    assert_eq!(world.server.holder().as_deref(), Some("two"));
    two.stop().await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_next_leads_at_once_after_a_clean_stop() {
    let needed = fail_over(async |one| one.stop().await).await;
    assert!(needed < Duration::from_secs(5), "{needed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_next_leads_within_twenty_seconds_after_a_kill() {
    let needed = fail_over(async |one| one.kill()).await;
    assert!(needed >= Duration::from_secs(10), "{needed:?}");
    assert!(needed <= Duration::from_secs(20), "{needed:?}");
}

#[tokio::test(start_paused = true)]
async fn of_many_that_begin_together_one_leads() {
    let (server, metrics) = (ApiServer::default(), Metrics::new().unwrap());
    let gates: Vec<Gate> = (0..5).map(|_| Gate::closed()).collect();
    let begin = |(number, gate): (usize, &Gate)| {
        let mut candidate = candidate(&server, &format!("n{number}"), gate, &metrics);
        tokio::spawn(async move {
            candidate.acquire().await;
            candidate.keep().await
        })
    };
    let all: Vec<_> = gates.iter().enumerate().map(begin).collect();
    timeout(Duration::from_secs(120), std::future::pending::<()>())
        .await
        .unwrap_err();
    let leading = gates.iter().filter(|gate| gate.check().is_ok());
    assert_eq!(leading.count(), 1);
    assert!(all.iter().all(|task| !task.is_finished()));
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_slept_writes_nothing_and_ends() {
    let world = World::with(BOTH);
    let one = Operator::elected(&world.server, "one").await;
    one.quiet(Duration::from_secs(10)).await;
    let (gate, context) = (one.gate.clone(), std::sync::Arc::clone(&one.context));
    one.kill();

    // Its clock goes on while it sleeps; the other begins when the lease is over.
    let two = Operator::elected(&world.server, "two").await;
    two.quiet(Duration::from_secs(5)).await;
    world.server.asked();
    assert!(gate.check().is_err());
    two.kill();
    let child: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "late", "namespace": "cloud"}}))
            .unwrap();
    let error = context.cluster.create(&child).await.unwrap_err();
    assert_eq!(error.class(), "not-leading", "{error}");
    assert_eq!(world.server.writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_finds_another_ends() {
    let world = World::with(BOTH);
    let one = Operator::elected(&world.server, "one").await;
    one.quiet(Duration::from_secs(1)).await;
    let gate = one.gate.clone();
    world.server.change("leases", "operator", |lease| {
        lease["spec"]["holderIdentity"] = "two".into();
    });
    let began = Instant::now();
    assert_eq!(one.lost().await, "two");
    assert!(began.elapsed() < HOLD);
    assert!(gate.check().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_stops_the_writing_but_costs_no_lead() {
    let world = World::with(BOTH);
    let one = Operator::elected(&world.server, "one").await;
    one.quiet(Duration::from_secs(10)).await;
    world.server.fall_silent(0, Moment::Before);
    one.quiet(HOLD).await;
    assert!(one.gate.check().is_err());
    one.quiet(Duration::from_secs(120)).await;
    world.server.recover();
    one.quiet(Duration::from_secs(5)).await;
    assert!(one.gate.check().is_ok());
    assert_eq!(world.server.holder().as_deref(), Some("one"));
    one.stop().await;
    assert_eq!(world.server.holder(), None);
}

#[tokio::test(start_paused = true)]
async fn a_candidate_waits_for_what_it_saw_however_the_lease_goes() {
    let server = ApiServer::default();
    let held = json!({"metadata": {"name": "operator", "namespace": "kilonova"}, "spec": {
        "holderIdentity": "other", "leaseDurationSeconds": 15, "leaseTransitions": 4,
        "renewTime": "2099-01-01T00:00:00.000000Z"}});
    server.put("leases", held);
    let (gate, metrics) = (Gate::closed(), Metrics::new().unwrap());
    let mut candidate = candidate(&server, "me", &gate, &metrics);
    let began = Instant::now();
    let deleted = async {
        timeout(Duration::from_secs(5), std::future::pending::<()>())
            .await
            .unwrap_err();
        server.remove("leases", "operator");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = candidate.acquire() => {}
        () = deleted => {}
    }
    assert!(began.elapsed() >= DURATION, "{:?}", began.elapsed());
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("kilonova_operator_leader 1")
    );
}
