//! What a change of the resource does to the pods of a live `ApiService`, and that the plan says so. Every field's effect is
//! in the operator's own table; here are some of each kind.

use std::collections::BTreeSet;

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, Namespace};
use kilonova_probe::{Authority, client, wait_within};
use serde_json::Value;

use crate::tls::{SERVICE, issue, write_pair};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Reload,
    Roll,
    None,
}

/// What is changed, one after the other, and what it does.
const CHANGES: &[(&str, &str, Effect)] = &[
    ("/apis/0/workers", "2", Effect::Reload),
    ("/apis/0/http", "{keepAlive: false}", Effect::Reload),
    (
        "/apis/0/http",
        "{keepAlive: false, maxUrlBytes: 4096}",
        Effect::Reload,
    ),
    ("/logging", "{level: DEBUG}", Effect::Reload),
    ("/apis/0/tls/minVersion", "'1.3'", Effect::Reload),
    (
        "/apis/0/service",
        "{annotations: {example.org/a: b}}",
        Effect::None,
    ),
    ("/apis/0/service", "{port: 8443}", Effect::None),
    ("/gracefulShutdownTimeoutSeconds", "30", Effect::Roll),
    ("/apis/0/port", "8775", Effect::Roll),
    ("/apis/0/resources", "{requests: {cpu: 11m}}", Effect::Roll),
    (
        "/apis/0/podTemplate",
        "{metadata: {labels: {example.org/a: b}}}",
        Effect::Roll,
    ),
];

const SPEC: &str = "{drainDelaySeconds: 1,
     apis: [{name: osapi_compute, workers: 1, tls: {secretName: nova-api-tls}}]}";

/// Puts a value where the path says.
fn put(spec: &mut Value, path: &str, value: &str) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = spec.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(key.to_owned(), serde_yaml::from_str(value).unwrap());
}

/// The numbers of the plan's steps so far.
fn numbers(namespace: &Namespace<'_>) -> BTreeSet<i64> {
    let plan = namespace.status()["plan"].take();
    let steps = plan.as_array().cloned().unwrap_or_default();
    steps
        .iter()
        .filter_map(|step| step["number"].as_i64())
        .collect()
}

/// The new steps that touch pods.
fn announced(namespace: &Namespace<'_>, before: &BTreeSet<i64>) -> Vec<Value> {
    let plan = namespace.status()["plan"].take();
    let steps = plan.as_array().cloned().unwrap_or_default().into_iter();
    let new = steps.filter(|step| !before.contains(&step["number"].as_i64().unwrap()));
    new.filter(|step| step["effect"] != "None").collect()
}

#[test]
fn running_pods_are_touched_as_announced() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("effects");
    let authority = Authority::new();
    write_pair(&namespace, &issue(&namespace, &authority));
    let mut spec: Value = serde_yaml::from_str(SPEC).unwrap();
    namespace.apply(&spec.to_string());
    namespace.wait_ready();
    for (path, value, effect) in CHANGES {
        let what = format!("{path}: {value}");
        let (uids, steps) = (namespace.uids(), numbers(&namespace));
        put(&mut spec, path, value);
        namespace.apply(&spec.to_string());
        namespace.wait_condition("Ready", "True", None);
        let announced = announced(&namespace, &steps);
        let effects: Vec<_> = announced.iter().map(|step| &step["effect"]).collect();
        let (expected, stays) = match effect {
            Effect::None => (vec![], true),
            Effect::Reload => (vec!["Reload"], true),
            Effect::Roll => (vec!["Roll"], false),
        };
        assert_eq!(effects, expected, "{what}: {announced:?}");
        assert_eq!(namespace.uids() == uids, stays, "{what}");
        if *effect == Effect::Reload {
            confirmed(&namespace, &what);
        }
    }
    assert_eq!(namespace.address(SERVICE).port(), 8443);
}

/// The pod itself says that it runs with what is asked for.
fn confirmed(namespace: &Namespace<'_>, what: &str) {
    let pod = namespace.pods().remove(0);
    let answered = namespace.pod_status(&pod).unwrap();
    let answered = serde_json::to_value(answered).unwrap();
    let status = namespace.status();
    let revision = &status["apis"][0]["revision"];
    assert_eq!(revision["desired"], answered["revision"], "{what}");
    assert_eq!(revision["confirmedBy"], "1/1", "{what}");
}

#[test]
fn annotations_ask_for_pods_or_settings_anew() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("anew");
    namespace.apply("{drainDelaySeconds: 1, apis: [{name: metadata, workers: 1}]}");
    namespace.wait_ready();
    let uids = namespace.uids();
    namespace.annotate("kilonova.dev/reload-at", Some("once"));
    let reloaded = || {
        namespace
            .event_reasons()
            .contains(&"Reloaded".to_owned())
            .then_some(())
    };
    wait_within(PATIENCE, "its Event", reloaded);
    namespace.wait_ready();
    assert_eq!(namespace.uids(), uids);
    namespace.annotate("kilonova.dev/restart-at", Some("once"));
    wait_within(PATIENCE, "another pod", || {
        namespace.uids().is_disjoint(&uids).then_some(())
    });
    namespace.wait_ready();
    let address = namespace.address("nova-metadata");
    assert_eq!(client::get(address, "/").status, 200);
}
