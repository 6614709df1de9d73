//! Who collects the pods' metrics.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Collection of the pods' metrics. Changes touch no pod.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Monitor {
    /// Makes a PodMonitor of the Prometheus operator for the pods' /metrics.
    #[serde(default)]
    pub pod_monitor: bool,
    /// Labels of the PodMonitor, such as those a Prometheus chooses by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub labels: BTreeMap<String, String>,
}
