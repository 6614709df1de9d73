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

pub mod access_log;
pub mod api;
pub mod config;
pub mod hot;
pub mod http;
pub mod load;
pub mod revision;
pub mod status;

pub use access_log::AccessLog;
pub use api::{Api, ClientAuth, ClientAuthMode, Tls, TlsVersion};
pub use config::{Admin, Config, Database, LogFormat, LogLevel, Logging, Problem, Reports};
pub use hot::{Documents, merge, split, with_hot_of};
pub use http::{Http, ProxyProtocol};
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
/// Seconds a client may take for the head of a request, from its first byte.
pub const HEADER_TIMEOUT_SECONDS: u32 = 30;
/// Seconds a client may take for a TLS handshake.
pub const TLS_HANDSHAKE_TIMEOUT_SECONDS: u32 = 10;
/// Requests a client may have under way on one HTTP/2 connection.
pub const MAX_CONCURRENT_STREAMS: u32 = 100;
/// Seconds after which a connection takes no further request; 0 lets it grow as old as it likes.
pub const MAX_CONNECTION_AGE_SECONDS: u32 = 0;
/// `[wsgi] tcp_keepidle`, in seconds; 0 leaves it to the system.
pub const TCP_KEEP_IDLE_SECONDS: u32 = 600;
/// `[wsgi] max_header_line`, in bytes: a header line that long is refused.
pub const MAX_HEADER_LINE_BYTES: u32 = 16_384;
/// eventlet's `url_length_limit`, in bytes: a request line that long is refused.
pub const MAX_URL_BYTES: u32 = 8_192;
/// `[oslo_middleware] max_request_body_size`, in bytes.
pub const MAX_BODY_BYTES: u32 = 114_688;
/// The most bytes the headers of a request may have altogether (eventlet's `MAX_TOTAL_HEADER_SIZE`).
pub const MAX_HEAD_BYTES: u32 = 65_536;
/// The most headers a request may have.
pub const MAX_HEADERS: u32 = 1_000;
/// Connections the kernel keeps for an API until they are accepted.
pub const BACKLOG: u32 = 4_096;
/// `[wsgi] default_pool_size`: the most connections a worker holds.
pub const MAX_CONNECTIONS_PER_WORKER: u32 = 1_000;
/// The most workers an API may have in one pod.
pub const MAX_WORKERS: u32 = 512;
/// `[oslo_reports] file_event_handler_interval`, in seconds.
pub const REPORT_TRIGGER_INTERVAL_SECONDS: u32 = 1;
/// Connections to the database that a pod may have open at once.
pub const MAX_DATABASE_CONNECTIONS: u32 = 20;
/// File name of the settings that need another pod to change.
pub const COLD_FILE: &str = "config.yaml";
/// File name of the settings a running server takes over.
pub const HOT_FILE: &str = "live.yaml";
/// File name of the certificate chain in a `kubernetes.io/tls` Secret.
pub const CERTIFICATE_FILE: &str = "tls.crt";
/// File name of the private key in a `kubernetes.io/tls` Secret.
pub const KEY_FILE: &str = "tls.key";
