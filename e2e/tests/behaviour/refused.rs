//! What the API server says against a resource that cannot be served.

use kilonova_e2e::Cluster;
use kilonova_e2e::cluster::apply;
use serde::Deserialize;

/// What the schema's types refuse, before any rule of ours: spec, and the message as `kubectl apply` prints it.
const BY_TYPE: &[(&str, &str)] = &[
    (
        "apis: [{name: ec2}]",
        "spec.apis[0].name: Unsupported value: \"ec2\": supported values: \"osapi_compute\", \"metadata\"",
    ),
    (
        "apis: [{name: metadata}, {name: metadata}]",
        "spec.apis[1]: Duplicate value: {\"name\":\"metadata\"}",
    ),
    (
        "{imagePullSecrets: [{name: a}, {name: a}], apis: [{name: osapi_compute}]}",
        "spec.imagePullSecrets[1]: Duplicate value: {\"name\":\"a\"}",
    ),
    (
        "apis: []",
        "spec.apis: Invalid value: 0: spec.apis in body should have at least 1 items",
    ),
    (
        "apis: [{name: osapi_compute, wrokers: 2}]",
        "strict decoding error: unknown field \"spec.apis[0].wrokers\"",
    ),
];

/// A row of the operator's own table, by which its rules are tested without an API server.
#[derive(Deserialize)]
struct Refused {
    #[serde(default = "nova")]
    name: String,
    spec: String,
    said: Vec<String>,
}

fn nova() -> String {
    "nova".to_owned()
}

#[test]
fn kubectl_apply_says_which_field_and_what_to_do() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("refused");
    for (spec, message) in BY_TYPE {
        let manifest = format!(
            "apiVersion: kilonova.dev/v1alpha1\nkind: ApiService\nmetadata: {{name: nova, namespace: {}}}\nspec:\n  {}\n",
            namespace.name,
            if spec.starts_with('{') {
                (*spec).to_owned()
            } else {
                format!("{{{spec}}}")
            },
        );
        let output = apply(&[], &manifest);
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "accepted: {spec}");
        assert!(
            printed.contains(message),
            "{spec}\nexpected: {message}\nprinted:  {printed}"
        );
        println!("{spec}\n  {}", printed.trim());
    }
}

#[test]
fn the_api_server_agrees_with_every_row_of_the_table() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("refused-by-rule");
    let table = include_str!("../../../operator/tests/refused.yaml");
    let table: Vec<Refused> = serde_yaml::from_str(table).unwrap();
    let mut differing = Vec::new();
    for row in &table {
        let printed = namespace.refusal(&row.name, &row.spec);
        let printed = printed.unwrap_or_else(|| "nothing".to_owned());
        for said in &row.said {
            let (path, message) = said.split_once(": ").unwrap();
            // The value that is refused stands between the two.
            if !printed.contains(&format!("{path}: ")) || !printed.contains(message) {
                differing.push(format!("{}\n  expected {said}\n  said {printed}", row.spec));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    println!("{} resources refused", table.len());
}
