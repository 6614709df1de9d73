//! Every field of the resource, and what changing it does to running pods.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use kilonova_operator::api::{self, ApiService, PlanItem};
use kilonova_operator::confirm::Seen;
use kilonova_operator::desired::{Release, desired};
use kilonova_operator::observed::Observed;
use kilonova_operator::plan::{Course, Situation, course};
use kilonova_operator::status::{self, Evidence};
use kube::ResourceExt;
use serde_json::{Value, json};

/// The resource all changes begin from: everything that can be changed is there, so that it can also be removed.
const BASE: &str = r"
replicas: 1
image: a
imagePullPolicy: Always
imagePullSecrets: [{name: a}]
resources: {requests: {cpu: '1'}, limits: {cpu: '1'}}
logging: {level: INFO, format: oslo}
database: {secretName: a, key: a}
podTemplate: {spec: {priorityClassName: a}}
apis:
- name: osapi_compute
  listen: 0.0.0.0
  port: 8774
  workers: 1
  replicas: 1
  tls: {secretName: a, clientAuth: {mode: Required, caSecretName: a, caKey: a}}
  http: {keepAlive: true, clientSocketTimeoutSeconds: 900, trustedProxies: [10.0.0.0/8]}
  service: {type: ClusterIP, port: 80, annotations: {a: a}}
  resources: {requests: {cpu: '1'}, limits: {cpu: '1'}}
  gateway: {parentRefs: [{name: a}], hostnames: [a]}
  networkPolicy: {from: [{podSelector: {}}]}
  podTemplate: {spec: {priorityClassName: a}}
  monitor: {podMonitor: true, labels: {a: a}}
";

/// Path of a field, what it becomes, and what that does: `/` stands for what is done to nothing.
const TABLE: &[(&str, &str, &str)] = &[
    ("apis.name", "metadata", "None"), // other pods; the old ones go with their API
    ("apis.listen", "'::'", "Roll"),
    ("apis.port", "443", "Roll"),
    ("apis.workers", "3", "Reload"),
    ("apis.replicas", "2", "None"),
    ("apis.autoscaling", "{external: true}", "None"),
    ("apis.tls", "null", "Roll"),
    ("apis.tls.secretName", "b", "Roll"),
    ("apis.tls.clientAuth", "null", "Roll"),
    ("apis.tls.clientAuth.mode", "Optional", "Reload"),
    ("apis.tls.clientAuth.caSecretName", "b", "Roll"),
    ("apis.tls.clientAuth.caKey", "b", "Roll"),
    ("apis.tls.clientAuth.crlKey", "b", "Roll"),
    ("apis.tls.minVersion", "'1.3'", "Reload"),
    ("apis.tls.certificate", "{issuerRef: {name: a}}", "None"),
    ("apis.http", "null", "Reload"),
    ("apis.http.keepAlive", "false", "Reload"),
    ("apis.http.clientSocketTimeoutSeconds", "3", "Reload"),
    ("apis.http.headerTimeoutSeconds", "3", "Reload"),
    ("apis.http.tlsHandshakeTimeoutSeconds", "3", "Reload"),
    ("apis.http.maxConcurrentStreams", "3", "Reload"),
    ("apis.http.maxConnectionAgeSeconds", "3", "Reload"),
    ("apis.http.tcpKeepIdleSeconds", "3", "Reload"),
    ("apis.http.maxHeaderLineBytes", "300", "Reload"),
    ("apis.http.maxUrlBytes", "300", "Reload"),
    ("apis.http.maxBodyBytes", "3", "Reload"),
    ("apis.http.maxConnectionsPerWorker", "3", "Reload"),
    ("apis.http.backlog", "3", "Reload"),
    ("apis.http.trustedProxies", "[10.1.0.0/16]", "Reload"),
    ("apis.http.proxyProtocol", "V1V2", "Reload"),
    ("apis.http.accessLog", "{format: json}", "Reload"),
    ("apis.service", "null", "None"),
    ("apis.service.type", "NodePort", "None"),
    ("apis.service.port", "81", "None"),
    ("apis.service.annotations", "{b: b}", "None"),
    ("apis.service.nodePort", "30774", "None"),
    ("apis.service.loadBalancerClass", "a/b", "None"),
    (
        "apis.service.loadBalancerSourceRanges",
        "[10.0.0.0/8]",
        "None",
    ),
    ("apis.service.externalTrafficPolicy", "Local", "None"),
    ("apis.service.ipFamilyPolicy", "PreferDualStack", "None"),
    ("apis.gateway", "null", "None"),
    ("apis.gateway.hostnames", "[b]", "None"),
    ("apis.gateway.parentRefs", "[{name: b}]", "None"),
    ("apis.networkPolicy", "null", "None"),
    (
        "apis.networkPolicy.from",
        "[{ipBlock: {cidr: 10.0.0.0/8}}]",
        "None",
    ),
    (
        "apis.networkPolicy.monitoringFrom",
        "[{podSelector: {}}]",
        "None",
    ),
    ("apis.monitor", "null", "None"),
    ("apis.monitor.podMonitor", "false", "None"),
    ("apis.monitor.labels", "{b: b}", "None"),
    ("apis.podTemplate", "null", "None"), // that of the spec is the same
    ("apis.podTemplate", "{spec: {priorityClassName: b}}", "Roll"),
    ("apis.resources", "null", "None"), // those of the spec are the same
    ("apis.resources.requests", "{cpu: '2'}", "Roll"),
    ("apis.resources.limits", "{cpu: '2'}", "Roll"),
    ("replicas", "3", "None"), // the API has its own number
    ("autoscaling", "{external: true}", "None"), // the API has its own number
    ("podLayout", "Combined", "Roll"),
    ("podTemplate", "{spec: {priorityClassName: b}}", "None"), // the API has its own
    ("resources", "null", "None"),                             // the API has its own
    ("resources.requests", "{cpu: '2'}", "None"),
    ("resources.limits", "{cpu: '2'}", "None"),
    ("image", "b", "Roll"),
    ("imagePullPolicy", "Never", "Roll"),
    ("imagePullSecrets", "[]", "Roll"),
    ("imagePullSecrets.name", "b", "Roll"),
    ("logging", "null", "None"), // the defaults stand there
    ("logging.level", "DEBUG", "Reload"),
    ("logging.format", "json", "Reload"),
    ("logging.levels", "{hyper: ERROR}", "Reload"),
    ("database", "null", "Roll"),
    ("database.secretName", "b", "Roll"),
    ("database.key", "b", "Roll"),
    ("database.maxConnectionsPerPod", "3", "Reload"),
    ("probes", "{startup: {periodSeconds: 7}}", "Roll"),
    ("probes.liveness", "{timeoutSeconds: 7}", "Roll"),
    ("probes.readiness", "{failureThreshold: 7}", "Roll"),
    ("drainDelaySeconds", "3", "Roll"),
    ("gracefulShutdownTimeoutSeconds", "3", "Roll"),
    ("updatePolicy", "Manual", "None"),
    ("paused", "true", "None"),
];

