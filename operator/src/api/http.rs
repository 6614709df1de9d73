//! How an API treats HTTP connections: nova's [wsgi] group.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// How HTTP connections are treated.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// Whether a connection may carry more than one request (nova: [wsgi] keep_alive).
    #[serde(default = "keep_alive")]
    pub keep_alive: bool,
    /// How long the server waits for a silent client, in seconds; 0 waits for ever (nova: [wsgi]
    /// client_socket_timeout).
    #[serde(default = "client_socket_timeout")]
    #[x_kube(validation = rules::seconds("clientSocketTimeoutSeconds"))]
    pub client_socket_timeout_seconds: i32,
}

fn keep_alive() -> bool {
    kilonova_config::KEEP_ALIVE
}

fn client_socket_timeout() -> i32 {
    kilonova_config::CLIENT_SOCKET_TIMEOUT_SECONDS.cast_signed()
}
