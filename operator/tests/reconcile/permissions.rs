//! The list of permissions grants what is asked for, and nothing else. (What is asked for beyond it is refused in every
//! scenario: see the API server of these tests.)

use std::collections::BTreeSet;
use std::time::Duration;

use kilonova_operator::permissions::PERMISSIONS;
use tokio::time::timeout;

use crate::operator::Operator;
use crate::pods::FakePod;
use crate::world::World;

type Permission = (String, String, String);

fn granted() -> BTreeSet<Permission> {
    let mut granted = BTreeSet::new();
    for rule in PERMISSIONS {
        for resource in rule.resources {
            for verb in rule.verbs {
                let permission = (rule.group, *resource, *verb);
                granted.insert((
                    permission.0.to_owned(),
                    permission.1.to_owned(),
                    permission.2.to_owned(),
                ));
            }
        }
    }
    granted
}

/// Kinds a cluster may lack.
const OPTIONAL: [(&str, &str); 4] = [
    ("gateway.networking.k8s.io/v1", "httproutes"),
    ("gateway.networking.k8s.io/v1", "tlsroutes"),
    ("cert-manager.io/v1", "certificates"),
    ("monitoring.coreos.com/v1", "podmonitors"),
];

const EVERYTHING: &str = "{apis: [
    {name: osapi_compute, autoscaling: {maxReplicas: 3, targetCPUUtilizationPercentage: 70},
     networkPolicy: {}, monitor: {podMonitor: true}, gateway: {parentRefs: [{name: g}], hostnames: [a]},
     tls: {secretName: a, certificate: {issuerRef: {name: ca}}}},
    {name: metadata, gateway: {parentRefs: [{name: g}]}}]}";

/// What everything an operator can do asks for.
async fn asked() -> BTreeSet<Permission> {
    let mut asked = Vec::new();
    // Reconciles alone, before anything is known from watches.
    let world =
        World::with("{apis: [{name: osapi_compute, tls: {secretName: a}}, {name: metadata}]}");
    world.certificate("a");
    world.reconcile().await;
    world.bring_up();
    world.spec("{apis: [{name: metadata, workers: 3, port: 80}]}");
    world.reconcile().await;
    world.bring_up();
    world.reconcile().await;
    let _pod = FakePod::of(&world, "nova-metadata", "p").await;
    world.spec("{apis: [{name: metadata, workers: 4, port: 80}]}");
    world.reconcile().await;
    asked.extend(world.server.asked());
    for (version, kind) in OPTIONAL {
        world.server.install(version, kind);
    }
    let world = World::on(&world.server, EVERYTHING);
    world.reconcile().await;
    world.bring_up();
    world.spec("{apis: [{name: metadata, workers: 4, port: 80}]}");
    world.reconcile().await;
    asked.extend(world.server.asked());

    // A whole operator that is elected, watches, and tells the same twice.
    let operator = Operator::elected(&world.server, "one").await;
    world
        .server
        .until(|server| server.holder() == Some("one".to_owned()))
        .await;
    let served = |server: &crate::apiserver::ApiServer| {
        let status = &server.get("novaapiservices", "nova").unwrap()["status"];
        status["observedGeneration"] == 2
    };
    timeout(Duration::from_secs(60), world.server.until(served))
        .await
        .unwrap();
    let secretless = "{apis: [{name: metadata, tls: {secretName: none}}]}";
    for spec in [secretless, "{apis: [{name: metadata}]}", secretless] {
        world.spec(spec);
        operator.quiet(Duration::from_secs(60)).await;
    }
    operator.stop().await;
    asked.extend(world.server.asked());
    let asked = asked
        .into_iter()
        .map(|asked| (asked.group, asked.resource, asked.verb.to_owned()));
    let created = world.server.created().into_iter();
    let created = created.map(|(group, resource)| (group, resource, "create".to_owned()));
    asked.chain(created).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_is_what_is_needed() {
    let (granted, asked) = (granted(), asked().await);
    let missing: Vec<_> = asked.difference(&granted).collect();
    let needless: Vec<_> = granted.difference(&asked).collect();
    assert!(
        missing.is_empty() && needless.is_empty(),
        "missing: {missing:?}\nneedless: {needless:?}"
    );
}
