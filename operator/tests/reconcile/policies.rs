//! Who may replace pods, and what waits.

use serde_json::{Value, json};

use crate::pods::FakePod;
use crate::world::World;

const SPEC: &str = "{apis: [{name: metadata, workers: 2, resources: {limits: {cpu: '2'}}}]}";
const NAME: &str = "nova-metadata";

async fn settled(spec: &str) -> World {
    let world = World::with(spec);
    world.settle().await;
    world.server.events();
    world
}

fn image(world: &World) -> Value {
    let deployment = world.server.get("deployments", NAME).unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

fn template(world: &World) -> Value {
    world.server.get("deployments", NAME).unwrap()["spec"]["template"].clone()
}

fn last(world: &World) -> Value {
    let plan = world.status()["plan"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    plan.last().cloned().unwrap_or_default()
}

/// The step that waits.
fn waiting(world: &World) -> Value {
    let plan = world.status()["plan"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    plan.into_iter()
        .find(|step| step["state"] == "Waiting")
        .unwrap()
}

fn approve(world: &World) {
    let hash = waiting(world)["hash"].as_str().unwrap().to_owned();
    world.annotate("kilonova.dev/approve", &format!("other, {hash}"));
}

#[tokio::test]
async fn a_new_release_waits_and_nothing_the_user_does_without_replacing_pods_releases_it() {
    let mut world = settled(SPEC).await;
    let pod = FakePod::of(&world, NAME, "pod-0").await;
    world.settle().await;
    let before = template(&world);
    world.upgrade("kilonova/server:next");
    world.settle().await;
    assert_eq!(template(&world), before);
    assert_eq!(last(&world)["state"], "Waiting");
    assert_eq!(last(&world)["effect"], "Roll");
    assert_eq!(
        last(&world)["what"],
        "image kilonova/server:test → kilonova/server:next"
    );
    assert_eq!(
        last(&world)["why"],
        "the operator's release changed; waits for approval"
    );
    assert!(
        world.condition("Ready").starts_with("True"),
        "{}",
        world.condition("Ready")
    );
    assert!(world.condition("Stalled").starts_with("False"));
    assert_eq!(world.status()["image"], "kilonova/server:test");
    let held = world.server.events();
    assert!(
        held.len() == 1 && held[0].starts_with("Normal Held: holding step 1"),
        "{held:?}"
    );

    // Numbers and live settings reach the pods of before.
    world.spec(
        &SPEC
            .replace("workers: 2", "workers: 5")
            .replace("{apis", "{replicas: 3, apis"),
    );
    world.reconcile().await;
    pod.reload(&world);
    let _more = [
        FakePod::of(&world, NAME, "pod-1").await,
        FakePod::of(&world, NAME, "pod-2").await,
    ];
    world.settle().await;
    assert_eq!(template(&world), before);
    assert_eq!(
        world.server.get("deployments", NAME).unwrap()["spec"]["replicas"],
        3
    );
    assert_eq!(
        world.status()["apis"][0]["workers"],
        json!({"desired": 5, "effective": 5})
    );
    assert!(world.condition("Ready").starts_with("True"));

    // A deployment that somebody deletes or changes comes back as it was.
    world.server.change("deployments", NAME, |it| {
        it["spec"]["template"]["spec"] = json!({});
    });
    world.settle().await;
    assert_eq!(template(&world), before);
    assert!(!world.reconcile().await.changed);
}

#[tokio::test]
async fn an_approval_is_good_for_one_step_and_once() {
    let mut world = settled(SPEC).await;
    world.upgrade("kilonova/server:next");
    world.settle().await;
    world.annotate("kilonova.dev/approve", "0123456789");
    world.settle().await;
    assert_eq!(image(&world), "kilonova/server:test");
    approve(&world);
    world.server.events();
    world.reconcile().await;
    assert_eq!(image(&world), "kilonova/server:next");
    assert_eq!(
        last(&world)["why"],
        "approved; the operator's release changed"
    );
    let told = world.server.events();
    assert!(
        told[1].starts_with("Normal Approved: approved step 1"),
        "{told:?}"
    );
    world.settle().await;
    assert_eq!(last(&world)["state"], "Done");
    assert!(
        world.server.events()[0].starts_with("Normal Rolled: every pod was replaced by step 1")
    );

    // The annotation is still there: going back waits, and going there again too.
    for (number, release) in [(2, "test"), (3, "next")] {
        let before = image(&world);
        world.upgrade(&format!("kilonova/server:{release}"));
        world.settle().await;
        assert_eq!(image(&world), before);
        assert_eq!(
            (&last(&world)["number"], &last(&world)["state"]),
            (&json!(number), &json!("Waiting"))
        );
        if number == 2 {
            approve(&world);
            world.settle().await;
        }
    }
}

#[tokio::test]
async fn a_change_that_replaces_pods_anyway_brings_the_new_release() {
    let mut world = settled(SPEC).await;
    world.upgrade("kilonova/server:next");
    world.settle().await;
    world.spec(&SPEC.replace("cpu: '2'", "cpu: '3'"));
    world.settle().await;
    assert_eq!(image(&world), "kilonova/server:next");
    let step = "image kilonova/server:test → kilonova/server:next, resources";
    assert_eq!(
        (&last(&world)["what"], &last(&world)["state"]),
        (&json!(step), &json!("Done"))
    );
    assert_eq!(last(&world)["why"], "the resource changed");
    // Records are not hoarded.
    assert_eq!(world.server.names("controllerrevisions").len(), 1);
}

#[tokio::test]
async fn under_automatic_a_new_release_goes_at_once() {
    let mut world = settled(&SPEC.replace("{apis", "{updatePolicy: Automatic, apis")).await;
    world.upgrade("kilonova/server:next");
    world.settle().await;
    assert_eq!(image(&world), "kilonova/server:next");
}

#[tokio::test]
async fn under_manual_a_change_of_the_user_waits_and_the_url_stays_true() {
    let manual = SPEC.replace("{apis", "{updatePolicy: Manual, apis");
    let world = settled(&manual).await;
    let (before, service) = (template(&world), world.server.get("services", NAME));
    world.spec(&manual.replace(
        "workers: 2",
        "workers: 3, port: 80, tls: {secretName: api-tls}",
    ));
    world.certificate("api-tls");
    world.settle().await;
    assert_eq!(template(&world), before);
    assert_eq!(world.server.get("services", NAME), service);
    let hash = waiting(&world)["hash"].as_str().unwrap().to_owned();
    let said = world.condition("Stalled");
    assert!(
        said.starts_with(
            "True WaitingForApproval: step 1 replaces the pods of Deployment nova-metadata ("
        ) && said.ends_with(&format!(
            "set the annotation kilonova.dev/approve to {hash}"
        )),
        "{said}"
    );
    assert!(
        world
            .condition("Ready")
            .starts_with("False WaitingForApproval")
    );
    assert!(world.condition("Reconciling").starts_with("False"));
    let api = &world.status()["apis"][0];
    assert_eq!(
        (&api["url"], &api["port"]),
        (&json!("http://nova-metadata.cloud.svc:8775"), &json!(8775))
    );
    assert_eq!(api["workers"]["desired"], 3);

    approve(&world);
    world.settle().await;
    assert_ne!(template(&world), before);
    assert_eq!(
        world.status()["apis"][0]["url"],
        "https://nova-metadata.cloud.svc:80"
    );
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn what_waits_for_a_change_that_is_taken_back_waits_no_more() {
    let manual = SPEC.replace("{apis", "{updatePolicy: Manual, apis");
    let world = settled(&manual).await;
    world.spec(&manual.replace("workers: 2", "workers: 2, port: 80"));
    world.settle().await;
    assert_eq!(last(&world)["state"], "Waiting");
    world.spec(&manual);
    world.settle().await;
    assert_eq!(world.status()["plan"], Value::Null);
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn the_approval_of_one_api_is_not_that_of_another() {
    let both = "{updatePolicy: Manual, image: a, apis: [{name: osapi_compute}, {name: metadata}]}";
    let world = settled(both).await;
    world.spec(&both.replace("image: a", "image: b"));
    world.settle().await;
    assert_eq!(last(&world)["api"], "metadata");
    world.annotate(
        "kilonova.dev/approve",
        last(&world)["hash"].as_str().unwrap(),
    );
    world.settle().await;
    assert_eq!(image(&world), "b");
    let other = world
        .server
        .get("deployments", "nova-osapi-compute")
        .unwrap();
    assert_eq!(
        other["spec"]["template"]["spec"]["containers"][0]["image"],
        "a"
    );
}

#[tokio::test]
async fn restart_at_replaces_pods_and_releases_nothing_else() {
    let mut world = settled(SPEC).await;
    world.upgrade("kilonova/server:next");
    world.settle().await;
    world.server.events();
    world.annotate("kilonova.dev/restart-at", "friday");
    world.settle().await;
    let annotations = template(&world)["metadata"]["annotations"].clone();
    assert_eq!(annotations["kilonova.dev/restart-at"], "friday");
    assert_eq!(image(&world), "kilonova/server:test");
    let told = world.server.events();
    let done = "Normal Rolled: every pod was replaced by step 2: metadata: kilonova.dev/restart-at changed";
    assert!(told.contains(&done.to_owned()), "{told:?}");
    // What waited keeps its number, and removing the annotation does nothing.
    assert_eq!(world.status()["plan"][0]["state"], "Waiting");
    let before = template(&world);
    world.server.change("novaapiservices", "nova", |it| {
        it["metadata"]["annotations"] = json!({});
    });
    world.settle().await;
    assert_eq!(template(&world), before);
    approve(&world);
    world.settle().await;
    assert_eq!(image(&world), "kilonova/server:next");
    assert_eq!(template(&world)["metadata"]["annotations"], annotations);
}

#[tokio::test]
async fn while_paused_nothing_is_written_but_the_status() {
    let world = settled(SPEC).await;
    let paused = SPEC.replace("{apis", "{paused: true, apis");
    world.spec(&paused);
    world.settle().await;
    assert!(
        world.condition("Ready").starts_with("True"),
        "{}",
        world.condition("Ready")
    );
    world.spec(&paused.replace("workers: 2", "workers: 2, port: 80"));
    world.server.writes();
    world.reconcile().await;
    assert!(
        world
            .server
            .writes()
            .iter()
            .all(|write| write.contains("status") || write.contains("events"))
    );
    assert!(
        world
            .condition("Ready")
            .starts_with("False Paused: spec.paused is set")
    );
    assert_eq!(last(&world)["state"], "Waiting");
    assert_eq!(
        last(&world)["why"],
        "the resource changed; spec.paused is set"
    );
    assert!(!world.reconcile().await.changed);
    world.spec(&SPEC.replace("workers: 2", "workers: 2, port: 80"));
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
    assert_eq!(last(&world)["state"], "Done");
}

#[tokio::test]
async fn a_paused_resource_that_was_never_served_says_so() {
    let world = World::with(&SPEC.replace("{apis", "{paused: true, apis"));
    world.reconcile().await;
    assert!(world.condition("Ready").starts_with("False Paused"));
    assert_eq!(world.server.names("deployments"), Vec::<String>::new());
}

#[tokio::test]
async fn under_manual_another_layout_waits_with_the_old_one_serving() {
    let spec = "{updatePolicy: Manual, apis: [{name: osapi_compute}, {name: metadata}]}";
    let world = settled(spec).await;
    world.spec(&spec.replace("apis:", "podLayout: Combined, apis:"));
    world.settle().await;
    assert_eq!(
        world.server.names("deployments"),
        [NAME, "nova-osapi-compute"]
    );
    assert!(
        world
            .condition("Stalled")
            .starts_with("True WaitingForApproval")
    );
    approve(&world);
    world.settle().await;
    assert_eq!(world.server.names("deployments"), ["nova-api"]);
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn a_record_that_was_lost_is_made_anew_and_replaces_nothing() {
    let mut world = settled(SPEC).await;
    let before = template(&world);
    let lose = |world: &World| {
        for name in world.server.names("controllerrevisions") {
            world.server.remove("controllerrevisions", &name);
        }
    };
    lose(&world);
    world.settle().await;
    assert_eq!(world.server.names("controllerrevisions").len(), 1);
    assert_eq!(template(&world), before);
    // Even beside a new release.
    lose(&world);
    world.upgrade("kilonova/server:next");
    world.settle().await;
    assert_eq!(template(&world), before);
    assert_eq!(last(&world)["state"], "Waiting");
    approve(&world);
    world.settle().await;
    assert_eq!(image(&world), "kilonova/server:next");
}
