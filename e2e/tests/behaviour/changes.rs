//! What follows from changes of the resource, and of what follows from it.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use kilonova_e2e::namespace::{Kind, PATIENCE};
use kilonova_e2e::{Cluster, Namespace};
use kilonova_operator::api::ApiService;
use kilonova_probe::{client, wait_within};
use kube::ResourceExt;

const MINE: &str = "app.kubernetes.io/instance=nova";

fn wait_names<K: Kind>(namespace: &Namespace<'_>, names: &[&str]) {
    let what = format!("{} {names:?}", K::kind(&()));
    wait_within(PATIENCE, &what, || {
        (namespace.names::<K>(MINE) == names).then_some(())
    });
}

#[test]
fn another_port_means_other_pods_and_the_service_follows() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("port");
    namespace.apply("apis: [{name: osapi_compute}]");
    namespace.wait_ready();
    let before = namespace.uids();
    namespace.apply("apis: [{name: osapi_compute, port: 80}]");
    namespace.wait_ready();
    assert_eq!(namespace.address("nova-osapi-compute").port(), 80);
    assert_eq!(
        client::get(namespace.address("nova-osapi-compute"), "/").status,
        200
    );
    let after = namespace.uids();
    assert!(after.is_disjoint(&before), "{before:?} {after:?}");
    wait_within(PATIENCE, "the old pods to go", || {
        (namespace.list::<Pod>(MINE).len() == 1).then_some(())
    });
}

#[test]
fn hot_settings_reach_running_pods() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("hot");
    namespace.apply("apis: [{name: osapi_compute, workers: 1}]");
    namespace.wait_ready();
    let before = namespace.uids();
    namespace.apply("apis: [{name: osapi_compute, workers: 3}]");
    let pod = namespace.pods().remove(0);
    wait_within(PATIENCE, "three workers", || {
        let workers = namespace.pod_status(&pod)?.apis.remove(0).workers;
        (workers.len() == 3).then_some(())
    });
    assert_eq!(namespace.uids(), before);
}

#[test]
fn the_number_of_pods_follows_and_is_scaled() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("replicas");
    namespace.database();
    namespace
        .apply("{database: {secretName: nova-db}, replicas: 2, apis: [{name: osapi_compute}]}");
    namespace.wait_ready();
    assert_eq!(namespace.pods().len(), 2);
    let before = namespace.uids();
    let scaled =
        kilonova_e2e::cluster::kubectl(&["-n", "replicas", "scale", "napi/nova", "--replicas=1"]);
    assert!(scaled.status.success(), "{scaled:?}");
    wait_within(PATIENCE, "one pod", || {
        (namespace.pods().len() == 1).then_some(())
    });
    namespace.wait_ready();
    assert!(
        namespace.uids().is_subset(&before),
        "scaling restarts nothing"
    );
}

#[test]
fn deleted_children_come_back() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("deleted-children");
    namespace.apply("apis: [{name: osapi_compute}]");
    namespace.wait_ready();
    let deployment: Deployment = namespace.get("nova-osapi-compute").unwrap();
    let service: Service = namespace.get("nova-osapi-compute").unwrap();
    namespace.delete::<Deployment>("nova-osapi-compute");
    namespace.delete::<Service>("nova-osapi-compute");
    wait_within(PATIENCE, "another Deployment and another Service", || {
        let again: Deployment = namespace.get("nova-osapi-compute")?;
        let other: Service = namespace.get("nova-osapi-compute")?;
        (again.uid() != deployment.uid() && other.uid() != service.uid()).then_some(())
    });
    namespace.wait_ready();
    assert_eq!(
        client::get(namespace.address("nova-osapi-compute"), "/").status,
        200
    );
}

#[test]
fn an_api_that_is_removed_takes_its_children_along() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("removed-api");
    namespace.database();
    namespace.apply(
        "{database: {secretName: nova-db}, apis: [{name: osapi_compute}, {name: metadata}]}",
    );
    namespace.wait_ready();
    wait_names::<Service>(&namespace, &["nova-metadata", "nova-osapi-compute"]);
    assert_eq!(
        client::get(namespace.address("nova-metadata"), "/").status,
        200
    );
    namespace.apply("{database: {secretName: nova-db}, apis: [{name: osapi_compute}]}");
    wait_names::<Deployment>(&namespace, &["nova-osapi-compute"]);
    wait_names::<Service>(&namespace, &["nova-osapi-compute"]);
    wait_within(PATIENCE, "its ConfigMaps to go", || {
        let left = namespace.names::<ConfigMap>(MINE);
        left.iter()
            .all(|name| !name.starts_with("nova-metadata"))
            .then_some(())
    });
    namespace.wait_ready();
}

#[test]
fn a_deleted_resource_leaves_nothing() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("deleted");
    namespace.database();
    namespace.apply(
        "{database: {secretName: nova-db}, apis: [{name: osapi_compute}, {name: metadata}]}",
    );
    namespace.wait_ready();
    assert_eq!(namespace.nova().metadata.finalizers, None);
    namespace.delete::<ApiService>("nova");
    wait_names::<Deployment>(&namespace, &[]);
    wait_names::<ReplicaSet>(&namespace, &[]);
    wait_names::<Service>(&namespace, &[]);
    wait_names::<ConfigMap>(&namespace, &[]);
    wait_names::<ServiceAccount>(&namespace, &[]);
    wait_names::<Pod>(&namespace, &[]);
}

#[test]
fn both_layouts_serve_and_one_follows_the_other() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("layouts");
    let answers = || {
        for service in ["nova-osapi-compute", "nova-metadata"] {
            assert_eq!(
                client::get(namespace.address(service), "/").status,
                200,
                "{service}"
            );
        }
    };
    namespace.database();
    let apply = |layout: &str| {
        namespace.apply(&format!(
            "{{podLayout: {layout}, database: {{secretName: nova-db}},
              apis: [{{name: osapi_compute, workers: 2}}, {{name: metadata}}]}}"
        ));
    };
    apply("Combined");
    namespace.wait_ready();
    wait_names::<Deployment>(&namespace, &["nova-api"]);
    answers();
    let pod = namespace.pods().remove(0);
    assert_eq!(namespace.pod_status(&pod).unwrap().apis.len(), 2);

    apply("PerApi");
    namespace.wait_ready();
    wait_names::<Deployment>(&namespace, &["nova-metadata", "nova-osapi-compute"]);
    answers();
}
