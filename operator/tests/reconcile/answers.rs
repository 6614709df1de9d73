//! What the status says.

use serde_json::json;

use crate::world::{BOTH, NOW, TLS, World, pod, time};

#[tokio::test]
async fn ready_comes_with_the_last_pod_and_old_pods_gone() {
    let world = World::with(BOTH);
    world.reconcile().await;
    assert!(
        world
            .condition("Ready")
            .starts_with("False RollingOut: Deployment nova-osapi-compute: 0 of 2 pods updated")
    );
    assert!(
        world
            .condition("Reconciling")
            .starts_with("True RollingOut")
    );
    world.bring_up();
    // A pod of before was told to stop three seconds ago.
    world
        .server
        .put("pods", pod("old", "osapi-compute", Some(NOW - 3)));
    world.reconcile().await;
    assert_eq!(
        world.condition("Ready"),
        "False Draining: 1 old pods may still take connections"
    );
    world.server.change("pods", "old", |pod| {
        pod["metadata"]["deletionTimestamp"] = time(NOW + 60 - 6);
    });
    world.reconcile().await;
    assert_eq!(
        world.condition("Ready"),
        "True Serving: every API is served by all its pods"
    );
    assert_eq!(
        world.condition("Available"),
        "True PodsAvailable: every API has a pod that serves"
    );
    assert_eq!(world.condition("TLSReady"), "");
}

#[tokio::test]
async fn what_the_api_server_refuses_is_told() {
    let world = World::with("{apis: [{name: metadata}]}");
    world.server.refuse(Some("deployments"));
    world.reconcile().await;
    let expected =
        "True ChildRefused: the API server refuses Deployment nova-metadata: spec: Invalid value";
    assert_eq!(world.condition("Stalled"), expected);
    world.server.refuse(None);
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn a_rollout_that_failed_is_stalled() {
    let world = World::with("{apis: [{name: metadata}]}");
    world.reconcile().await;
    world.server.change("deployments", "nova-metadata", |deployment| {
        deployment["status"] = json!({"observedGeneration": 9, "replicas": 1, "updatedReplicas": 1, "conditions": [{
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "too slow",
        }]});
    });
    world.reconcile().await;
    assert_eq!(
        world.condition("Stalled"),
        "True RolloutFailed: Deployment nova-metadata: too slow"
    );
    assert!(world.condition("Reconciling").starts_with("False"));
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn a_restarted_operator_changes_nothing() {
    let mut world = World::with(TLS);
    world.certificate("api-tls");
    world.settle().await;
    let before = world.server.get("deployments", "nova-osapi-compute");
    let status = world.status();
    world.restart();
    world.reconcile().await;
    world.server.asked();
    assert_eq!(
        world.server.get("deployments", "nova-osapi-compute"),
        before
    );
    assert_eq!(world.status(), status);
    assert!(!world.reconcile().await.changed);
}

#[tokio::test]
async fn a_pod_that_crashes_is_named_with_its_last_words() {
    let world = World::with("{apis: [{name: metadata}]}");
    let mut crashing = pod("nova-metadata-1", "metadata", None);
    crashing["status"]["containerStatuses"] = json!([{
        "name": "kilonova", "image": "i", "imageID": "", "ready": false, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting"}},
        "lastState": {"terminated": {"exitCode": 1, "message": "starting\n2026-11-23 15:48:43.818 9403 ERROR kilonova_server.supervisor [-] port 80: permission denied\n"}},
    }]);
    world.server.put("pods", crashing);
    world.reconcile().await;
    assert_eq!(
        world.condition("Ready"),
        "False CrashLoopBackOff: pod nova-metadata-1 is in CrashLoopBackOff: exit status 1, saying: port 80: permission denied"
    );
    assert!(
        world
            .condition("Reconciling")
            .starts_with("True RollingOut")
    );

    // The next attempt runs for a moment: the same trouble, and nothing is written.
    let mut running = world.server.get("pods", "nova-metadata-1").unwrap();
    let container = &mut running["status"]["containerStatuses"][0];
    container["restartCount"] = 4.into();
    container["state"] = json!({"running": {}});
    world.server.put("pods", running);
    world.server.writes();
    world.reconcile().await;
    assert_eq!(world.server.writes(), Vec::<String>::new());
}
