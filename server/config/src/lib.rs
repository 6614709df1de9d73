//! The configuration the operator writes and the server reads, and the status the server answers with.
//!
//! ```text
//! ApiService ──► Config ──split──► config.yaml (cold: another pod is needed to change it)   ─┐
//!                                  live.yaml   (hot: the running server takes it over)      ─┴─► pod
//!
//! pod ──read──► merge ──► Config ──► server ──► PodStatus (GET /status)
//! ```
//!
//! Every default and limit of the product stands here once; the resource's schema and the server quote it.

pub mod api;
pub mod config;
pub mod hot;
pub mod load;
pub mod status;

pub use api::{Api, ClientAuth, ClientAuthMode, Http, Tls};
pub use config::{Admin, Config, LogFormat, LogLevel, Logging, Problem};
pub use hot::{Documents, merge, split, with_hot_of};
pub use load::{Error, Loaded, parse, read};

/// Port of the admin endpoints (`/livez`, `/readyz`, `/startupz`, `/metrics`, `/status`).
pub const ADMIN_PORT: u16 = 9774;
/// nova's `graceful_shutdown_timeout` as `nova-api` had it, in seconds; 0 waits for ever.
pub const GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS: u32 = 60;
/// Seconds between the signal to stop and the end of accepting: what endpoints and load balancers need to notice.
pub const DRAIN_DELAY_SECONDS: u32 = 5;
/// `[wsgi] client_socket_timeout`, in seconds; 0 waits for ever.
pub const CLIENT_SOCKET_TIMEOUT_SECONDS: u32 = 900;
/// `[wsgi] keep_alive`.
pub const KEEP_ALIVE: bool = true;
/// The most workers an API may have in one pod.
pub const MAX_WORKERS: u32 = 512;
/// File name of the settings that need another pod to change.
pub const COLD_FILE: &str = "config.yaml";
/// File name of the settings a running server takes over.
pub const HOT_FILE: &str = "live.yaml";
/// File name of the certificate chain in a `kubernetes.io/tls` Secret.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// File name of the private key in a `kubernetes.io/tls` Secret.
pub const KEY_FILE: &str = "tls.key";
