//! The children of the samples, whole.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;

use kilonova_operator::api::ApiService;
use kilonova_operator::desired::{Desired, Release, desired};
use kube::Resource;
use rstest::rstest;
use serde::Serialize;

fn release() -> Release {
    Release {
        server_image: "kilonova/server:test".to_owned(),
        namespace: "kilonova-system".to_owned(),
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
    all.extend(written(&desired.services));
    let extras = &desired.extras;
    all.extend(written(&extras.budgets));
    all.extend(written(&extras.policies));
    all.extend(written(&extras.autoscalers));
    all.extend(written(&extras.certificates));
    all.extend(written(&extras.monitors));
    all.extend(written(&extras.http_routes));
    all.extend(written(&extras.tls_routes));
    all.join("---\n")
}

fn written<K: Resource<DynamicType = ()> + Serialize>(objects: &[K]) -> Vec<String> {
    let objects = objects.iter().map(|object| {
        let mut document = serde_yaml::Mapping::new();
        document.insert("apiVersion".into(), K::api_version(&()).into_owned().into());
        document.insert("kind".into(), K::kind(&()).into_owned().into());
        if let serde_yaml::Value::Mapping(fields) = serde_yaml::to_value(object).unwrap() {
            document.extend(fields);
        }
        serde_yaml::to_string(&document).unwrap()
    });
    objects.collect()
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

#[rstest]
#[case("everything")]
#[case("everything-combined")]
fn children_of_everything(#[case] name: &str) {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/services/{name}.yaml"));
    let everything = of(&fs::read_to_string(path).unwrap());
    assert_eq!(everything.extras.obstacles, []);
    for workload in &everything.workloads {
        assert_eq!(workload.problems, []);
    }
    insta::assert_snapshot!(name, documents(&everything));
}

#[test]
fn children_of_one_pod_with_its_own_database() {
    insta::assert_snapshot!("sqlite", documents(&spec("{apis: [{name: metadata}]}")));
}

/// What is wrong with a `podTemplate`, and whether it leaves the pods as they would be without.
fn refused(template: &str) -> String {
    let plain = spec("{apis: [{name: metadata}]}");
    let asked = spec(&format!(
        "{{podTemplate: {template}, apis: [{{name: metadata}}]}}"
    ));
    assert_eq!(plain.workloads[0].deployment, asked.workloads[0].deployment);
    let [problem] = asked.workloads[0].problems.as_slice() else {
        panic!("{:?}", asked.workloads[0].problems);
    };
    assert_eq!(
        (problem.reason, problem.blocks),
        ("PodTemplateInvalid", true)
    );
    problem.message.clone()
}

#[rstest]
#[case(
    "{spec: {nodeSelectors: {a: b}}}",
    "there is no field spec.nodeSelectors"
)]
#[case(
    "{spec: {containers: [{name: kilonova, imag: x}]}}",
    "there is no field spec.containers.0.imag"
)]
#[case("{template: {spec: {}}}", "there is no field template")]
#[case(
    "{spec: {hostNetwork: maybe}}",
    "invalid type: string \"maybe\", expected a boolean"
)]
#[case(
    "{spec: {containers: [{image: x}]}}",
    "a container has no name: the server's is called kilonova"
)]
#[case("{spec: {volumes: [{emptyDir: {}}]}}", "a volume has no name")]
#[case(
    "{metadata: {labels: {app.kubernetes.io/instance: other}}}",
    "metadata.labels[app.kubernetes.io/instance] may not be changed: Deployments, Services and the operator find the pods by it"
)]
#[case(
    "{spec: {terminationGracePeriodSeconds: 1}}",
    "spec.terminationGracePeriodSeconds may not be changed: it follows from drainDelaySeconds and gracefulShutdownTimeoutSeconds"
)]
#[case(
    "{spec: {volumes: [{name: config, emptyDir: {}}]}}",
    "spec.volumes[config] may not be changed: the server reads it; give yours another name"
)]
#[case(
    "{spec: {containers: [{name: kilonova, command: [sh]}]}}",
    "spec.containers[kilonova].command may not be changed: it starts the server with its settings"
)]
#[case(
    "{spec: {containers: [{name: kilonova, args: [serve]}]}}",
    "spec.containers[kilonova].args may not be changed: it starts the server with its settings"
)]
#[case(
    "{spec: {containers: [{name: kilonova, livenessProbe: {periodSeconds: 1}}]}}",
    "spec.containers[kilonova].livenessProbe may not be changed: use spec.probes for periods and thresholds"
)]
#[case(
    "{spec: {containers: [{name: kilonova, volumeMounts: [{name: x, mountPath: /etc/kilonova/config}]}]}}",
    "spec.containers[kilonova].volumeMounts[/etc/kilonova/config] may not be changed: the server reads it; mount yours elsewhere"
)]
#[case(
    "{spec: {containers: [{name: kilonova, ports: [{containerPort: 9774, name: other}]}]}}",
    "spec.containers[kilonova].ports[9774] may not be changed: set spec.apis[].port; the admin port is fixed"
)]
#[case(
    "{spec: {containers: [{name: kilonova, ports: [{containerPort: 1, name: metadata}]}]}}",
    "spec.containers[kilonova].ports[8775] may not be changed: set spec.apis[].port; the admin port is fixed"
)]
fn a_pod_template_may_not_change_what_we_depend_on(#[case] template: &str, #[case] said: &str) {
    assert_eq!(refused(template), format!("spec.podTemplate: {said}"));
}

