//! What a pod answers on `GET /status`: written by the server, read by the operator and by people.

use serde::{Deserialize, Serialize};

use crate::revision::SourceKind;
use crate::{ClientAuthMode, TlsVersion};

/// One pod as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// The server's release.
    pub version: String,
    /// Where in its life the pod is.
    pub state: PodState,
    /// What it runs with, 12 hexadecimal digits: see [`crate::revision`].
    #[serde(default)]
    pub revision: String,
    /// What the revision is made of.
    #[serde(default)]
    pub sources: Vec<SourceStatus>,
    /// The APIs that were started, in order.
    pub apis: Vec<ApiStatus>,
    /// The database, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseStatus>,
    /// Settings of the configuration that this release does not know.
    pub ignored_settings: Vec<String>,
    /// Settings that changed in the mounted files and need another pod to take effect.
    pub needs_restart: bool,
    /// The last attempt to take over changed files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reload: Option<Reload>,
}

/// A mounted source that was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// What it is.
    pub kind: SourceKind,
    /// Which one: a file name or an API.
    pub name: String,
    /// Digest of its content, keyed by the nonce.
    pub digest: String,
}

/// The database as the pod last saw it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// Whether the last attempt reached it.
    pub reachable: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Version of its schema, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
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

/// The certificate an API serves, and what it asks of clients.
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
    /// The oldest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// What is asked of clients, when they are asked for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuthStatus>,
    /// What is odd about certificate, client CA or CRL; they are used all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What an API asks of clients.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAuthStatus {
    /// What happens to a client without a certificate.
    pub mode: ClientAuthMode,
    /// Last second of the CA certificate that expires first, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_not_after: Option<i64>,
    /// The revocation lists, when there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<CrlStatus>,
}

/// Revocation lists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CrlStatus {
    /// When the first of them should have been replaced, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_update: Option<i64>,
    /// How many certificates are revoked.
    pub revoked: u64,
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
