//! TLS of an API.

use kilonova_config::ClientAuthMode;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// TLS of one API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Secret of type kubernetes.io/tls with the certificate chain in tls.crt and its key in tls.key (nova: [wsgi]
    /// ssl_cert_file, ssl_key_file). New contents are served without a restart.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("secretName"))]
    pub secret_name: String,
    /// Present: clients are asked for a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
}

/// Client certificates.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::client_auth_has_ca())]
pub struct ClientAuth {
    /// Required: a client without a certificate is refused, as by nova. Optional: it is served without an identity. A
    /// bad certificate is always refused. A change is taken over without a restart.
    #[serde(default)]
    pub mode: ClientAuthMode,
    /// Secret with the authorities that sign the clients' certificates (nova: [wsgi] ssl_ca_file). New contents are
    /// taken over without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("caSecretName"))]
    pub ca_secret_name: Option<String>,
    /// Key of the PEM bundle in that Secret.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::ca_key())]
    pub ca_key: String,
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}