fn release() -> Release {
    Release {
        server_image: "kilonova/server:test".to_owned(),
        namespace: "kilonova-system".to_owned(),
    }
}

fn service(spec: &Value) -> ApiService {
    serde_json::from_value(json!({
        "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService", "spec": spec,
        "metadata": {"name": "nova", "namespace": "cloud", "uid": "uid", "generation": 1},
    }))
    .unwrap()
}

fn steer(service: &ApiService, observed: &Observed) -> Course {
    let release = release();
    let wanted = desired(service, &release).unwrap();
    course(&Situation {
        service,
        release: &release,
        wanted: &wanted,
        observed,
        verdicts: &[],
        seen: &Seen::default(),
        nonce: "nonce",
    })
    .unwrap()
}

/// What there is when a course was gone, and the resource with its status then.
fn served(spec: &Value) -> (ApiService, Observed) {
    let mut service = service(spec);
    let mut observed = Observed::default();
    let data = |key: &str| json!({"tls.crt": key, "tls.key": key, "a": key, "b": key});
    for name in ["a", "b"] {
        let (certificate, key) = pair();
        let mut secret = data("YQ==");
        secret["tls.crt"] = json!(k8s_openapi::ByteString(certificate.into_bytes()));
        secret["tls.key"] = json!(k8s_openapi::ByteString(key.into_bytes()));
        let secret = json!({"metadata": {"name": name}, "data": secret});
        observed
            .secrets
            .insert(name.to_owned(), serde_json::from_value(secret).unwrap());
    }
    let course = steer(&service, &observed);
    for workload in &course.desired.workloads {
        let mut deployment = workload.deployment.clone();
        deployment.spec.as_mut().unwrap().replicas = Some(workload.replicas);
        observed
            .deployments
            .insert(workload.name.clone(), deployment);
        for map in [&workload.cold, &workload.live] {
            observed.config_maps.insert(map.name_any(), map.clone());
        }
    }
    for record in course.records.values() {
        observed.revisions.insert(record.name_any(), record.clone());
    }
    for child in &course.desired.services {
        observed.services.insert(child.name_any(), child.clone());
    }
    let wanted = desired(&service, &release()).unwrap();
    let verdicts = kilonova_operator::verdict::judge(
        &service,
        &wanted,
        &observed.secrets,
        Timestamp::UNIX_EPOCH,
    );
    let confirmations = course
        .expected
        .iter()
        .map(|(name, expected)| {
            assert!(expected.is_some());
            let mut found = kilonova_operator::confirm::Confirmation::default();
            found.expected.clone_from(expected);
            (name.clone(), found)
        })
        .collect();
    let status = status::status(&Evidence {
        service: &service,
        course: &course,
        desired: &course.desired,
        observed: &observed,
        verdicts: &verdicts,
        report: &kilonova_operator::apply::Report::default(),
        pods: &[],
        confirmations: &confirmations,
        now: Timestamp::UNIX_EPOCH,
    });
    service.status = Some(status);
    (service, observed)
}

