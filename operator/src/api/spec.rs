//! What a user writes.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kilonova_config::{ClientAuthMode, LogFormat, LogLevel};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::ApiServiceStatus;
use super::{rules, schema};

/// What is to be served.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "kilonova.dev",
    version = "v1alpha1",
    kind = "ApiService",
    plural = "novaapiservices",
    singular = "novaapiservice",
    shortname = "napi",
    category = "openstack",
    namespaced,
    status = "ApiServiceStatus",
    derive = "PartialEq",
    doc = "OpenStack's compute API, as nova-api serves it: which of nova's APIs run, where they listen, with how many \
           workers and with which certificates. The operator turns it into Deployments and Services named \
           '<name>-<api>'.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Replicas", type_ = "string", json_path = ".status.ready"),
    printcolumn(name = "Workers", type_ = "string", json_path = ".status.workers"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1),
    printcolumn(name = "TLS expiry", type_ = "string", json_path = ".status.tlsExpiry", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1),
    validation = rules::name_fits(),
    validation = rules::name_is_label()
)]
#[x_kube(
    validation = rules::ports_differ(),
    validation = rules::pods_are_shared("replicas"),
    validation = rules::pods_are_shared("resources")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_null)]
pub struct ApiServiceSpec {
    /// The APIs to serve, each once (nova: enabled_apis).
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub apis: Vec<Api>,
    /// How many pods each API gets, unless it says so itself. With podLayout Combined: how many pods there are. This is
    /// what 'kubectl scale' and a HorizontalPodAutoscaler change.
    #[serde(default = "one")]
    #[x_kube(validation = rules::replicas())]
    pub replicas: i32,
    /// PerApi: a Deployment for each API, so that each scales and rolls by itself. Combined: one Deployment whose pods
    /// run all APIs under one supervisor, as nova-api did. Either way each API has its own Service.
    #[serde(default)]
    pub pod_layout: PodLayout,
    /// CPU and memory of the pods of every API that does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Image of the server. Default: the one the operator was released with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub image: Option<String>,
    /// When the image is pulled, as in a container. Default: Kubernetes' own (Always for the tag latest, else
    /// IfNotPresent).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets with the credentials of the image's registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalReference>,
    /// The servers' log (nova: oslo.log's options).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// How long a stopping server waits for requests in flight, in seconds after it stopped accepting; 0 waits for ever
    /// (an hour, since Kubernetes wants a number) (nova: graceful_shutdown_timeout). A change rolls the pods.
    #[serde(default = "graceful_shutdown_timeout")]
    #[x_kube(validation = rules::seconds("gracefulShutdownTimeoutSeconds"))]
    pub graceful_shutdown_timeout_seconds: i32,
}

/// One of nova's APIs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::service_is_reachable())]
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
    /// How many pods this API gets. Default: spec.replicas. Not with podLayout Combined.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::replicas())]
    pub replicas: Option<i32>,
    /// Present: the API is served over TLS (nova: its name in enabled_ssl_apis).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How HTTP connections are treated (nova: the options of [wsgi]). Changes are taken over without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// The API's Service, named '<name>-<api>'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// CPU and memory of this API's pods. Default: spec.resources. Not with podLayout Combined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
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

/// Which pods run which APIs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum PodLayout {
    /// A Deployment for each API.
    #[default]
    PerApi,
    /// One Deployment that runs all APIs.
    Combined,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ImagePullPolicy {
    /// Before every start.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never: the node must have it.
    Never,
}

/// Name of an object in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LocalReference {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// TLS of one API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Secret of type kubernetes.io/tls with the certificate chain in tls.crt and its key in tls.key (nova: [wsgi]
    /// ssl_cert_file, ssl_key_file). New contents are served without a restart.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("secretName"))]
    pub secret_name: String,
    /// Present: clients are asked for a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
}

/// Client certificates.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::client_auth_has_ca())]
pub struct ClientAuth {
    /// Required: a client without a certificate is refused, as by nova. Optional: it is served without an identity. A
    /// bad certificate is always refused. A change is taken over without a restart.
    #[serde(default)]
    pub mode: ClientAuthMode,
    /// Secret with the authorities that sign the clients' certificates (nova: [wsgi] ssl_ca_file). New contents are
    /// taken over without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("caSecretName"))]
    pub ca_secret_name: Option<String>,
    /// Key of the PEM bundle in that Secret.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::ca_key())]
    pub ca_key: String,
}

/// How HTTP connections are treated.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// Whether a connection may carry more than one request (nova: [wsgi] keep_alive).
    #[serde(default = "keep_alive")]
    pub keep_alive: bool,
    /// How long the server waits for a silent client, in seconds; 0 waits for ever (nova: [wsgi]
    /// client_socket_timeout).
    #[serde(default = "client_socket_timeout")]
    #[x_kube(validation = rules::seconds("clientSocketTimeoutSeconds"))]
    pub client_socket_timeout_seconds: i32,
}

/// An API's Service.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// How the Service is published.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Port of the Service. Default: the port the API listens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::port_in_range("service.port"))]
    pub port: Option<i32>,
    /// Annotations of the Service, such as those a load balancer wants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

/// How a Service is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ServiceType {
    /// Inside the cluster.
    #[default]
    ClusterIP,
    /// On a port of every node.
    NodePort,
    /// Through a load balancer.
    LoadBalancer,
}

/// Amounts by resource name, such as cpu and memory.
pub type Quantities = BTreeMap<String, Quantity>;

/// CPU and memory of a pod's container.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Resources {
    /// What the scheduler sets aside.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub requests: Quantities,
    /// The most it may use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub limits: Quantities,
}

/// The servers' log.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// The least severe level that is written (nova: debug, default_log_levels). A change is taken over without a
    /// restart.
    #[serde(default)]
    pub level: LogLevel,
    /// Shape of a line: oslo.log's (nova: logging_context_format_string) or JSON. A change is taken over without a
    /// restart.
    #[serde(default)]
    pub format: LogFormat,
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

impl ServiceType {
    /// As in a Service.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl ImagePullPolicy {
    /// As in a container.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

fn one() -> i32 {
    1
}

fn graceful_shutdown_timeout() -> i32 {
    kilonova_config::GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS.cast_signed()
}

fn client_socket_timeout() -> i32 {
    kilonova_config::CLIENT_SOCKET_TIMEOUT_SECONDS.cast_signed()
}

fn keep_alive() -> bool {
    kilonova_config::KEEP_ALIVE
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}
