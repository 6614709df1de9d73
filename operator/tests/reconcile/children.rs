//! Which children are made, changed, left alone and deleted.

use serde_json::{Value, json};

use crate::world::{BOTH, NOW, World, time};

#[tokio::test]
async fn first_everything_is_created_and_then_nothing_is_written() {
    let world = World::with(BOTH);
    assert!(world.reconcile().await.changed);
    let cold = &world.server.names("configmaps");
    let records = &world.server.names("controllerrevisions");
    assert_eq!(
        world.server.writes(),
        [
            "patch serviceaccounts nova-osapi-compute".to_owned(),
            format!("patch configmaps {}", cold[2]),
            format!("patch configmaps {}", cold[3]),
            format!("patch controllerrevisions {}", records[1]),
            "patch deployments nova-osapi-compute".to_owned(),
            "patch deployments nova-osapi-compute".to_owned(),
            "patch deployments nova-osapi-compute".to_owned(),
            "patch serviceaccounts nova-metadata".to_owned(),
            format!("patch configmaps {}", cold[0]),
            format!("patch configmaps {}", cold[1]),
            format!("patch controllerrevisions {}", records[0]),
            "patch deployments nova-metadata".to_owned(),
            "patch deployments nova-metadata".to_owned(),
            "patch deployments nova-metadata".to_owned(),
            "patch services nova-osapi-compute".to_owned(),
            "patch services nova-metadata".to_owned(),
            "patch poddisruptionbudgets nova-osapi-compute".to_owned(),
            "patch poddisruptionbudgets nova-metadata".to_owned(),
            "patch novaapiservices/status nova".to_owned(),
            "create events".to_owned(),
        ]
    );
    assert!(!world.reconcile().await.changed);
    assert_eq!(world.server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_left_in_peace() {
    let world = World::with(BOTH);
    world.settle().await;
    world.server.leave();
    world.server.remove("deployments", "nova-metadata");
    world.server.remove("serviceaccounts", "nova-metadata");
    world.server.writes();
    world.server.events();
    assert_eq!(world.reconcile().await.again, None);
    assert_eq!(
        world.server.writes(),
        ["patch serviceaccounts nova-metadata"]
    );
    assert_eq!(world.server.events(), Vec::<String>::new());
}

#[tokio::test]
async fn the_number_of_pods_belongs_to_the_second_manager() {
    let world = World::with(BOTH);
    world.settle().await;
    let replicas =
        |name: &str| world.server.get("deployments", name).unwrap()["spec"]["replicas"].clone();
    assert_eq!(
        (replicas("nova-osapi-compute"), replicas("nova-metadata")),
        (json!(2), json!(1))
    );
    world.spec(&BOTH.replace("replicas: 2", "replicas: 5"));
    world.settle().await;
    assert_eq!(
        (replicas("nova-osapi-compute"), replicas("nova-metadata")),
        (json!(5), json!(1))
    );
    let status = world.status();
    assert_eq!(
        (&status["ready"], &status["replicas"]),
        (&json!("6/6"), &json!(5))
    );
}

#[tokio::test]
async fn a_foreign_service_is_left_alone() {
    let world = World::with(BOTH);
    let foreign = json!({
        "apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1}]},
        "metadata": {"name": "nova-metadata", "namespace": "cloud", "labels": {"app": "openstack-helm"}},
    });
    world.server.put("services", foreign);
    let before = world.server.get("services", "nova-metadata");
    world.reconcile().await;
    let expected = "True NameTaken: Service nova-metadata exists in namespace cloud and was not made by this \
                    ApiService: it is left alone; delete or rename it, or give this ApiService another name";
    assert_eq!(world.condition("Stalled"), expected);
    assert!(world.condition("Ready").starts_with("False NameTaken"));
    assert_eq!(world.server.get("services", "nova-metadata"), before);
    assert!(
        !world
            .server
            .writes()
            .contains(&"patch services nova-metadata".to_owned())
    );

    world.server.remove("services", "nova-metadata");
    world.settle().await;
    assert!(world.condition("Ready").starts_with("True"));
    assert!(world.condition("Stalled").starts_with("False"));
}

#[tokio::test]
async fn a_foreign_object_made_in_between_is_left_alone_too() {
    let world = World::with(BOTH);
    let foreign = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nova-metadata", "namespace": "cloud"},
    });
    world.server.ambush("serviceaccounts", foreign);
    let error = world.try_reconcile().await.unwrap_err();
    assert_eq!(error.class(), "outrun", "{error}");
    let held = world
        .server
        .get("serviceaccounts", "nova-metadata")
        .unwrap();
    assert_eq!(held["metadata"]["ownerReferences"], Value::Null);
    world.reconcile().await;
    assert!(
        world
            .condition("Stalled")
            .starts_with("True NameTaken: ServiceAccount nova-metadata exists")
    );
    assert_eq!(
        world.server.get("serviceaccounts", "nova-metadata"),
        Some(held)
    );
    assert_eq!(world.server.names("deployments"), ["nova-osapi-compute"]);
}

