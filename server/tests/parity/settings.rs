//! docs/server.md: every setting, with its default, its range, and whether a running server takes it over.

use std::collections::{BTreeMap, BTreeSet};

use kilonova_config::{Api, Config, parse, split};
use serde_json::{Value, json};

use crate::repository;
use crate::table::{Row, quoted, rows};

const DOCUMENT: &str = "docs/server.md";

/// Everything that can be set, set.
const ALL: &str = "{
  apis: [{name: osapi_compute, listen: 127.0.0.1, port: 1, workers: 2, tls: {certificateDirectory: /a, minVersion: '1.3',
    clientAuth: {mode: Optional, caFile: /b, crlFile: /c}}}],
  host: a, nonce: b,
  logging: {levels: {nova: DEBUG}},
  database: {connectionFile: /d},
  reports: {directory: /e, triggerFile: /f}}";
/// What excludes a setting of the above.
const OTHER: &str = "{database: {sqliteFile: /g}}";

type Leaves = BTreeMap<String, Value>;

fn config(text: &str) -> Config {
    let documents = [("a document".to_owned(), text.to_owned())];
    parse(&documents).unwrap().config
}

/// The settings of a tree by their paths, such as `apis[].http.backlog`.
fn leaves(tree: &Value, path: &str, found: &mut Leaves) {
    match tree {
        Value::Object(fields) if path != "logging.levels" => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            for entry in entries {
                leaves(entry, &format!("{path}[]"), found);
            }
        }
        value => drop(found.insert(path.to_owned(), value.clone())),
    }
}

fn leaves_of(config: &Config) -> Leaves {
    let mut found = Leaves::new();
    leaves(&serde_json::to_value(config).unwrap(), "", &mut found);
    found
}

fn known() -> BTreeSet<String> {
    [ALL, OTHER]
        .into_iter()
        .flat_map(|text| leaves_of(&config(text)).into_keys())
        .collect()
}

/// The rows of the tables of settings.
fn documented() -> Vec<Row> {
    let all = rows(&repository::text(DOCUMENT)).into_iter();
    all.filter(|row| row.columns[0] == "setting").collect()
}

fn path(row: &Row) -> String {
    quoted(row.cell("setting"))
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn every_setting_is_documented_and_every_documented_one_exists() {
    let documented: Vec<_> = documented().iter().map(path).collect();
    let unique: BTreeSet<_> = documented.iter().cloned().collect();
    // A list or a map that is empty unless somebody fills it has no default beneath it.
    let known: BTreeSet<_> = known().into_iter().filter(|path| path != "apis").collect();
    assert_eq!(unique, known);
    assert_eq!(documented.len(), unique.len(), "one row each");
}

#[test]
fn defaults_are_those_of_the_program() {
    let mut defaults = leaves_of(&Config {
        apis: vec![Api::named("osapi_compute")],
        ..Config::default()
    });
    let databases = leaves_of(&config(OTHER)).into_iter();
    defaults.extend(
        databases
            .filter(|(path, _)| path.starts_with("database.") && path != "database.sqliteFile"),
    );
    for required in ["apis[].name", "database.sqliteFile"] {
        defaults.remove(required);
    }
    for row in documented() {
        let Some(default) = defaults.get(&path(&row)) else {
            continue;
        };
        let said = quoted(row.cell("default")).next();
        let text = match default {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        assert_eq!(said, Some(text.as_str()), "default of {}", path(&row));
    }
}

#[test]
fn hot_is_what_a_running_server_takes_over() {
    let mut hot = BTreeSet::new();
    for text in [ALL, OTHER] {
        let documents = split(&config(text)).unwrap();
        let tree: Value = serde_yaml::from_str(&documents.hot).unwrap();
        let mut found = Leaves::new();
        leaves(&tree, "", &mut found);
        hot.extend(found.into_keys());
    }
    for row in documented() {
        let path = path(&row);
        // An entry's name stands in both documents: it says whose settings follow.
        let expected = hot.contains(&path) && path != "apis[].name";
        assert_eq!(
            row.cell("changes"),
            if expected { "hot" } else { "cold" },
            "{path}"
        );
    }
}

#[test]
fn ranges_are_those_of_the_program() {
    let mut checked = 0;
    for row in documented() {
        let Some((least, most)) = row.cell("range").split_once(" to ") else {
            continue;
        };
        let (least, most): (i64, i64) = (least.parse().unwrap(), most.parse().unwrap());
        let path = path(&row);
        for (value, good) in [
            (least, true),
            (most, true),
            (least - 1, false),
            (most + 1, false),
        ] {
            let documents = [("a document".to_owned(), with(&path, value))];
            assert_eq!(parse(&documents).is_ok(), good, "{path}: {value}");
        }
        checked += 1;
    }
    assert!(checked > 10, "{checked}");
}

/// A document that is good but for one setting.
fn with(path: &str, value: i64) -> String {
    let mut tree = json!(value);
    for step in path.rsplit('.') {
        tree = match step.strip_suffix("[]") {
            Some(list) => {
                tree["name"] = json!("osapi_compute");
                json!({ list: [tree] })
            }
            None => json!({ step: tree }),
        };
    }
    if path.starts_with("database.") {
        tree["database"]["sqliteFile"] = json!("/a");
    }
    // YAML has JSON's texts in it.
    tree.to_string()
}
