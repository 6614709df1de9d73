//! What the operator has made in a namespace, without what differs from run to run.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kilonova_e2e::Namespace;
use kilonova_e2e::namespace::PATIENCE;
use kilonova_probe::wait_within;
use kube::ResourceExt;
use serde_json::{Value, json};

/// Every object by kind and name, as far as it was asked for.
pub fn world(namespace: &Namespace<'_>) -> BTreeMap<String, Value> {
    let mut world = BTreeMap::new();
    let mut put = |kind: &str, name: String, value: Value| {
        let text = value.to_string().replace(&namespace.name, "NAMESPACE");
        world.insert(
            format!("{kind}/{name}"),
            serde_json::from_str(&text).unwrap(),
        );
    };
    for one in namespace.list::<Deployment>("") {
        put("Deployment", one.name_any(), json!(one.spec));
    }
    for one in namespace.list::<PodDisruptionBudget>("") {
        put("PodDisruptionBudget", one.name_any(), json!(one.spec));
    }
    for one in namespace.list::<ServiceAccount>("app.kubernetes.io/instance=nova") {
        put("ServiceAccount", one.name_any(), json!(one.labels()));
    }
    for one in namespace.list::<Service>("") {
        let mut spec = one.spec.clone().unwrap_or_default();
        (spec.cluster_ip, spec.cluster_ips) = (None, None);
        put("Service", one.name_any(), json!(spec));
    }
    world
}

/// Waits until one namespace holds what another does; both were asked for the same.
pub fn wait_same(one: &Namespace<'_>, other: &Namespace<'_>) {
    let (mut left, mut right) = (world(one), world(other));
    let deadline = std::time::Instant::now() + PATIENCE;
    while left != right && std::time::Instant::now() < deadline {
        (left, right) = (world(one), world(other));
    }
    similar(&left, &right);
    for namespace in [one, other] {
        // Those that drain go on their own.
        wait_within(PATIENCE, "as many pods as are wanted", || {
            let wanted: i32 = namespace
                .list::<Deployment>("")
                .iter()
                .filter_map(|one| one.spec.as_ref()?.replicas)
                .sum();
            let there = namespace.list::<Pod>("").len();
            (i32::try_from(there).unwrap() == wanted).then_some(())
        });
    }
}

fn similar(left: &BTreeMap<String, Value>, right: &BTreeMap<String, Value>) {
    let names = |world: &BTreeMap<String, Value>| world.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(left), names(right));
    for (name, value) in left {
        assert_eq!(value, &right[name], "{name}");
    }
}