fn pair() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let wanted = rcgen::CertificateParams::new(vec!["nova.test".to_owned()]).unwrap();
    (wanted.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Puts `value` where `path` leads, in the first entry of each list on the way; null takes it away.
fn put(document: &mut Value, path: &[&str], value: Value) {
    if let Value::Array(list) = document {
        return put(&mut list[0], path, value);
    }
    let object = document.as_object_mut().unwrap();
    match path {
        [field] if value.is_null() => {
            object.remove(*field).unwrap();
        }
        [field] => {
            object.insert((*field).to_owned(), value);
        }
        [field, rest @ ..] => {
            let inner = object.entry(*field).or_insert_with(|| json!({}));
            put(inner, rest, value);
        }
        [] => {}
    }
}

fn base() -> Value {
    serde_yaml::from_str(BASE).unwrap()
}

fn effects(plan: &[PlanItem]) -> Vec<String> {
    plan.iter()
        .map(|item| format!("{:?}", item.effect))
        .collect()
}

#[test]
fn every_field_does_what_the_table_says() {
    let (running, observed) = served(&base());
    for (path, value, expected) in TABLE {
        let mut spec = base();
        let fields: Vec<&str> = path.split('.').collect();
        put(&mut spec, &fields, serde_yaml::from_str(value).unwrap());
        let mut changed = service(&spec);
        changed.status.clone_from(&running.status);
        let found = effects(&steer(&changed, &observed).plan);
        let allowed: &[&str] = match *expected {
            "None" => &["None"],
            one => &[one, "None"],
        };
        assert!(
            found
                .iter()
                .all(|effect| allowed.contains(&effect.as_str())),
            "{path}: {found:?}"
        );
        assert!(
            *expected == "None" || found.contains(&(*expected).to_owned()),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn what_does_not_change_does_nothing() {
    let (running, observed) = served(&base());
    assert_eq!(
        effects(&steer(&running, &observed).plan),
        Vec::<String>::new()
    );
}

#[test]
fn every_field_stands_in_the_table() {
    let definition = serde_json::to_value(api::definition()).unwrap();
    let spec =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = BTreeSet::new();
    collect(spec, "", &mut fields);
    let known: BTreeSet<&str> = TABLE.iter().map(|(path, ..)| *path).collect();
    // A list or an object is in the table by what is in it, or as a whole that becomes another one.
    let whole = |field: &str| {
        let mut rows = TABLE.iter().filter(|(_, value, _)| *value != "null");
        rows.any(|(path, ..)| {
            field
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let missing: Vec<&String> = fields
        .iter()
        .filter(|field| !known.contains(field.as_str()) && !whole(field))
        .collect();
    assert_eq!(
        missing,
        Vec::<&String>::new(),
        "say what a change of these does"
    );
    for path in known {
        assert!(
            path.split('.').count() > 1 || spec["properties"].get(path).is_some(),
            "{path} is no field"
        );
    }
}

/// The fields of a schema that have no fields of their own.
fn collect(schema: &Value, path: &str, fields: &mut BTreeSet<String>) {
    let inner = schema["properties"]
        .as_object()
        .or(schema["items"]["properties"].as_object());
    let Some(inner) = inner else {
        fields.insert(path.to_owned());
        return;
    };
    for (name, schema) in inner {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        collect(schema, &path, fields);
    }
}
