//! The whole configuration, and the rules that no type can state.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    ADMIN_PORT, Api, DRAIN_DELAY_SECONDS, GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS,
    MAX_DATABASE_CONNECTIONS, MAX_WORKERS, REPORT_TRIGGER_INTERVAL_SECONDS,
};

/// Everything the server is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    /// nova's `enabled_apis`, in order.
    pub apis: Vec<Api>,
    /// The port for probes, metrics and status.
    pub admin: Admin,
    /// `graceful_shutdown_timeout`, in seconds after the drain delay; 0 waits for ever.
    pub graceful_shutdown_timeout_seconds: u32,
    /// Seconds in which a stopping server still accepts.
    pub drain_delay_seconds: u32,
    /// What is logged, and how.
    pub logging: Logging,
    /// `[DEFAULT] host`: the name of this pod in its service records. Default: the host's name, which is the pod's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `[database]`. Absent: nothing is recorded, and whatever needs a database answers 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// `[oslo_reports]`.
    pub reports: Reports,
    /// What the revision on `/status` is keyed with, so that an open port lets nobody guess what is mounted. Default:
    /// a random one for each process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            apis: Vec::new(),
            admin: Admin::default(),
            graceful_shutdown_timeout_seconds: GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS,
            drain_delay_seconds: DRAIN_DELAY_SECONDS,
            logging: Logging::default(),
            host: None,
            database: None,
            reports: Reports::default(),
            nonce: None,
        }
    }
}

/// The admin endpoints: plain HTTP, never in a Service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Admin {
    /// Default 9774; 0 takes any free port.
    pub port: u16,
    /// Whether only this host may ask. Default false: the kubelet asks from outside.
    pub loopback: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            port: ADMIN_PORT,
            loopback: false,
        }
    }
}

/// nova's `[database]`: where the service records are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Database {
    /// A file that holds the URL as nova.conf has it (`connection`): a mounted Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_file: Option<PathBuf>,
    /// Instead of a URL: a SQLite file, made when it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlite_file: Option<PathBuf>,
    /// Connections that the pod may have open at once. Default 20.
    pub max_connections_per_pod: u32,
    /// Starts although every other live service of this kind is newer: nova's version gate, overridden.
    pub allow_older_service: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            connection_file: None,
            sqlite_file: None,
            max_connections_per_pod: MAX_DATABASE_CONNECTIONS,
            allow_older_service: false,
        }
    }
}

/// `[oslo_reports]`: the report that USR2 asks for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reports {
    /// `log_dir`: where reports are written. Default: to standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// `file_event_handler`: a file whose change asks for a report, beside the signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_file: Option<PathBuf>,
    /// `file_event_handler_interval`: how often that file is looked at, in seconds, at least 1. Default 1.
    pub trigger_interval_seconds: u32,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            directory: None,
            trigger_file: None,
            trigger_interval_seconds: REPORT_TRIGGER_INTERVAL_SECONDS,
        }
    }
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Logging {
    /// The least severe level that is written.
    pub level: LogLevel,
    /// The shape of a line.
    pub format: LogFormat,
    /// oslo.log's `default_log_levels`: other levels for what is named, and what is below it: a logger such as
    /// `nova.osapi_compute.wsgi.server`, or a library such as `hyper`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, LogLevel>,
}

/// oslo.log's levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    /// Everything (nova's `debug = true`).
    Debug,
    /// What an operator wants to see of a healthy service.
    #[default]
    Info,
    /// Only what deserves a look.
    Warning,
    /// Only what failed.
    Error,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// oslo.log's `logging_context_format_string`.
    #[default]
    Oslo,
    /// One JSON object a line.
    Json,
}

