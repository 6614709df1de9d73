//! What a pod answers on `GET /status`: written by the server, read by the operator and by people.

use serde::{Deserialize, Serialize};

/// One pod as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// The server's release.
    pub version: String,
    /// Where in its life the pod is.
    pub state: PodState,
    /// The APIs that were started, in order.
    pub apis: Vec<ApiStatus>,
    /// Settings of the configuration that this release does not know.
    pub ignored_settings: Vec<String>,
    /// Settings that changed in the mounted files and need another pod to take effect.
    pub needs_restart: bool,
    /// The last attempt to take over changed files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<Reload>,
}

/// Where in its life a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum PodState {
    /// Not every API has a ready worker yet.
    Starting,
    /// Serving.
    Running,
    /// Told to stop; serving what still comes.
    Draining,
}

/// One API of the pod.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiStatus {
    /// Name as in the configuration.
    pub name: String,
    /// Address that is really listened on, such as `https://0.0.0.0:8774`.
    pub address: String,
    /// How many workers there should be.
    pub desired_workers: u32,
    /// The workers there are.
    pub workers: Vec<WorkerStatus>,
    /// Workers that died and were replaced since the pod started.
    pub worker_restarts: u64,
    /// Why its workers do not stay alive, when they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<String>,
    /// The certificate new handshakes get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsStatus>,
}

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// Its process id, in the pod.
    pub pid: u32,
    /// What it does.
    pub state: WorkerState,
    /// Connections it holds.
    pub connections: u64,
    /// Requests it has begun and not finished.
    pub requests_in_flight: u64,
    /// Requests it has answered.
    pub requests: u64,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum WorkerState {
    /// Loading its app.
    Starting,
    /// Serving.
    Ready,
    /// Finishing what it has; it gets nothing new.
    Retiring,
}

/// The certificate an API serves.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsStatus {
    /// Serial number, upper-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal: what a reload is confirmed by.
    pub fingerprint: String,
    /// First second of its validity, seconds since 1970.
    pub not_before: i64,
    /// Last second of its validity, seconds since 1970.
    pub not_after: i64,
}

/// An attempt to take over changed files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reload {
    /// When, seconds since 1970.
    pub at: i64,
    /// Why nothing was changed; absent when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
