//! What the API server wrote down about its callers.

use std::env;
use std::fs;

use serde_json::Value;

/// Changes that callers with this in their name asked for so far. Leases are how leaders breathe and do not count.
pub fn changes_by(caller: &str) -> Vec<String> {
    changes(|event| {
        event["user"]["username"]
            .as_str()
            .is_some_and(|name| name.contains(caller))
    })
}

/// Changes that a pod asked for so far, by the token it was given.
pub fn changes_of_pod(pod: &str) -> Vec<String> {
    changes(|event| {
        event["user"]["extra"]["authentication.kubernetes.io/pod-name"][0].as_str() == Some(pod)
    })
}

fn changes(is_meant: impl Fn(&Value) -> bool) -> Vec<String> {
    let path = env::var("KILONOVA_AUDIT").expect("e2e/in-cluster names the audit log");
    let log = fs::read_to_string(path).unwrap();
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(is_meant)
        .filter(|event| event["stage"] == "ResponseComplete")
        .filter(|event| !matches!(event["verb"].as_str(), Some("get" | "list" | "watch")))
        .filter(|event| event["objectRef"]["resource"] != "leases")
        .map(|event| format!("{} {}", event["verb"], event["requestURI"]))
        .collect()
}
