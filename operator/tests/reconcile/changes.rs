//! What running pods take over, how that is confirmed, and what is done when it is not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::pods::FakePod;
use crate::world::{BOTH, NOW, TLS, World, issue};

const ONE: &str = "{apis: [{name: metadata, workers: 2}]}";

/// A settled world with pods of one Deployment.
async fn serving(spec: &str, deployment: &str, count: usize) -> (World, Vec<FakePod>) {
    let world = World::with(spec);
    world.certificate("api-tls");
    world.settle().await;
    let mut pods = Vec::new();
    for number in 0..count {
        pods.push(FakePod::of(&world, deployment, &format!("pod-{number}")).await);
    }
    world.settle().await;
    world.server.events();
    (world, pods)
}

/// The plan, each step as `effect state api: what (why)`.
fn plan(world: &World) -> Vec<String> {
    let plan = world.status()["plan"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let text = |item: &Value, field: &str| item[field].as_str().unwrap().to_owned();
    plan.iter()
        .map(|item| {
            let field = |name| text(item, name);
            let (effect, state, api) = (field("effect"), field("state"), field("api"));
            format!(
                "{effect} {state} {api}: {} ({})",
                field("what"),
                field("why")
            )
        })
        .collect()
}

fn template(world: &World, name: &str) -> Value {
    world.server.get("deployments", name).unwrap()["spec"]["template"].clone()
}

#[tokio::test]
async fn new_settings_are_announced_written_and_confirmed() {
    let (world, pods) = serving(ONE, "nova-metadata", 2).await;
    let before = template(&world, "nova-metadata");
    assert_eq!(world.status()["apis"][0]["revision"]["confirmedBy"], "2/2");
    assert!(world.condition("Ready").starts_with("True"));

    world.spec(&ONE.replace('2', "4"));
    world.reconcile().await;
    let live = world
        .server
        .names("configmaps")
        .into_iter()
        .find(|name| name.ends_with("-live"));
    assert_eq!(
        world.server.writes(),
        [
            "patch novaapiservices/status nova".to_owned(),
            format!("patch configmaps {}", live.unwrap()),
            "patch pods pod-0".to_owned(),
            "patch pods pod-1".to_owned(),
            "patch novaapiservices/status nova".to_owned(),
            "create events".to_owned(),
        ]
    );
    let step = |state: &str| {
        format!("Reload {state} metadata: metadata.workers 2 → 4 (the resource changed)")
    };
    assert_eq!(plan(&world), [step("Pending")]);
    let said = world.condition("Ready");
    assert!(
        said.starts_with("False Confirming: Deployment nova-metadata: 0 of 2 pods"),
        "{said}"
    );
    assert!(world.condition("Progressing").starts_with("True"));
    assert_eq!(
        world.status()["apis"][0]["workers"],
        json!({"desired": 4, "effective": 2})
    );

    pods[0].reload(&world);
    assert_eq!(world.reconcile().await.again, Some(Duration::from_secs(1)));
    assert_eq!(world.status()["apis"][0]["revision"]["confirmedBy"], "1/2");
    assert!(
        world
            .condition("ConfigAccepted")
            .starts_with("False Confirming")
    );
    pods[1].reload(&world);
    world.server.events();
    world.reconcile().await;
    assert_eq!(plan(&world), [step("Done")]);
    assert!(world.condition("Ready").starts_with("True Serving"));
    assert!(
        world
            .condition("ConfigAccepted")
            .starts_with("True Confirmed")
    );
    assert_eq!(world.status()["apis"][0]["workers"]["effective"], 4);
    assert_eq!(
        world.server.events(),
        [
            "Normal Reloaded: every pod has confirmed step 1: metadata: metadata.workers 2 → 4",
            "Normal Ready: every API is served by all its pods",
        ]
    );
    assert_eq!(template(&world, "nova-metadata"), before);
    world.server.writes();
    let outcome = world.reconcile().await;
    assert!(!outcome.changed);
    let again = outcome.again.unwrap().as_secs();
    assert!((54..=66).contains(&again), "{again}");
}

#[tokio::test]
async fn a_rotation_is_told_with_its_serial_when_every_pod_serves_it() {
    let (world, pods) = serving(TLS, "nova-osapi-compute", 2).await;
    let before = template(&world, "nova-osapi-compute");
    let served = |world: &World| world.status()["apis"][0]["tls"]["servedBy"].clone();
    assert_eq!(served(&world), "2/2");
    world.certificate("api-tls");
    world.reconcile().await;
    assert_eq!(
        world.server.writes(),
        [
            "patch novaapiservices/status nova",
            "patch pods pod-0",
            "patch pods pod-1",
            "patch novaapiservices/status nova",
            "create events",
        ]
    );
    assert_eq!(served(&world), "0/2");
    assert!(world.condition("Ready").starts_with("False Confirming"));
    pods[0].reload(&world);
    world.reconcile().await;
    assert_eq!(served(&world), "1/2");
    pods[1].reload(&world);
    world.server.events();
    world.reconcile().await;
    assert_eq!(served(&world), "2/2");
    let serial = world.status()["apis"][0]["tls"]["serial"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = format!(
        "Normal CertificateServed: every pod serves step 1: osapi_compute: certificate of osapi_compute: serial {serial}"
    );
    assert_eq!(world.server.events()[0], told);
    assert_eq!(template(&world, "nova-osapi-compute"), before);
}

#[tokio::test]
async fn client_authorities_are_part_of_what_is_confirmed() {
    let spec = TLS.replace(
        "{secretName: api-tls}",
        "{secretName: api-tls, clientAuth: {caSecretName: ca}}",
    );
    let world = World::with(&spec);
    let bundle = || issue(NOW - 86_400, NOW + 86_400).0;
    world.secret("ca", &[("ca.crt", &bundle())]);
    world.certificate("api-tls");
    world.settle().await;
    let pod = FakePod::of(&world, "nova-osapi-compute", "pod-0").await;
    world.settle().await;
    assert!(world.condition("ConfigAccepted").starts_with("True"));
    world.secret("ca", &[("ca.crt", &bundle())]);
    world.reconcile().await;
    let expected = "Reload Pending osapi_compute: contents of the Secrets (a Secret changed)";
    assert_eq!(plan(&world), [expected]);
    pod.reload(&world);
    world.reconcile().await;
    assert!(world.condition("ConfigAccepted").starts_with("True"));
}

#[tokio::test]
async fn a_pod_that_does_not_follow_is_replaced_at_its_deadline_and_once() {
    let (mut world, pods) = serving(ONE, "nova-metadata", 1).await;
    world.spec(&ONE.replace('2', "4"));
    world.reconcile().await;
    let before = template(&world, "nova-metadata");
    world.now = NOW + 89;
    world.reconcile().await;
    world.reconcile().await;
    assert_eq!(template(&world, "nova-metadata"), before);
    world.now = NOW + 90;
    world.reconcile().await;
    world.server.events();
    world.reconcile().await;
    let stamped = template(&world, "nova-metadata");
    assert!(stamped["metadata"]["annotations"]["kilonova.dev/replaced-for"].is_string());
    assert!(
        plan(&world)[1]
            .starts_with("Roll Pending metadata: pods that do not take over what is mounted")
    );
    assert!(world.server.events()[0].starts_with("Normal Rolling"));

    // The pod of before is still there and still says the same: that was all.
    for _ in 0..3 {
        world.now += 100;
        world.bring_up();
        world.reconcile().await;
        assert_eq!(template(&world, "nova-metadata"), stamped);
    }
    pods[0].reload(&world);
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
    assert!(plan(&world).iter().all(|step| step.contains(" Done ")));
    // It stays stamped.
    world.spec(&ONE.replace('2', "5"));
    world.settle().await;
    assert_eq!(template(&world, "nova-metadata"), stamped);
}

#[tokio::test]
async fn what_was_superseded_replaces_no_pod() {
    let (mut world, pods) = serving(ONE, "nova-metadata", 1).await;
    let before = template(&world, "nova-metadata");
    world.spec(&ONE.replace('2', "4"));
    world.reconcile().await;
    world.now = NOW + 90;
    world.reconcile().await;
    world.spec(&ONE.replace('2', "5"));
    world.reconcile().await;
    world.reconcile().await;
    assert_eq!(template(&world, "nova-metadata"), before);
    pods[0].reload(&world);
    world.settle().await;
    assert_eq!(template(&world, "nova-metadata"), before);
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn a_broken_secret_neither_reloads_nor_replaces() {
    let (mut world, _pods) = serving(TLS, "nova-osapi-compute", 1).await;
    let before = template(&world, "nova-osapi-compute");
    let revision = world.status()["apis"][0]["revision"]["desired"].clone();
    world.secret("api-tls", &[("tls.crt", "junk"), ("tls.key", "junk")]);
    for _ in 0..3 {
        world.reconcile().await;
        world.now += 100;
    }
    assert_eq!(template(&world, "nova-osapi-compute"), before);
    assert_eq!(world.status()["apis"][0]["revision"]["desired"], revision);
    assert!(
        world
            .condition("ConfigAccepted")
            .starts_with("Unknown WaitingForSecret")
    );
    assert!(
        world
            .server
            .writes()
            .iter()
            .all(|write| !write.contains("pods"))
    );
}

#[tokio::test]
async fn under_manual_even_the_deadline_waits() {
    let manual = "{updatePolicy: Manual, apis: [{name: metadata, workers: 2}]}";
    let (mut world, _pods) = serving(manual, "nova-metadata", 1).await;
    let before = template(&world, "nova-metadata");
    world.spec(&manual.replace('2', "4"));
    for _ in 0..3 {
        world.reconcile().await;
        world.now += 60;
    }
    world.reconcile().await;
    assert_eq!(template(&world, "nova-metadata"), before);
    assert!(
        world
            .condition("Stalled")
            .starts_with("True WaitingForApproval: step 2 replaces the pods")
    );
    world.annotate(
        "kilonova.dev/approve",
        world.status()["plan"][1]["hash"].as_str().unwrap(),
    );
    world.reconcile().await;
    assert_ne!(template(&world, "nova-metadata"), before);
}

#[tokio::test]
async fn a_pod_that_cannot_be_asked_is_never_replaced() {
    let (mut world, pods) = serving(ONE, "nova-metadata", 2).await;
    let before = template(&world, "nova-metadata");
    world.spec(&ONE.replace('2', "4"));
    pods[0].fall_silent();
    world.reconcile().await;
    pods[1].reload(&world);
    world.reconcile().await;
    let unknown = "Unknown StatusUnreachable: pod pod-0 cannot be asked on port 9774";
    assert!(world.condition("ConfigAccepted").starts_with(unknown));
    assert!(world.condition("Ready").starts_with("False Confirming"));
    for _ in 0..5 {
        world.now += 100;
        world.reconcile().await;
        world.reconcile().await;
    }
    assert_eq!(template(&world, "nova-metadata"), before);
    assert!(world.condition("ConfigAccepted").starts_with(unknown));
    // Every pod that can be asked has confirmed.
    assert!(
        world
            .condition("Ready")
            .starts_with("True StatusUnreachable")
    );
    world.server.writes();
    world.reconcile().await;
    assert_eq!(world.server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_restarted_operator_believes_what_was_confirmed() {
    let (mut world, pods) = serving(ONE, "nova-metadata", 2).await;
    pods[0].fall_silent();
    pods[1].fall_silent();
    world.restart();
    world.settle().await;
    world.reconcile().await;
    assert_eq!(world.status()["apis"][0]["revision"]["confirmedBy"], "2/2");
    assert!(world.condition("Ready").starts_with("True"));
    assert_eq!(world.server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_pods_refuse_and_why_their_workers_die_is_told() {
    let (world, pods) = serving(ONE, "nova-metadata", 1).await;
    pods[0].say(|status| status["lastReload"] = json!({"at": 1, "error": "crl.pem: cannot read"}));
    world.reconcile().await;
    let refused = "pod pod-0 does not take over what is mounted: crl.pem: cannot read";
    assert_eq!(
        world.condition("ConfigAccepted"),
        format!("False ReloadRefused: {refused}")
    );
    assert_eq!(
        world.server.events(),
        [format!("Warning ReloadRefused: {refused}")]
    );
    pods[0].say(|status| status["apis"][0]["failing"] = "exit status 3: no such module".into());
    world.reconcile().await;
    let failing =
        "pod pod-0: the workers of metadata do not stay alive: exit status 3: no such module";
    assert_eq!(
        world.condition("Ready"),
        format!("False WorkersFailing: {failing}")
    );
    assert_eq!(
        world.server.events(),
        [format!("Warning WorkersFailing: {failing}")]
    );
}

#[tokio::test]
async fn the_database_is_what_the_pods_see_of_it() {
    let (world, pods) = serving(ONE, "nova-metadata", 2).await;
    assert_eq!(world.condition("DatabaseReady"), "");
    let database = |reachable: bool| json!({"reachable": reachable, "error": "connection refused"});
    pods[0].say(|status| status["database"] = database(true));
    pods[1].say(|status| status["database"] = database(false));
    world.reconcile().await;
    assert_eq!(
        world.condition("DatabaseReady"),
        "False DatabaseUnreachable: a pod does not reach the database: connection refused"
    );
    pods[1].say(|status| status["database"] = database(true));
    world.server.events();
    world.reconcile().await;
    assert!(
        world
            .condition("DatabaseReady")
            .starts_with("True Reachable")
    );
    assert!(world.server.events()[0].starts_with("Normal DatabaseReady"));
}

#[tokio::test]
async fn reload_at_makes_pods_read_everything_again() {
    let (world, pods) = serving(ONE, "nova-metadata", 1).await;
    world.annotate("kilonova.dev/reload-at", "now");
    world.reconcile().await;
    let expected = "Reload Pending metadata: live.yaml is read again (reload-at changed)";
    assert_eq!(plan(&world), [expected]);
    pods[0].reload(&world);
    world.server.events();
    world.reconcile().await;
    assert!(
        world.server.events()[0].starts_with("Normal Reloaded: every pod has confirmed step 1")
    );
    // The annotation goes: nothing happens, and the same token does nothing twice.
    world.server.change("novaapiservices", "nova", |service| {
        service["metadata"]["annotations"] = json!({});
    });
    assert!(!world.reconcile().await.changed);
    world.annotate("kilonova.dev/reload-at", "now");
    assert!(!world.reconcile().await.changed);
}

#[tokio::test]
async fn a_pod_that_has_not_been_seen_has_not_confirmed() {
    let (world, _pods) = serving(ONE, "nova-metadata", 1).await;
    world.spec(&ONE.replace("{apis", "{replicas: 2, apis"));
    world.reconcile().await;
    world.bring_up();
    world.reconcile().await;
    let said = world.condition("Ready");
    assert!(
        said.starts_with("False Confirming: Deployment nova-metadata: 1 of 2 pods are known"),
        "{said}"
    );
    let _second = FakePod::of(&world, "nova-metadata", "pod-1").await;
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn a_number_of_pods_is_announced_and_touches_none() {
    let world = World::with(BOTH);
    world.settle().await;
    world.spec(&BOTH.replace("replicas: 2", "replicas: 3"));
    world.reconcile().await;
    assert_eq!(
        plan(&world),
        ["None Pending osapi_compute: replicas 2 → 3 (the resource changed)"]
    );
    world.settle().await;
    assert_eq!(
        plan(&world),
        ["None Done osapi_compute: replicas 2 → 3 (the resource changed)"]
    );
}
