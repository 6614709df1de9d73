//! What the API server refuses, by the rules in the schema, and what it says then. Types, enumerations and duplicate
//! names are judged by the API server alone; the tests in the cluster hold those.

#![allow(clippy::unwrap_used, clippy::panic)]

use kilonova_operator::api;
use kube::core::cel::Validator;
use rstest::rstest;
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

#[rstest]
#[case(
    "workers: 0",
    "spec.apis[0].workers: workers must be 1 or more, and at most 512; leave it out for one per CPU of the container's quota"
)]
#[case(
    "workers: 513",
    "spec.apis[0].workers: workers must be 1 or more, and at most 512; leave it out for one per CPU of the container's quota"
)]
#[case("port: 70000", "spec.apis[0].port: port must be 1 to 65535")]
#[case("port: 0", "spec.apis[0].port: port must be 1 to 65535")]
#[case(
    "port: 9774",
    "spec.apis[0].port: 9774 is the pods' admin port (probes, metrics, status): choose another port"
)]
#[case(
    "replicas: -1",
    "spec.apis[0].replicas: replicas must be 0 to 10000; 0 stops the API"
)]
#[case(
    "listen: localhost",
    "spec.apis[0].listen: listen must be an IP address such as 0.0.0.0, ::, or 10.0.0.5, not a host name"
)]
#[case(
    "listen: 10.0.0.0/8",
    "spec.apis[0].listen: listen must be an IP address such as 0.0.0.0, ::, or 10.0.0.5, not a host name"
)]
#[case(
    "listen: '::1', service: {}",
    "spec.apis[0].service: an API that listens on a loopback address is reached from its own pod only and has no Service: remove service, or listen on 0.0.0.0 or ::"
)]
#[case(
    "service: {port: 70000}",
    "spec.apis[0].service.port: service.port must be 1 to 65535"
)]
#[case(
    "http: {clientSocketTimeoutSeconds: -1}",
    "spec.apis[0].http.clientSocketTimeoutSeconds: clientSocketTimeoutSeconds must be 0 (wait for ever) to 86400 (a day)"
)]
#[case(
    "tls: {secretName: ../other}",
    "spec.apis[0].tls.secretName: secretName must be the name of a Secret in the same namespace: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
)]
#[case(
    "tls: {secretName: a, clientAuth: {}}",
    "spec.apis[0].tls.clientAuth.caSecretName: clientAuth needs caSecretName: the Secret with the CA that signs the clients' certificates"
)]
#[case(
    "tls: {secretName: a, clientAuth: {caSecretName: A_b}}",
    "spec.apis[0].tls.clientAuth.caSecretName: caSecretName must be the name of a Secret in the same namespace: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
)]
#[case(
    "tls: {secretName: a, clientAuth: {caSecretName: b, caKey: ../ca}}",
    "spec.apis[0].tls.clientAuth.caKey: caKey must be a key of a Secret: letters, digits, '-', '_' and '.', not beginning with '..'"
)]
#[case(
    "tls: {secretName: a, clientAuth: {caSecretName: b, caKey: ..data}}",
    "spec.apis[0].tls.clientAuth.caKey: caKey must be a key of a Secret: letters, digits, '-', '_' and '.', not beginning with '..'"
)]
fn an_api_is_refused(#[case] api: &str, #[case] expected: &str) {
    assert_eq!(
        said("nova", &format!("apis: [{{name: metadata, {api}}}]")),
        [expected]
    );
}

#[rstest]
#[case("{podLayout: Combined, apis: [{name: osapi_compute}, {name: metadata, port: 8774}]}",
    &["spec.apis: with podLayout Combined every API needs its own port: give each spec.apis[].port another number (absent: osapi_compute 8774, metadata 8775), or use podLayout: PerApi"])]
#[case("{podLayout: Combined, apis: [{name: osapi_compute, replicas: 2}]}",
    &["spec.apis: with podLayout Combined all APIs share their pods: set spec.replicas instead of spec.apis[].replicas, or use podLayout: PerApi"])]
#[case("{podLayout: Combined, apis: [{name: osapi_compute, resources: {limits: {cpu: 1}}}]}",
    &["spec.apis: with podLayout Combined all APIs share their pods: set spec.resources instead of spec.apis[].resources, or use podLayout: PerApi"])]
#[case("{replicas: -1, apis: [{name: metadata}]}",
    &["spec.replicas: replicas must be 0 to 10000; 0 stops the API"])]
#[case("{gracefulShutdownTimeoutSeconds: -5, apis: [{name: metadata}]}",
    &["spec.gracefulShutdownTimeoutSeconds: gracefulShutdownTimeoutSeconds must be 0 (wait for ever) to 86400 (a day)"])]
#[case("{apis: [{name: metadata, workers: 0, port: 0}]}", &[
    "spec.apis[0].port: port must be 1 to 65535",
    "spec.apis[0].workers: workers must be 1 or more, and at most 512; leave it out for one per CPU of the container's quota"])]
fn a_spec_is_refused(#[case] spec: &str, #[case] expected: &[&str]) {
    assert_eq!(said("nova", spec), expected);
}

#[rstest]
#[case(&"n".repeat(50), &["metadata.name is longer than 49 characters: children such as the Service '<name>-osapi-compute' would not fit in 63; choose a shorter name"])]
#[case("nova.prod", &["metadata.name must be lower-case letters, digits and '-', beginning with a letter (no dots): Services are named after it"])]
#[case("1nova", &["metadata.name must be lower-case letters, digits and '-', beginning with a letter (no dots): Services are named after it"])]
#[case(&"n".repeat(49), &[])]
fn a_name_must_fit_its_services(#[case] name: &str, #[case] expected: &[&str]) {
    let expected: Vec<String> = expected
        .iter()
        .map(|message| format!(": {message}"))
        .collect();
    assert_eq!(said(name, "apis: [{name: metadata}]"), expected);
}

#[rstest]
#[case("apis: [{name: osapi_compute}, {name: metadata, port: 8774}]")]
#[case(
    "apis: [{name: osapi_compute, listen: '::', port: 443, workers: 512, replicas: 0, service: {port: 9774}}]"
)]
#[case("apis: [{name: metadata, listen: 127.0.0.1}]")]
#[case(
    "{podLayout: Combined, replicas: 3, resources: {limits: {cpu: 2}}, apis: [{name: metadata}, {name: osapi_compute}]}"
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
