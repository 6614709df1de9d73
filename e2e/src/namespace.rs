//! One test's namespace and what is in it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{self as core, Event, Pod, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kilonova_config::status::PodStatus;
use kilonova_operator::api::ApiService;
use kilonova_probe::{client, wait_within};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Cluster;

/// How long the cluster may take for what it does at once.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A kind that lives in namespaces.
pub trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
{
}

impl<K> Kind for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

/// A namespace of one test's own.
pub struct Namespace<'a> {
    /// Its name.
    pub name: String,
    cluster: &'a Cluster,
}

impl<'a> Namespace<'a> {
    pub(crate) fn create(cluster: &'a Cluster, name: &str) -> Self {
        let api: Api<core::Namespace> = Api::all(cluster.client.clone());
        let wanted = core::Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                // What Kilonova runs must be acceptable wherever pods are held to the strictest standard.
                labels: Some(BTreeMap::from([(
                    "pod-security.kubernetes.io/enforce".to_owned(),
                    "restricted".to_owned(),
                )])),
                ..ObjectMeta::default()
            },
            ..core::Namespace::default()
        };
        cluster
            .wait(api.create(&PostParams::default(), &wanted))
            .unwrap();
        Self {
            name: name.to_owned(),
            cluster,
        }
    }

    /// The API of a kind here.
    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.cluster.client.clone(), &self.name)
    }

    /// An object, if it is there.
    pub fn get<K: Kind>(&self, name: &str) -> Option<K> {
        self.cluster.wait(self.api::<K>().get_opt(name)).unwrap()
    }

    /// All objects of a kind, as far as a label selector goes.
    pub fn list<K: Kind>(&self, selector: &str) -> Vec<K> {
        let parameters = ListParams::default().labels(selector);
        self.cluster
            .wait(self.api::<K>().list(&parameters))
            .unwrap()
            .items
    }

    /// Names of all objects of a kind that carry a label.
    pub fn names<K: Kind>(&self, selector: &str) -> Vec<String> {
        self.list::<K>(selector)
            .iter()
            .map(ResourceExt::name_any)
            .collect()
    }

    /// Removes an object.
    pub fn delete<K: Kind>(&self, name: &str) {
        self.cluster
            .wait(self.api::<K>().delete(name, &DeleteParams::default()))
            .unwrap();
    }

    /// Creates an object.
    pub fn create_object<K: Kind>(&self, object: &K) {
        self.cluster
            .wait(self.api::<K>().create(&PostParams::default(), object))
            .unwrap();
    }

    /// Applies an `ApiService` called `nova` with this spec, as `kubectl apply --server-side` does.
    pub fn apply(&self, spec: &str) {
        let spec: serde_json::Value = serde_yaml::from_str(spec).unwrap();
        let object = serde_json::json!({
            "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService", "metadata": {"name": "nova"}, "spec": spec,
        });
        let parameters = PatchParams::apply("test").force();
        self.cluster
            .wait(
                self.api::<ApiService>()
                    .patch("nova", &parameters, &Patch::Apply(object)),
            )
            .unwrap();
    }

    /// Writes a Secret, new or changed.
    pub fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let bytes = |(key, value): &(&str, &str)| {
            ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))
        };
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data.iter().map(bytes).collect()),
            ..Secret::default()
        };
        self.cluster
            .wait(self.api::<Secret>().patch(
                name,
                &PatchParams::apply("test").force(),
                &Patch::Apply(secret),
            ))
            .unwrap();
    }

    /// The `ApiService`.
    pub fn nova(&self) -> ApiService {
        self.get("nova").expect("the ApiService nova is there")
    }

    /// One of its conditions, if it stands for the present generation.
    pub fn condition(&self, kind: &str) -> Option<Condition> {
        let nova = self.nova();
        let conditions = nova.status?.conditions;
        let found = conditions
            .into_iter()
            .find(|condition| condition.type_ == kind)?;
        (found.observed_generation == nova.metadata.generation).then_some(found)
    }

    /// Waits until a condition has a status and reason; returns its message.
    pub fn wait_condition(&self, kind: &str, status: &str, reason: Option<&str>) -> String {
        let wanted = format!("{kind}={status} {}", reason.unwrap_or_default());
        let mut last = None;
        let found = || {
            last = self.condition(kind);
            let condition = last.as_ref()?;
            let fits = condition.status == status
                && reason.is_none_or(|reason| condition.reason == reason);
            fits.then(|| condition.message.clone())
        };
        wait_within(PATIENCE, &wanted, found)
    }

    /// Waits until the `ApiService` is ready, and kube-proxy has heard of it: that takes up to a second more.
    pub fn wait_ready(&self) {
        self.wait_condition("Ready", "True", None);
        for service in self.names::<Service>("app.kubernetes.io/instance=nova") {
            let address = self.address(&service);
            wait_within(PATIENCE, &format!("{service} to be reached"), || {
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
            });
        }
    }

    /// Where a Service's first port is reached from this machine.
    pub fn address(&self, service: &str) -> SocketAddr {
        let spec = self
            .get::<Service>(service)
            .and_then(|service| service.spec)
            .unwrap();
        let port = spec.ports.unwrap()[0].port;
        let ip = spec.cluster_ip.unwrap().parse().unwrap();
        SocketAddr::new(ip, u16::try_from(port).unwrap())
    }

    /// The name a client knows a Service by.
    pub fn host(&self, service: &str) -> String {
        format!("{service}.{}.svc", self.name)
    }

    /// Pods that serve an API and are not about to go.
    pub fn pods(&self) -> Vec<Pod> {
        let mut pods = self.list::<Pod>("app.kubernetes.io/instance=nova");
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        pods
    }

    /// What a pod says of itself.
    pub fn pod_status(&self, pod: &Pod) -> Option<PodStatus> {
        let ip = pod.status.as_ref()?.pod_ip.as_ref()?;
        let admin: SocketAddr = format!("{ip}:9774").parse().ok()?;
        let answer = client::try_get(admin, "/status").ok()?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// Reasons of the events about the `ApiService`.
    pub fn event_reasons(&self) -> Vec<String> {
        let events = self.list::<Event>("");
        let about_nova =
            |event: &Event| event.involved_object.kind.as_deref() == Some("ApiService");
        events
            .into_iter()
            .filter(about_nova)
            .filter_map(|event| event.reason)
            .collect()
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let nova = self.cluster.wait(self.api::<ApiService>().get_opt("nova"));
            if let Ok(Some(nova)) = nova {
                eprintln!(
                    "--- status in {}\n{}",
                    self.name,
                    serde_yaml::to_string(&nova.status).unwrap_or_default()
                );
            }
        }
        let api: Api<core::Namespace> = Api::all(self.cluster.client.clone());
        let _ = self
            .cluster
            .wait(api.delete(&self.name, &DeleteParams::background()));
    }
}
