//! The `ApiService` that a test's namespace holds, and what it runs.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kilonova_config::status::PodStatus;
use kilonova_operator::api::ApiService;
use kilonova_probe::{client, wait_within};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::namespace::PATIENCE;
use crate::{Namespace, database};

impl Namespace<'_> {
    /// Applies an `ApiService` called `nova` with this spec, as `kubectl apply --server-side` does.
    pub fn apply(&self, spec: &str) {
        let applied = self.try_apply("nova", spec, PatchParams::apply("test"));
        applied.unwrap_or_else(|error| panic!("{spec}: {error}"));
    }

    /// What the API server says against an `ApiService`, which is not kept.
    pub fn refusal(&self, name: &str, spec: &str) -> Option<String> {
        let dry = PatchParams::apply("test").dry_run();
        let refused = self.try_apply(name, spec, dry).err()?;
        Some(refused.to_string())
    }

    fn try_apply(
        &self,
        name: &str,
        spec: &str,
        parameters: PatchParams,
    ) -> Result<ApiService, kube::Error> {
        let spec: Value = serde_yaml::from_str(spec).unwrap();
        let object = json!({
            "apiVersion": "kilonova.dev/v1alpha1", "kind": "ApiService", "metadata": {"name": name}, "spec": spec,
        });
        let api = self.api::<ApiService>();
        self.cluster
            .wait(api.patch(name, &parameters.force(), &Patch::Apply(object)))
    }

    /// Sets an annotation, or takes it away.
    pub fn annotate(&self, key: &str, value: Option<&str>) {
        let patch = json!({"metadata": {"annotations": {key: value}}});
        let api = self.api::<ApiService>();
        let parameters = PatchParams::default();
        self.cluster
            .wait(api.patch("nova", &parameters, &Patch::Merge(patch)))
            .unwrap();
    }

    /// Its status as the API server gives it; null before there is one.
    pub fn status(&self) -> Value {
        serde_json::to_value(self.nova().status).unwrap()
    }

    /// A database of this namespace's own for `spec.database: {secretName: nova-db}`.
    pub fn database(&self) {
        let url = database::url(&self.name.replace('-', "_"));
        self.secret("nova-db", &[("connection", &url)]);
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

    /// The uids of its pods: as long as they are the same, no pod was replaced.
    pub fn uids(&self) -> BTreeSet<String> {
        let uids = self.pods().into_iter().filter_map(|pod| pod.metadata.uid);
        uids.collect()
    }
}
