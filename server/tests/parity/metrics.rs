//! docs/server.md: every family of metrics, with its type and its labels, as a pod with everything shows them.

use std::collections::{BTreeMap, BTreeSet};

use kilonova_config::status::PodStatus;
use kilonova_server::counters::{CLASSES, METHODS, Snapshot};
use kilonova_server::handshake;
use kilonova_server::metrics;
use kilonova_server::reason::REASONS;
use kilonova_server::supervisor::View;
use serde_json::json;

use crate::repository;
use crate::table::{quoted, rows};

/// A pod's status in which nothing is left out.
pub fn status() -> PodStatus {
    serde_json::from_value(json!({
        "version": "1", "state": "Running", "revision": "a", "needsRestart": false, "ignoredSettings": [],
        "sources": [{"kind": "Database", "name": "", "digest": "b"}],
        "database": {"reachable": false, "error": "c", "schema": 1},
        "lastReload": {"at": 1, "error": "d"},
        "apis": [{
            "name": "metadata", "address": "e", "desiredWorkers": 1, "workerRestarts": 0, "failing": "f",
            "workers": [{"pid": 1, "state": "Ready", "connections": 0, "requestsInFlight": 0, "requests": 0}],
            "tls": {
                "serial": "g", "fingerprint": "h", "notBefore": 1, "notAfter": 2, "minVersion": "1.2",
                "warnings": ["i"],
                "clientAuth": {"mode": "Required", "caNotAfter": 3, "crl": {"nextUpdate": 4, "revoked": 5}}
            }
        }]
    }))
    .unwrap()
}

fn exposition() -> String {
    let counters = Snapshot {
        requests: [[1; CLASSES.len()]; METHODS.len()],
        refused: [1; REASONS.len()],
        ..Snapshot::default()
    };
    let view = View {
        status: status(),
        started: true,
        ready: true,
        counters: vec![counters],
        reloads: (1, 1),
    };
    metrics::text(&view).unwrap()
}

/// Each family's type and the names of its labels.
fn families() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::new();
    let mut current = String::new();
    let text = exposition();
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap();
            name.clone_into(&mut current);
            families.insert(current.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((_, labels)) = line.split_once('{') {
            let names = labels.split("=\"").filter_map(|before| {
                let name = before.rsplit([',', '"', '{']).next()?;
                (!name.is_empty() && !name.contains('}') && name != "le").then(|| name.to_owned())
            });
            families.get_mut(&current).unwrap().1.extend(names);
        }
    }
    families
}

#[test]
fn every_family_is_documented_with_its_type_and_labels() {
    let document = repository::text("docs/server.md");
    let documented: BTreeMap<_, _> = rows(&document)
        .iter()
        .filter(|row| row.columns[0] == "family")
        .map(|row| {
            let name = quoted(row.cell("family")).next().unwrap().to_owned();
            let labels = quoted(row.cell("labels")).map(ToOwned::to_owned).collect();
            (name, (row.cell("type").to_owned(), labels))
        })
        .collect();
    assert_eq!(documented, families());
}

/// The pod above has them all: no family is written that it does not show.
#[test]
fn no_family_escapes() {
    let shown = families();
    for file in ["server/src/metrics.rs", "server/src/metrics/tls.rs"] {
        let source = repository::text(file);
        let written = source
            .split('"')
            .filter(|text| text.starts_with("kilonova_"));
        for name in written {
            assert!(shown.contains_key(name), "{name}");
        }
    }
}

#[test]
fn labels_with_few_values_have_them_listed() {
    let document = repository::text("docs/server.md");
    let handshakes = handshake::Reason::ALL.map(handshake::Reason::label);
    for value in REASONS.iter().chain(&handshakes).chain(&METHODS) {
        assert!(document.contains(&format!("`{value}`")), "{value}");
    }
}
