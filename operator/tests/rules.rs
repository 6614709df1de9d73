//! What the API server refuses, by the rules in the schema, and what it says then. Types, enumerations and duplicate
//! names are judged by the API server alone; the tests in the cluster hold those.

#![allow(clippy::unwrap_used, clippy::panic)]

use kilonova_operator::api;
use kube::core::cel::Validator;
use rstest::rstest;
use serde::Deserialize;
use serde_json::Value;

/// What is said against a spec, each as `path: message`.
fn said(name: &str, spec: &str) -> Vec<String> {
    let spec: Value = serde_yaml::from_str(spec).unwrap();
    let object = serde_json::json!({
        "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService", "metadata": {"name": name}, "spec": spec,
    });
    let definition = serde_json::to_value(api::definition()).unwrap();
    let schema = definition
        .pointer("/spec/versions/0/schema/openAPIV3Schema")
        .unwrap();
    match Validator::new().validate(schema, &object, None) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| format!("{}: {}", error.field_path, error.message))
            .collect(),
    }
}

/// A resource that is refused.
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
fn every_fault_is_refused_with_its_field_and_the_way_out() {
    let table: Vec<Refused> = serde_yaml::from_str(include_str!("refused.yaml")).unwrap();
    assert!(table.len() >= 40, "{}", table.len());
    let differing: Vec<String> = table
        .iter()
        .filter_map(|row| {
            let said = said(&row.name, &row.spec);
            let expected = &row.said;
            (said != *expected).then(|| {
                format!(
                    "{}\n  said:     {said:?}\n  expected: {expected:?}",
                    row.spec
                )
            })
        })
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn the_longest_name_is_accepted() {
    assert_eq!(
        said(&"n".repeat(49), "apis: [{name: metadata}]"),
        Vec::<String>::new()
    );
}

#[rstest]
#[case("{database: {secretName: db}, apis: [{name: osapi_compute}, {name: metadata, port: 8774}]}")]
#[case("{replicas: 5, apis: [{name: metadata, replicas: 1}]}")]
#[case("{database: {secretName: db}, autoscaling: {external: true}, apis: [{name: metadata}]}")]
#[case(
    "{database: {secretName: db}, resources: {limits: {cpu: 1}}, autoscaling: {maxReplicas: 3, targetCPUUtilizationPercentage: 70}, apis: [{name: metadata}, {name: osapi_compute, replicas: 2, resources: {limits: {memory: 1Gi}}}]}"
)]
#[case(
    "{apis: [{name: metadata, http: {proxyProtocol: V1V2, trustedProxies: [10.0.0.0/8, 'fd00::/8']}, service: {type: LoadBalancer, nodePort: 30000, loadBalancerClass: a/b, loadBalancerSourceRanges: [10.0.0.0/8], externalTrafficPolicy: Local}}]}"
)]
#[case(
    "{apis: [{name: metadata, tls: {secretName: a, certificate: {issuerRef: {name: ca}}}, gateway: {parentRefs: [{name: g}], hostnames: [nova.example]}}]}"
)]
#[case(
    "apis: [{name: osapi_compute, listen: '::', port: 443, workers: 512, replicas: 0, service: {port: 9774}}]"
)]
#[case("apis: [{name: metadata, listen: 127.0.0.1}]")]
#[case(
    "{podLayout: Combined, database: {secretName: db}, replicas: 3, resources: {limits: {cpu: 2}}, apis: [{name: metadata}, {name: osapi_compute}]}"
)]
#[case(
    "{apis: [{name: metadata, tls: {secretName: a.b, clientAuth: {mode: Optional, caSecretName: c, caKey: ca-bundle.crt}}}]}"
)]
#[case(
    "{gracefulShutdownTimeoutSeconds: 0, apis: [{name: metadata, http: {clientSocketTimeoutSeconds: 0}}]}"
)]
fn good_specs_are_accepted(#[case] spec: &str) {
    assert_eq!(said("nova", spec), Vec::<String>::new());
}
