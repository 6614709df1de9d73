//! Who decides how many pods there are.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{rules, schema};

/// Hands the number of pods over. What it was stays until the new owner changes it. Changes touch no pod.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::scaled_by_something(),
    validation = rules::external_scales_alone(),
    validation = rules::scaling_has_a_limit(),
    validation = rules::scaling_limits_are_ordered()
)]
pub struct Autoscaling {
    /// The fewest pods. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::scaling_limit("minReplicas"))]
    pub min_replicas: Option<i32>,
    /// The most pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::scaling_limit("maxReplicas"))]
    pub max_replicas: Option<i32>,
    /// CPU the pods should use on average, in percent of what they request; needs resources.requests.cpu.
    #[serde(
        rename = "targetCPUUtilizationPercentage",
        skip_serializing_if = "Option::is_none"
    )]
    #[x_kube(validation = rules::percentage())]
    pub target_cpu_utilization_percentage: Option<i32>,
    /// Metrics as in a HorizontalPodAutoscaler (autoscaling/v2), beside the CPU target or instead of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::metrics")]
    pub metrics: Vec<Value>,
    /// true: somebody else, such as KEDA, scales the Deployment; the operator makes no HorizontalPodAutoscaler.
    #[serde(default)]
    pub external: bool,
}
