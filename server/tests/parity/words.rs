//! docs/server.md: commands, signals, endpoints, names of the access log, fields of the status, and numbers.

use std::collections::BTreeSet;

use clap::CommandFactory;
use kilonova_config::access_log::VALUES;
use kilonova_config::{
    ADMIN_PORT, CERTIFICATE_FILE, COLD_FILE, HOT_FILE, KEY_FILE, MAX_HEAD_BYTES, MAX_HEADERS,
};
use kilonova_server::SERVICE_VERSION;
use kilonova_server::arguments::Arguments;
use kilonova_server::report::LISTED_CONNECTIONS;
use serde_json::Value;

use crate::metrics::status;
use crate::repository;
use crate::table::rows;

fn missing(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let document = repository::text("docs/server.md");
    let quoted = |word: &String| !document.contains(&format!("`{word}`"));
    words.into_iter().filter(quoted).collect()
}

fn commands(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    for inner in command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set())
    {
        let path = format!("{path} {}", inner.get_name());
        if !inner.has_subcommands() {
            found.push(path.trim_start().to_owned());
        }
        commands(inner, &path, found);
    }
}

#[test]
fn every_command_is_documented() {
    let mut all = Vec::new();
    commands(&Arguments::command(), "", &mut all);
    assert!(all.contains(&"db sync".to_owned()), "{all:?}");
    assert_eq!(missing(all), [""; 0]);
}

#[test]
fn every_name_of_the_access_log_is_documented() {
    assert_eq!(missing(VALUES.map(|(name, _)| name.to_owned())), [""; 0]);
}

#[test]
fn every_endpoint_is_documented() {
    let source = repository::text("server/src/admin.rs");
    let routes: Vec<_> = source
        .split(".route(\"")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    assert!(routes.len() >= 5, "{routes:?}");
    assert_eq!(missing(routes), [""; 0]);
}

fn fields(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.push(name.clone());
                fields(value, found);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| fields(entry, found)),
        _ => {}
    }
}

#[test]
fn every_field_of_the_status_is_documented() {
    let mut all = Vec::new();
    fields(&serde_json::to_value(status()).unwrap(), &mut all);
    assert_eq!(missing(all), [""; 0]);
}

#[test]
fn every_signal_is_documented() {
    let source = repository::text("server/src/supervisor/event.rs");
    let (_, signals) = source.split_once("pub enum Signal {").unwrap();
    let (signals, _) = signals.split_once("\n}").unwrap();
    let known: BTreeSet<_> = signals
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("/// ")?.split_once(':')?.0))
        .collect();
    let document = repository::text("docs/server.md");
    let rows = rows(&document);
    let documented: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| row.cell("signal").split(", "))
        .filter(|signal| !signal.is_empty())
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn numbers_are_those_of_the_program() {
    let document = repository::text("docs/server.md");
    let words: Vec<_> = document.split_whitespace().collect();
    let text = words.join(" ");
    for said in [
        format!("version {SERVICE_VERSION}."),
        format!("more than {MAX_HEAD_BYTES} bytes or {MAX_HEADERS} lines of headers"),
        format!("up to {LISTED_CONNECTIONS} oldest connections"),
        format!("with the admin port {ADMIN_PORT} "),
        format!("`{COLD_FILE}` and, if there is one, `{HOT_FILE}`"),
        format!("`{CERTIFICATE_FILE}` holds the certificate and its chain, `{KEY_FILE}` its key"),
    ] {
        assert!(text.contains(&said), "{said}");
    }
}
