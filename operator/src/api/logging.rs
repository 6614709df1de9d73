//! The servers' log.

use kilonova_config::{LogFormat, LogLevel};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

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
