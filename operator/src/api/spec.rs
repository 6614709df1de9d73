//! What a user writes.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::autoscaling::Autoscaling;
use super::database::Database;
use super::entry::Api;
use super::logging::Logging;
use super::probes::Probes;
use super::resources::Resources;
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
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision", priority = 1),
    validation = rules::name_fits(),
    validation = rules::name_is_label()
)]
#[x_kube(
    validation = rules::ports_differ(),
    validation = rules::pods_are_shared("replicas"),
    validation = rules::pods_are_shared("resources"),
    validation = rules::pods_are_shared("autoscaling"),
    validation = rules::pods_are_shared("podTemplate"),
    validation = rules::sqlite_is_one_pod(),
    validation = rules::cpu_is_requested(),
    validation = rules::certificates_have_secrets()
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
    /// Present: the number of pods is handed over, for every API that says nothing of it itself; replicas is not looked
    /// at then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// CPU and memory of the pods of every API that does not say so itself. A change rolls the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What is laid over the template of the pods of every API that has no podTemplate itself. A change rolls the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
    pub pod_template: Option<Value>,
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
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<LocalReference>,
    /// The database (nova: [database]). Absent: SQLite in the pod, which ends with it: for one pod only. That it comes
    /// or goes rolls the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// The servers' log (nova: oslo.log's options).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// How long a stopping server waits for requests in flight, in seconds after it stopped accepting; 0 waits for ever
    /// (an hour, since Kubernetes wants a number) (nova: graceful_shutdown_timeout). A change rolls the pods.
    #[serde(default = "graceful_shutdown_timeout")]
    #[x_kube(validation = rules::seconds("gracefulShutdownTimeoutSeconds"))]
    pub graceful_shutdown_timeout_seconds: i32,
    /// How long a stopping server goes on accepting, in seconds, while endpoints and load balancers learn that it stops.
    /// A change rolls the pods.
    #[serde(default = "drain_delay")]
    #[x_kube(validation = rules::drain_delay())]
    pub drain_delay_seconds: i32,
    /// How often Kubernetes asks the pods how they are. A change rolls the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<Probes>,
    /// When running pods may be replaced. OnSpecChange: for a change of this resource; what a new release of the
    /// operator would change waits in status.plan until this resource changes in a way that replaces pods anyway, or
    /// until it is approved. Automatic: at once. Manual: only when approved, with the annotation kilonova.dev/approve set
    /// to the hash in status.plan. Creation, repair and what running pods take over never wait; the annotation
    /// kilonova.dev/restart-at is its own approval.
    #[serde(default)]
    pub update_policy: UpdatePolicy,
    /// Whether the operator leaves everything as it is. The status goes on telling what is there, and status.plan what
    /// would be done.
    #[serde(default)]
    pub paused: bool,
}

/// When running pods may be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UpdatePolicy {
    /// Whenever they should look different.
    Automatic,
    /// When the resource changed so that they must.
    #[default]
    OnSpecChange,
    /// When it is approved.
    Manual,
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

fn drain_delay() -> i32 {
    kilonova_config::DRAIN_DELAY_SECONDS.cast_signed()
}
