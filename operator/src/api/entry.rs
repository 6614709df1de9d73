//! One entry of nova's enabled_apis.

use std::fmt;
use std::net::IpAddr;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::autoscaling::Autoscaling;
use super::gateway::Gateway;
use super::http::Http;
use super::monitor::Monitor;
use super::network::NetworkPolicy;
use super::resources::Resources;
use super::service::Service;
use super::tls::Tls;
use super::{rules, schema};

/// One of nova's APIs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::service_is_reachable("service"),
    validation = rules::service_is_reachable("gateway"),
    validation = rules::count_is_fixed_or_scaled(),
    validation = rules::passthrough_has_names()
)]
pub struct Api {
    /// Which API, as in nova's enabled_apis.
    pub name: ApiName,
    /// Address the API listens on in its pod (nova: osapi_compute_listen, metadata_listen). Default 0.0.0.0; '::' serves
    /// IPv6 and IPv4. A loopback address is for a sidecar in the same pod: there is no Service then. A change rolls the
    /// pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    #[x_kube(validation = rules::is_address())]
    pub listen: Option<String>,
    /// Port the API listens on (nova: osapi_compute_listen_port, metadata_listen_port). Default 8774 for osapi_compute,
    /// 8775 for metadata. Ports below 1024 work. A change rolls the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::port_in_range("port"), validation = rules::port_is_free())]
    pub port: Option<i32>,
    /// Worker processes in each pod (nova: osapi_compute_workers, metadata_workers). Default: the container's CPU limit,
    /// else its CPU request, rounded up, else 1; never the node's CPUs. A change is taken over without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::workers())]
    pub workers: Option<i32>,
    /// How many pods this API gets. Default: spec.replicas. Not with podLayout Combined. A change touches no other pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::replicas())]
    pub replicas: Option<i32>,
    /// Present: the number of this API's pods is handed over. Default: spec.autoscaling. Not with podLayout Combined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// Present: the API is served over TLS (nova: its name in enabled_ssl_apis). That it comes or goes rolls the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How HTTP connections are treated (nova: the options of [wsgi]). Changes are taken over without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// The API's Service, named '<name>-<api>'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Present: the Gateway API publishes the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// Present: only who is named may connect to the API's pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,
    /// CPU and memory of this API's pods. Default: spec.resources. Not with podLayout Combined. A change rolls the
    /// pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What is laid over the template of this API's pods, as in a Deployment: metadata and spec; the server's container
    /// is called kilonova. Lists of named things are joined by name. Not everything may be changed: condition
    /// ConfigAccepted says so. Default: spec.podTemplate. Not with podLayout Combined. A change rolls the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub pod_template: Option<Value>,
    /// Who collects the pods' metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitor>,
}

/// nova's APIs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ApiName {
    /// The Compute API.
    OsapiCompute,
    /// The metadata API instances ask.
    Metadata,
}

impl ApiName {
    /// The name nova gives it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OsapiCompute => kilonova_config::api::OSAPI_COMPUTE,
            Self::Metadata => kilonova_config::api::METADATA,
        }
    }

    /// The name as Kubernetes takes it: with `-` for `_`.
    pub fn dashed(self) -> &'static str {
        match self {
            Self::OsapiCompute => "osapi-compute",
            Self::Metadata => "metadata",
        }
    }
}

impl fmt::Display for ApiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Api {
    /// Port the API listens on.
    pub fn listen_port(&self) -> i32 {
        self.port
            .unwrap_or_else(|| kilonova_config::api::default_port(self.name.as_str()).into())
    }

    /// Whether only its own pod can reach it. The API server lets nothing but addresses in.
    pub fn is_loopback(&self) -> bool {
        let address = self
            .listen
            .as_ref()
            .and_then(|listen| listen.parse::<IpAddr>().ok());
        address.is_some_and(|address| address.is_loopback())
    }

    /// Port of its Service.
    pub fn service_port(&self) -> i32 {
        let asked = self.service.as_ref().and_then(|service| service.port);
        asked.unwrap_or_else(|| self.listen_port())
    }
}
