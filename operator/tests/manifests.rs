//! `manifests/` and the chart hold what the code prints. `UPDATE=1 cargo test --test manifests` writes them anew.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::{env, fs};

use kilonova_operator::api::{self, ApiService};
use kilonova_operator::permissions::{self, Grant};
use kube::core::cel::Validator;
use rstest::rstest;
use serde_json::Value;

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

fn holds(path: &str, expected: &str) {
    let file = repository(path);
    if env::var_os("UPDATE").is_some() {
        fs::write(&file, expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "{path} is not what the code prints: run `make manifests`"
    );
}

#[test]
fn the_definition_is_what_the_code_prints() {
    holds(
        "manifests/crd.yaml",
        &serde_yaml::to_string(&api::definition()).unwrap(),
    );
}

#[test]
fn the_chart_s_definition_is_the_same_and_kept() {
    let mut definition = api::definition();
    let keep = ("helm.sh/resource-policy".to_owned(), "keep".to_owned());
    definition.metadata.annotations = Some([keep].into());
    let printed = serde_yaml::to_string(&definition).unwrap();
    assert!(!printed.contains("{{"), "helm would read a template in it");
    let template = format!("{{{{- if .Values.crds.enabled }}}}\n{printed}{{{{- end }}}}\n");
    holds("charts/kilonova/templates/crd.yaml", &template);
}

/// Each file is the rules of one role, or of what a value of the chart adds to it.
#[rstest]
#[case("always", &[Grant::Always])]
#[case("refresh", &[Grant::Refresh])]
#[case("lease", &[Grant::Lease, Grant::OwnLease])]
fn the_chart_s_roles_grant_what_the_code_lists(#[case] file: &str, #[case] grants: &[Grant]) {
    let lease = "{{ include \"kilonova.name\" . }}";
    holds(
        &format!("charts/kilonova/rules/{file}.yaml"),
        &format!(
            "# Generated from operator/src/permissions.rs.\n{}",
            permissions::rules(grants, lease)
        ),
    );
}

#[test]
fn the_definition_stays_small() {
    // Client-side apply keeps a copy in an annotation of at most 256 KiB.
    let size = serde_json::to_vec(&api::definition()).unwrap().len();
    assert!(size < 64 * 1024, "{size} bytes");
}

#[test]
fn every_reader_of_yaml_reads_the_same_in_it() {
    // kubectl reads YAML 1.1, where these are booleans.
    let booleans = ["y", "n", "yes", "no", "on", "off"];
    let printed = serde_yaml::to_string(&api::definition()).unwrap();
    for line in printed.lines() {
        let value = line.rsplit([' ', '-']).next().unwrap_or_default();
        let bare = line.trim_start().trim_start_matches("- ");
        let alone = bare == value || bare.split_once(": ").is_some_and(|(_, rest)| rest == value);
        assert!(
            !(alone && booleans.contains(&value.to_lowercase().as_str())),
            "{line}"
        );
    }
}

#[rstest]
#[case("plain")]
#[case("tls")]
#[case("mutual-tls")]
fn samples_are_accepted(#[case] sample: &str) {
    let text = fs::read_to_string(repository(&format!("manifests/samples/{sample}.yaml"))).unwrap();
    let written: Value = serde_yaml::from_str(&text).unwrap();
    let read: ApiService = serde_yaml::from_str(&text).unwrap();
    let read = serde_json::to_value(read).unwrap();
    assert!(
        is_within(&written, &read),
        "a field of {sample} is not in the schema:\n{written}\n{read}"
    );
    let definition = serde_json::to_value(api::definition()).unwrap();
    let schema = definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .unwrap();
    Validator::new().validate(schema, &written, None).unwrap();
}

/// Whether everything in `small` stands in `large` too.
fn is_within(small: &Value, large: &Value) -> bool {
    match (small, large) {
        (Value::Object(small), Value::Object(large)) => small
            .iter()
            .all(|(key, value)| large.get(key).is_some_and(|other| is_within(value, other))),
        (Value::Array(small), Value::Array(large)) => {
            small.len() == large.len()
                && small
                    .iter()
                    .zip(large)
                    .all(|(one, other)| is_within(one, other))
        }
        (small, large) => small == large,
    }
}
