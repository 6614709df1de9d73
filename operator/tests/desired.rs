//! The children of the samples, whole.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use kilonova_operator::api::ApiService;
use kilonova_operator::desired::{Desired, Release, desired};
use rstest::rstest;

fn release() -> Release {
    Release {
        server_image: "kilonova/server:test".to_owned(),
    }
}

fn of(text: &str) -> Desired {
    let mut service: ApiService = serde_yaml::from_str(text).unwrap();
    service.metadata.namespace = Some("cloud".to_owned());
    service.metadata.uid = Some("00000000-0000-0000-0000-000000000001".to_owned());
    desired(&service, &release()).unwrap()
}

fn spec(spec: &str) -> Desired {
    of(&format!(
        "{{apiVersion: kilonova.dev/v1alpha1, kind: ApiService, metadata: {{name: nova}}, spec: {spec}}}"
    ))
}

/// Every child as a document, in the order they are placed.
fn documents(desired: &Desired) -> String {
    let mut all = Vec::new();
    for workload in &desired.workloads {
        all.push(serde_yaml::to_string(&workload.account).unwrap());
        all.push(serde_yaml::to_string(&workload.cold).unwrap());
        all.push(serde_yaml::to_string(&workload.live).unwrap());
        all.push(serde_yaml::to_string(&workload.deployment).unwrap());
    }
    all.extend(
        desired
            .services
            .iter()
            .map(|service| serde_yaml::to_string(service).unwrap()),
    );
    all.join("---\n")
}

#[rstest]
#[case("plain")]
#[case("tls")]
#[case("mutual-tls")]
fn children_of_the_samples(#[case] sample: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../manifests/samples/{sample}.yaml"));
    let text = fs::read_to_string(path).unwrap();
    insta::assert_snapshot!(sample, documents(&of(&text)));
}

#[test]
fn children_of_combined_apis() {
    let combined = spec(
        "{podLayout: Combined, replicas: 2, resources: {limits: {cpu: 1500m}}, gracefulShutdownTimeoutSeconds: 0, \
         apis: [{name: osapi_compute, port: 443, tls: {secretName: a}}, {name: metadata, listen: '::1'}]}",
    );
    insta::assert_snapshot!("combined", documents(&combined));
}

/// What a change does to the first workload: `(cold, live, template, replicas)` differ.
fn effect(before: &str, after: &str) -> (bool, bool, bool, bool) {
    let (before, after) = (spec(before), spec(after));
    let (before, after) = (&before.workloads[0], &after.workloads[0]);
    let template = |workload: &kilonova_operator::desired::Workload| {
        workload.deployment.spec.clone().unwrap().template
    };
    (
        before.cold.data != after.cold.data,
        before.live.data != after.live.data,
        template(before) != template(after),
        before.replicas != after.replicas,
    )
}

const NOTHING: (bool, bool, bool, bool) = (false, false, false, false);
const RELOAD: (bool, bool, bool, bool) = (false, true, false, false);
const ROLL: (bool, bool, bool, bool) = (true, false, true, false);
/// A setting that is hot comes or goes with one that is not.
const ROLL_WITH_HOT: (bool, bool, bool, bool) = (true, true, true, false);
const PODS: (bool, bool, bool, bool) = (false, false, true, false);
const COUNT: (bool, bool, bool, bool) = (false, false, false, true);

#[rstest]
#[case("{apis: [{name: metadata, workers: 3}]}", RELOAD)]
#[case("{apis: [{name: metadata, http: {keepAlive: false}}]}", RELOAD)]
#[case("{logging: {level: DEBUG}, apis: [{name: metadata}]}", RELOAD)]
#[case("{apis: [{name: metadata, port: 80}]}", ROLL)]
#[case("{apis: [{name: metadata, listen: '::'}]}", ROLL)]
#[case("{gracefulShutdownTimeoutSeconds: 1, apis: [{name: metadata}]}", ROLL)]
#[case("{apis: [{name: metadata, tls: {secretName: a}}]}", ROLL_WITH_HOT)]
#[case("{image: other, apis: [{name: metadata}]}", PODS)]
#[case("{imagePullPolicy: Never, apis: [{name: metadata}]}", PODS)]
#[case("{imagePullSecrets: [{name: a}], apis: [{name: metadata}]}", PODS)]
#[case("{apis: [{name: metadata, resources: {requests: {cpu: 1}}}]}", PODS)]
#[case("{replicas: 3, apis: [{name: metadata}]}", COUNT)]
#[case("{apis: [{name: metadata, replicas: 3}]}", COUNT)]
#[case(
    "{apis: [{name: metadata, service: {type: NodePort, port: 1, annotations: {a: b}}}]}",
    NOTHING
)]
#[case("{apis: [{name: metadata}, {name: osapi_compute}]}", NOTHING)]
fn what_a_change_does(#[case] after: &str, #[case] expected: (bool, bool, bool, bool)) {
    assert_eq!(effect("{apis: [{name: metadata}]}", after), expected);
}

#[rstest]
#[case("{mode: Optional, caSecretName: b}", RELOAD)]
#[case("{caSecretName: c}", PODS)]
#[case("{caSecretName: b, caKey: other}", ROLL)]
fn what_a_change_of_client_certificates_does(
    #[case] after: &str,
    #[case] expected: (bool, bool, bool, bool),
) {
    let with = |client: &str| {
        format!("{{apis: [{{name: metadata, tls: {{secretName: a, clientAuth: {client}}}}}]}}")
    };
    assert_eq!(effect(&with("{caSecretName: b}"), &with(after)), expected);
}
