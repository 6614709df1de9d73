//! The servers' log.

use std::collections::BTreeMap;

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
    /// Other levels for what is named here and what is below it: a logger such as nova.osapi_compute.wsgi.server, or
    /// a library such as hyper (nova: default_log_levels). A change is taken over without a restart.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub levels: BTreeMap<String, LogLevel>,
}