#[tokio::test]
async fn an_api_that_is_removed_takes_its_children_with_it() {
    let world = World::with(BOTH);
    world.settle().await;
    world.spec("{replicas: 2, apis: [{name: osapi_compute, workers: 2}]}");
    world.settle().await;
    assert_eq!(world.server.names("deployments"), ["nova-osapi-compute"]);
    assert_eq!(world.server.names("services"), ["nova-osapi-compute"]);
    assert_eq!(
        world.server.names("serviceaccounts"),
        ["nova-osapi-compute"]
    );
    assert_eq!(world.server.names("configmaps").len(), 2);
}

#[tokio::test]
async fn old_settings_stay_while_a_replica_set_would_use_them() {
    let world = World::with(BOTH);
    world.settle().await;
    let old = world.server.get("deployments", "nova-metadata").unwrap();
    let labels = old["spec"]["template"]["metadata"]["labels"].clone();
    world.server.put(
        "replicasets",
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "nova-metadata-1", "namespace": "cloud", "labels": labels},
            "spec": {"selector": {}, "template": old["spec"]["template"]},
        }),
    );
    world.spec(&BOTH.replace("name: metadata", "name: metadata, port: 80"));
    world.settle().await;
    assert_eq!(world.server.names("configmaps").len(), 6);
    world.server.remove("replicasets", "nova-metadata-1");
    world.settle().await;
    assert_eq!(world.server.names("configmaps").len(), 4);
}

#[tokio::test]
async fn on_a_change_of_layout_the_old_goes_when_the_new_serves() {
    let world = World::with(BOTH);
    world.settle().await;
    world.spec(
        "{podLayout: Combined, replicas: 2, apis: [{name: osapi_compute}, {name: metadata}]}",
    );
    world.reconcile().await;
    world.reconcile().await;
    let all = ["nova-api", "nova-metadata", "nova-osapi-compute"];
    assert_eq!(world.server.names("deployments"), all);
    assert!(
        world
            .condition("Ready")
            .starts_with("False RollingOut: Deployment nova-api")
    );
    assert!(world.condition("Available").starts_with("True"));
    world.settle().await;
    assert_eq!(world.server.names("deployments"), ["nova-api"]);
    assert_eq!(
        world.server.names("services"),
        ["nova-metadata", "nova-osapi-compute"]
    );
    assert!(world.condition("Ready").starts_with("True"));
}

#[tokio::test]
async fn what_was_deleted_or_changed_by_others_comes_back() {
    let world = World::with(BOTH);
    world.settle().await;
    world.server.remove("deployments", "nova-metadata");
    world.server.remove("services", "nova-metadata");
    world
        .server
        .change("services", "nova-osapi-compute", |service| {
            service["spec"]["ports"][0]["port"] = json!(1);
        });
    world.settle().await;
    assert!(world.server.get("deployments", "nova-metadata").is_some());
    assert!(world.server.get("services", "nova-metadata").is_some());
    let service = world.server.get("services", "nova-osapi-compute").unwrap();
    assert_eq!(service["spec"]["ports"][0]["port"], 8774);
}

#[tokio::test]
async fn what_is_being_deleted_is_not_made_anew() {
    let world = World::with(BOTH);
    world.server.change("novaapiservices", "nova", |service| {
        service["metadata"]["deletionTimestamp"] = time(NOW);
    });
    assert!(!world.reconcile().await.changed);
    world.server.remove("novaapiservices", "nova");
    assert!(!world.reconcile().await.changed);
    assert_eq!(world.server.writes(), Vec::<String>::new());
}
