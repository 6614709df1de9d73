//! How an API treats HTTP connections: nova's [wsgi] group, and what it left to proxies.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::schema;

/// How HTTP connections are treated.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::proxies_are_named())]
pub struct Http {
    /// Whether a connection may carry more than one request (nova: [wsgi] keep_alive).
    #[serde(default = "keep_alive")]
    pub keep_alive: bool,
    /// How long the server waits for a silent client, in seconds; 0 waits for ever (nova: [wsgi]
    /// client_socket_timeout).
    #[serde(default = "client_socket_timeout")]
    #[x_kube(validation = rules::seconds("clientSocketTimeoutSeconds"))]
    pub client_socket_timeout_seconds: i32,
    /// How long a client may take for the head of a request, from its first byte, in seconds.
    #[serde(default = "header_timeout")]
    #[x_kube(validation = rules::of_http("headerTimeoutSeconds"))]
    pub header_timeout_seconds: i32,
    /// How long a client may take for a TLS handshake, in seconds.
    #[serde(default = "tls_handshake_timeout")]
    #[x_kube(validation = rules::of_http("tlsHandshakeTimeoutSeconds"))]
    pub tls_handshake_timeout_seconds: i32,
    /// Requests a client may have under way on one HTTP/2 connection.
    #[serde(default = "max_concurrent_streams")]
    #[x_kube(validation = rules::of_http("maxConcurrentStreams"))]
    pub max_concurrent_streams: i32,
    /// Seconds, give or take a tenth, after which a connection is told to end, so that clients spread anew over the
    /// workers and pods; 0 never does.
    #[serde(default = "max_connection_age")]
    #[x_kube(validation = rules::of_http("maxConnectionAgeSeconds"))]
    pub max_connection_age_seconds: i32,
    /// After how many seconds of silence the system asks whether the client is still there; 0 leaves it to the system
    /// (nova: [wsgi] tcp_keepidle).
    #[serde(default = "tcp_keep_idle")]
    #[x_kube(validation = rules::of_http("tcpKeepIdleSeconds"))]
    pub tcp_keep_idle_seconds: i32,
    /// A header line that long, in bytes, is refused with 400 (nova: [wsgi] max_header_line).
    #[serde(default = "max_header_line")]
    #[x_kube(validation = rules::of_http("maxHeaderLineBytes"))]
    pub max_header_line_bytes: i32,
    /// A request line that long, in bytes, is refused with 414 (nova: eventlet's url_length_limit).
    #[serde(default = "max_url")]
    #[x_kube(validation = rules::of_http("maxUrlBytes"))]
    pub max_url_bytes: i32,
    /// A request body longer than this, in bytes, is refused with 413 (nova: [oslo_middleware]
    /// max_request_body_size).
    #[serde(default = "max_body")]
    #[x_kube(validation = rules::of_http("maxBodyBytes"))]
    pub max_body_bytes: i32,
    /// Connections the kernel keeps until they are accepted; the node's net.core.somaxconn limits it too (nova:
    /// [wsgi] backlog).
    #[serde(default = "backlog")]
    #[x_kube(validation = rules::of_http("backlog"))]
    pub backlog: i32,
    /// Connections one worker holds at most (nova: [wsgi] default_pool_size).
    #[serde(default = "max_connections_per_worker")]
    #[x_kube(validation = rules::of_http("maxConnectionsPerWorker"))]
    pub max_connections_per_worker: i32,
    /// Networks whose Forwarded and X-Forwarded-* headers are believed, such as 10.0.0.0/8 (nova: [oslo_middleware]
    /// enable_proxy_headers_parsing, for everybody). Default: nobody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::networks")]
    pub trusted_proxies: Vec<String>,
    /// V1V2: every connection must come from one of trustedProxies and begin with a PROXY header, of version 1 or 2.
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
    /// The line that is logged for each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
}

/// The line that is logged for each request.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessLog {
    /// Python's %(name)s, %(name)d and %(name)f with the names client_ip, client_port, date_time, request_line,
    /// status_code, body_length, wall_seconds, request_id, microversion, client_identity, user_agent, method, path,
    /// protocol and pid; or json, for one object a line with all of them (nova: [wsgi] wsgi_log_format). Default:
    /// nova's.
    #[schemars(length(min = 1, max = 1024))]
    pub format: String,
}

/// Whether a load balancer says in a PROXY header whom a connection comes from. There is no Off: unquoted YAML would
/// make it false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ProxyProtocol {
    /// No connection begins with one.
    #[default]
    Disabled,
    /// Every connection begins with one, of version 1 or 2.
    V1V2,
}

fn keep_alive() -> bool {
    kilonova_config::KEEP_ALIVE
}

fn client_socket_timeout() -> i32 {
    kilonova_config::CLIENT_SOCKET_TIMEOUT_SECONDS.cast_signed()
}

fn header_timeout() -> i32 {
    kilonova_config::HEADER_TIMEOUT_SECONDS.cast_signed()
}

fn tls_handshake_timeout() -> i32 {
    kilonova_config::TLS_HANDSHAKE_TIMEOUT_SECONDS.cast_signed()
}

fn max_concurrent_streams() -> i32 {
    kilonova_config::MAX_CONCURRENT_STREAMS.cast_signed()
}

fn max_connection_age() -> i32 {
    kilonova_config::MAX_CONNECTION_AGE_SECONDS.cast_signed()
}

fn tcp_keep_idle() -> i32 {
    kilonova_config::TCP_KEEP_IDLE_SECONDS.cast_signed()
}

fn max_header_line() -> i32 {
    kilonova_config::MAX_HEADER_LINE_BYTES.cast_signed()
}

fn max_url() -> i32 {
    kilonova_config::MAX_URL_BYTES.cast_signed()
}

fn max_body() -> i32 {
    kilonova_config::MAX_BODY_BYTES.cast_signed()
}

fn backlog() -> i32 {
    kilonova_config::BACKLOG.cast_signed()
}

fn max_connections_per_worker() -> i32 {
    kilonova_config::MAX_CONNECTIONS_PER_WORKER.cast_signed()
}
