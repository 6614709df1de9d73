//! What the API server wrote down about its callers.

use std::env;
use std::fs;

use serde_json::Value;

/// Changes that callers with this in their name asked for so far. Leases are how leaders breathe and do not count.
pub fn changes_by(caller: &str) -> Vec<String> {
    let path = env::var("KILONOVA_AUDIT").expect("e2e/in-cluster names the audit log");
    let log = fs::read_to_string(path).unwrap();
    log.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| {
            event["user"]["username"]
                .as_str()
                .is_some_and(|name| name.contains(caller))
        })
        .filter(|event| event["stage"] == "ResponseComplete")
        .filter(|event| !matches!(event["verb"].as_str(), Some("get" | "list" | "watch")))
        .filter(|event| event["objectRef"]["resource"] != "leases")
        .map(|event| format!("{} {}", event["verb"], event["requestURI"]))
        .collect()
}
