//! How often Kubernetes asks the pods whether they are well.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// How often Kubernetes asks the pods how they are. Changes roll the pods.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Probes {
    /// Until the server has started. Default: every second, for 300 seconds; then the container is started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<Probe>,
    /// Whether the server still answers. Default: every 10 seconds, 5 seconds for the answer, 6 failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<Probe>,
    /// Whether the pod gets new connections. Default: every 5 seconds, 3 seconds for the answer, 2 failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<Probe>,
}

/// One kind of question.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Seconds between two questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::probe("periodSeconds", 300))]
    pub period_seconds: Option<i32>,
    /// Seconds until no answer counts as a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::probe("timeoutSeconds", 60))]
    pub timeout_seconds: Option<i32>,
    /// Failures in a row that count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::probe("failureThreshold", 3600))]
    pub failure_threshold: Option<i32>,
}