/// One thing wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the setting, such as `apis[0].workers`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl Config {
    /// Everything wrong with this configuration; empty when it can be served.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut names = HashSet::new();
        for (index, api) in self.apis.iter().enumerate() {
            let mut wrong = |field: &str, message: String| {
                problems.push(Problem {
                    field: format!("apis[{index}].{field}"),
                    message,
                });
            };
            if !names.insert(api.name.as_str()) {
                wrong(
                    "name",
                    format!("'{}' stands twice: give each API one entry", api.name),
                );
            }
            // nova.service.WSGIService: "<name>_workers value of <n> is invalid, must be greater than 0".
            if api.worker_count() == 0 || api.worker_count() > MAX_WORKERS {
                wrong(
                    "workers",
                    format!(
                        "{}_workers value of {} is invalid, must be greater than 0 and at most {MAX_WORKERS}",
                        api.name,
                        api.worker_count()
                    ),
                );
            }
            if api.http.max_connections_per_worker == 0 {
                wrong(
                    "http.maxConnectionsPerWorker",
                    "must be at least 1".to_owned(),
                );
            }
            if api.listen_port() == self.admin.port && self.admin.port != 0 {
                wrong(
                    "port",
                    format!("{} is the admin port: choose another one", self.admin.port),
                );
            }
            for (field, message) in api.http.problems() {
                wrong(&format!("http.{field}"), message);
            }
        }
        problems.extend(self.shared_ports());
        problems.extend(self.database.as_ref().and_then(Database::problem));
        if self.reports.trigger_interval_seconds == 0 {
            problems.push(Problem {
                field: "reports.triggerIntervalSeconds".to_owned(),
                message: "must be at least 1".to_owned(),
            });
        }
        problems
    }

    fn shared_ports(&self) -> Vec<Problem> {
        let mut seen: Vec<&Api> = Vec::new();
        let mut problems = Vec::new();
        for (index, api) in self.apis.iter().enumerate() {
            let port = api.listen_port();
            let overlaps = |other: &&&Api| {
                port != 0
                    && other.listen_port() == port
                    && (other.listen == api.listen
                        || other.listen.is_unspecified()
                        || api.listen.is_unspecified())
            };
            if let Some(other) = seen.iter().find(overlaps) {
                problems.push(Problem {
                    field: format!("apis[{index}].port"),
                    message: format!(
                        "{} and {} both listen on port {port}: give each its own",
                        other.name, api.name
                    ),
                });
            }
            seen.push(api);
        }
        problems
    }
}

impl Database {
    fn problem(&self) -> Option<Problem> {
        let (field, message) = match (&self.connection_file, &self.sqlite_file) {
            _ if self.max_connections_per_pod == 0 => (
                "database.maxConnectionsPerPod",
                "must be at least 1".to_owned(),
            ),
            (Some(_), Some(_)) => (
                "database.sqliteFile",
                "stands beside connectionFile: give one of the two".to_owned(),
            ),
            (None, None) => (
                "database.connectionFile",
                "is missing: name the file that holds the URL, or a sqliteFile".to_owned(),
            ),
            _ => return None,
        };
        Some(Problem {
            field: field.to_owned(),
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn of(yaml: &str) -> Vec<String> {
        let config: Config = serde_yaml::from_str(yaml).unwrap();
        config.problems().iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case("apis: [{name: osapi_compute}, {name: metadata}]", &[])]
    #[case("apis: [{name: osapi_compute, port: 0}, {name: metadata, port: 0}]", &[])]
    #[case("apis: [{name: osapi_compute, workers: 0}]",
        &["apis[0].workers: osapi_compute_workers value of 0 is invalid, must be greater than 0 and at most 512"])]
    #[case("apis: [{name: metadata}, {name: metadata, port: 1}]",
        &["apis[1].name: 'metadata' stands twice: give each API one entry"])]
    #[case("apis: [{name: osapi_compute, port: 9774}]",
        &["apis[0].port: 9774 is the admin port: choose another one"])]
    #[case("apis: [{name: osapi_compute}, {name: metadata, port: 8774, listen: 127.0.0.1}]",
        &["apis[1].port: osapi_compute and metadata both listen on port 8774: give each its own"])]
    #[case("database: {sqliteFile: /nova.sqlite}", &[])]
    #[case("database: {}", &["database.connectionFile: is missing: name the file that holds the URL, or a sqliteFile"])]
    #[case("database: {sqliteFile: /a, connectionFile: /b}",
        &["database.sqliteFile: stands beside connectionFile: give one of the two"])]
    #[case("database: {sqliteFile: /a, maxConnectionsPerPod: 0}",
        &["database.maxConnectionsPerPod: must be at least 1"])]
    #[case("reports: {triggerIntervalSeconds: 0}", &["reports.triggerIntervalSeconds: must be at least 1"])]
    #[case("apis: [{name: osapi_compute, http: {backlog: 0}}]",
        &["apis[0].http.backlog: 0 is out of range: choose 1 to 65535"])]
    #[case("apis: [{name: osapi_compute, http: {accessLog: {format: '%(request_line)f'}}}]",
        &["apis[0].http.accessLog.format: %(request_line)s is no number: write it with s"])]
    #[case("apis: [{name: osapi_compute, listen: 127.0.0.2}, {name: metadata, port: 8774, listen: 127.0.0.1}]", &[])]
    fn problems_name_the_field(#[case] yaml: &str, #[case] expected: &[&str]) {
        assert_eq!(of(yaml), expected);
    }

    #[test]
    fn an_empty_document_is_all_defaults() {
        let config: Config = serde_yaml::from_str("{}").unwrap();
        assert_eq!(config, Config::default());
        assert_eq!(config.admin.port, 9774);
        assert_eq!(config.graceful_shutdown_timeout_seconds, 60);
    }
}