#[test]
fn a_pod_template_of_an_api_stands_in_for_that_of_all() {
    let both = spec(
        "{podTemplate: {spec: {priorityClassName: all}}, apis: [{name: metadata}, \
         {name: osapi_compute, podTemplate: {spec: {nodeName: n}}}]}",
    );
    let pods: Vec<_> = both
        .workloads
        .iter()
        .map(|workload| {
            let spec = workload.deployment.spec.clone().unwrap();
            let pod = spec.template.spec.unwrap();
            (pod.priority_class_name, pod.node_name)
        })
        .collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(pods, [(some("all"), None), (None, some("n"))]);
}

#[test]
fn settings_no_rule_can_check_hold_the_api() {
    let wrong = spec(
        "{apis: [{name: osapi_compute}, {name: metadata, http: {accessLog: {format: '%(nothing)s'}}}]}",
    );
    assert_eq!(wrong.workloads[0].problems, []);
    let problem = &wrong.workloads[1].problems[0];
    assert_eq!(problem.reason, "SettingsInvalid");
    assert!(
        problem
            .message
            .starts_with("spec.apis[metadata].http.accessLog.format: there is no %(nothing)s"),
        "{}",
        problem.message
    );
}

#[rstest]
#[case("{apis: [{name: metadata}]}", 1, false, true)]
#[case("{replicas: 2, apis: [{name: metadata}]}", 2, false, true)]
#[case(
    "{replicas: 2, apis: [{name: metadata, replicas: 3}]}",
    3,
    false,
    false
)]
#[case(
    "{apis: [{name: metadata, autoscaling: {external: true}}]}",
    1,
    true,
    false
)]
#[case(
    "{autoscaling: {minReplicas: 4, maxReplicas: 5, metrics: [{type: Resource}]}, apis: [{name: metadata}]}",
    4,
    true,
    false
)]
#[case(
    "{autoscaling: {external: true}, apis: [{name: metadata, replicas: 3}]}",
    3,
    false,
    false
)]
#[case(
    "{podLayout: Combined, autoscaling: {external: true}, apis: [{name: metadata}]}",
    1,
    true,
    false
)]
fn who_decides_the_number_of_pods(
    #[case] asked: &str,
    #[case] replicas: i32,
    #[case] handed_over: bool,
    #[case] follows_spec: bool,
) {
    let desired = spec(asked);
    let workload = &desired.workloads[0];
    assert_eq!(
        (
            workload.replicas,
            workload.handed_over,
            workload.follows_spec
        ),
        (replicas, handed_over, follows_spec)
    );
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
#[case("{apis: [{name: metadata, http: {maxUrlBytes: 300}}]}", RELOAD)]
#[case(
    "{apis: [{name: metadata, http: {accessLog: {format: json}}}]}",
    RELOAD
)]
#[case(
    "{apis: [{name: metadata, http: {trustedProxies: [10.0.0.0/8]}}]}",
    RELOAD
)]
#[case(
    "{logging: {levels: {hyper: ERROR}}, apis: [{name: metadata}]}",
    RELOAD
)]
#[case("{drainDelaySeconds: 1, apis: [{name: metadata}]}", ROLL)]
#[case("{database: {secretName: a}, apis: [{name: metadata}]}", ROLL)]
#[case(
    "{probes: {liveness: {periodSeconds: 3}}, apis: [{name: metadata}]}",
    PODS
)]
#[case(
    "{podTemplate: {spec: {priorityClassName: a}}, apis: [{name: metadata}]}",
    PODS
)]
#[case("{apis: [{name: metadata, autoscaling: {external: true}}]}", NOTHING)]
#[case(
    "{apis: [{name: metadata, gateway: {parentRefs: [{name: g}]}, networkPolicy: {}, monitor: {podMonitor: true}}]}",
    NOTHING
)]
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
#[case("{caSecretName: b, crlKey: crl.pem}", ROLL)]
fn what_a_change_of_client_certificates_does(
    #[case] after: &str,
    #[case] expected: (bool, bool, bool, bool),
) {
    let with = |client: &str| {
        format!("{{apis: [{{name: metadata, tls: {{secretName: a, clientAuth: {client}}}}}]}}")
    };
    assert_eq!(effect(&with("{caSecretName: b}"), &with(after)), expected);
}

#[rstest]
#[case("{secretName: a, minVersion: '1.3'}", RELOAD)]
#[case("{secretName: b}", PODS)]
#[case("{secretName: a, certificate: {issuerRef: {name: ca}}}", NOTHING)]
fn what_a_change_of_tls_does(#[case] after: &str, #[case] expected: (bool, bool, bool, bool)) {
    let with = |tls: &str| format!("{{apis: [{{name: metadata, tls: {tls}}}]}}");
    assert_eq!(effect(&with("{secretName: a}"), &with(after)), expected);
}

#[rstest]
#[case("{secretName: a, maxConnectionsPerPod: 5}", RELOAD)]
#[case("{secretName: b}", PODS)]
#[case("{secretName: a, key: url}", ROLL)]
fn what_a_change_of_the_database_does(
    #[case] after: &str,
    #[case] expected: (bool, bool, bool, bool),
) {
    let with = |database: &str| format!("{{database: {database}, apis: [{{name: metadata}}]}}");
    assert_eq!(effect(&with("{secretName: a}"), &with(after)), expected);
}
