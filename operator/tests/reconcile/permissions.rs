//! The chart grants what a reconcile asks for and what the controller watches, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use crate::pods::FakePod;
use crate::world::World;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

type Permission = (String, String, String);

fn granted() -> BTreeSet<Permission> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/kilonova/rules.yaml");
    let rules: Vec<Rule> = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut granted = BTreeSet::new();
    for rule in &rules {
        for group in &rule.api_groups {
            for resource in &rule.resources {
                for verb in &rule.verbs {
                    granted.insert((group.clone(), resource.clone(), verb.clone()));
                }
            }
        }
    }
    granted
}

fn permission(group: &str, resource: &str, verb: &str) -> Permission {
    (group.to_owned(), resource.to_owned(), verb.to_owned())
}

/// What everything a reconcile can do asks for.
async fn asked() -> BTreeSet<Permission> {
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
    let mut asked: BTreeSet<Permission> = world
        .server
        .asked()
        .into_iter()
        .map(|asked| permission(&asked.group, &asked.resource, asked.verb))
        .collect();
    // An apply that creates needs both; the second Event of a series is a patch.
    for (group, resource) in [
        ("apps", "deployments"),
        ("", "services"),
        ("", "configmaps"),
        ("", "serviceaccounts"),
    ] {
        asked.insert(permission(group, resource, "create"));
        asked.insert(permission(group, resource, "watch"));
    }
    asked.insert(permission("apps", "controllerrevisions", "create"));
    asked.insert(permission("events.k8s.io", "events", "patch"));
    for (group, resource) in [("kilonova.dev", "novaapiservices"), ("", "secrets")] {
        asked.insert(permission(group, resource, "list"));
        asked.insert(permission(group, resource, "watch"));
    }
    asked
}

#[tokio::test]
async fn the_chart_grants_what_is_needed_and_nothing_else() {
    let (granted, asked) = (granted(), asked().await);
    let missing: Vec<_> = asked.difference(&granted).collect();
    let needless: Vec<_> = granted.difference(&asked).collect();
    assert!(
        missing.is_empty() && needless.is_empty(),
        "missing: {missing:?}\nneedless: {needless:?}"
    );
}
