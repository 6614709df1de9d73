//! An API server, an operator, and what a test does to them.

use k8s_openapi::ByteString;
use k8s_openapi::jiff::Timestamp;
use kilonova_operator::Error;
use kilonova_operator::cluster::Cluster;
use kilonova_operator::desired::Release;
use kilonova_operator::memory::{Key, Memory};
use kilonova_operator::metrics::Metrics;
use kilonova_operator::reconcile::{Context, Outcome, reconcile};
use kube::Client;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::apiserver::ApiServer;

/// Noon of the first day of 2026.
pub const NOW: i64 = 1_767_268_800;
pub const DAY: i64 = 86_400;

/// Two APIs over plain HTTP.
pub const BOTH: &str =
    "{replicas: 2, apis: [{name: osapi_compute, workers: 2}, {name: metadata, replicas: 1}]}";
/// Two APIs, one of them over TLS.
pub const TLS: &str =
    "{apis: [{name: osapi_compute, tls: {secretName: api-tls}}, {name: metadata}]}";

pub struct World {
    pub server: ApiServer,
    pub now: i64,
    context: Context,
}

impl World {
    /// An API server that holds one `ApiService` called `cloud/nova`.
    pub fn with(spec: &str) -> Self {
        Self::on(&ApiServer::default(), spec)
    }

    /// The same on an API server that holds other things too; an operator that remembers nothing.
    pub fn on(server: &ApiServer, spec: &str) -> Self {
        let world = Self {
            context: context(server),
            server: server.clone(),
            now: NOW,
        };
        let spec: Value = serde_yaml::from_str(spec).unwrap();
        world.server.put(
            "novaapiservices",
            json!({
                "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService", "spec": spec,
                "metadata": {"name": "nova", "namespace": "cloud", "uid": "nova-uid", "generation": 1},
            }),
        );
        world
    }

    /// A cluster that holds the same, with an operator that remembers nothing.
    pub fn fork(&self) -> Self {
        let server = self.server.fork();
        Self {
            context: context(&server),
            server,
            now: self.now,
        }
    }

    /// The operator is started anew, and remembers nothing.
    pub fn restart(&mut self) {
        self.context = context(&self.server);
    }

    /// Another release of the operator takes over.
    pub fn upgrade(&mut self, server_image: &str) {
        self.restart();
        server_image.clone_into(&mut self.context.release.server_image);
    }

    /// The user annotates the resource.
    pub fn annotate(&self, key: &str, value: &str) {
        self.server.change("novaapiservices", "nova", |service| {
            service["metadata"]["annotations"][key] = value.into();
        });
    }

    pub async fn try_reconcile(&self) -> Result<Outcome, Error> {
        let key = Key {
            namespace: "cloud".to_owned(),
            name: "nova".to_owned(),
        };
        let now = Timestamp::from_second(self.now).unwrap();
        Box::pin(reconcile(&self.context, &key, now)).await
    }

    pub async fn reconcile(&self) -> Outcome {
        self.try_reconcile().await.unwrap()
    }

    /// Reconciles, lets the pods come up, and reconciles until nothing changes; forgets what was asked.
    pub async fn settle(&self) {
        for _ in 0..5 {
            let outcome = self.reconcile().await;
            if !self.bring_up() && !outcome.changed {
                self.server.asked();
                return;
            }
        }
        panic!("it does not settle: {:?}", self.server.writes());
    }

    /// See [`bring_up`].
    pub fn bring_up(&self) -> bool {
        bring_up(&self.server)
    }

    /// The user writes another spec.
    pub fn spec(&self, spec: &str) {
        let spec: Value = serde_yaml::from_str(spec).unwrap();
        self.server.change("novaapiservices", "nova", |service| {
            service["spec"] = spec;
            let generation = service["metadata"]["generation"].as_i64().unwrap();
            service["metadata"]["generation"] = (generation + 1).into();
        });
    }

    pub fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let data: serde_json::Map<String, Value> = data
            .iter()
            .map(|(key, value)| {
                (
                    (*key).to_owned(),
                    json!(ByteString(value.as_bytes().to_vec())),
                )
            })
            .collect();
        self.server.put(
            "secrets",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "cloud"}, "data": data}),
        );
    }

    /// A Secret with a certificate that is valid for thirty days around now, and its key.
    pub fn certificate(&self, name: &str) {
        let (certificate, key) = issue(NOW - DAY, NOW + 30 * DAY);
        self.secret(name, &[("tls.crt", &certificate), ("tls.key", &key)]);
    }

    /// A condition as `status reason: message`.
    pub fn condition(&self, type_: &str) -> String {
        let status = self.status();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions
            .iter()
            .find(|condition| condition["type"] == type_);
        found.map_or_else(String::new, |condition| {
            let text = |field: &str| condition[field].as_str().unwrap().to_owned();
            format!("{} {}: {}", text("status"), text("reason"), text("message"))
        })
    }

    pub fn status(&self) -> Value {
        self.server.get("novaapiservices", "nova").unwrap()["status"].clone()
    }

    pub fn metrics(&self) -> String {
        self.context.cluster.metrics.text().unwrap()
    }
}

fn context(server: &ApiServer) -> Context {
    context_of(server.client(), Metrics::new().unwrap())
}

/// Every Deployment gets all its pods; says whether one had not.
pub fn bring_up(server: &ApiServer) -> bool {
    let mut late = false;
    for name in server.names("deployments") {
        let before = server.get("deployments", &name).unwrap();
        let pods = before["spec"]["replicas"].clone();
        let status = json!({
            "observedGeneration": before["metadata"]["generation"], "replicas": pods, "updatedReplicas": pods,
            "readyReplicas": pods, "availableReplicas": pods,
        });
        if before["status"] != status {
            server.change("deployments", &name, |deployment| {
                deployment["status"] = status;
            });
            late = true;
        }
    }
    late
}

/// What a reconcile needs.
pub fn context_of(client: Client, metrics: Metrics) -> Context {
    Context {
        cluster: Cluster::new(client, metrics),
        release: Release {
            server_image: "kilonova/server:test".to_owned(),
            namespace: "kilonova-system".to_owned(),
        },
        memory: Memory::default(),
    }
}

/// A certificate for the Services of the namespace and its key.
pub fn issue(not_before: i64, not_after: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut wanted = CertificateParams::new(vec!["*.cloud.svc".to_owned()]).unwrap();
    let date = |seconds: i64| {
        let date = Timestamp::from_second(seconds)
            .unwrap()
            .to_zoned(k8s_openapi::jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    wanted.not_before = date(not_before);
    wanted.not_after = date(not_after);
    let certificate = wanted.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A pod; one that was told to stop at `told` has a minute.
pub fn pod(name: &str, component: &str, told: Option<i64>) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "status": {"phase": "Running"},
        "metadata": {"name": name, "namespace": "cloud", "annotations": {}, "labels": {
            "app.kubernetes.io/name": "kilonova", "app.kubernetes.io/instance": "nova",
            "app.kubernetes.io/component": component, "app.kubernetes.io/managed-by": "kilonova-operator",
        }},
    });
    if let Some(told) = told {
        pod["metadata"]["deletionTimestamp"] = time(told + 60);
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(60);
    }
    pod
}

pub fn time(seconds: i64) -> Value {
    json!(
        k8s_openapi::jiff::Timestamp::from_second(seconds)
            .unwrap()
            .to_string()
    )
}
