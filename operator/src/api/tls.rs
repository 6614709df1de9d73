//! TLS of an API.

use kilonova_config::{ClientAuthMode, TlsVersion};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// TLS of one API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Secret of type kubernetes.io/tls with the certificate chain in tls.crt and its key in tls.key (nova: [wsgi]
    /// ssl_cert_file, ssl_key_file). New contents are served without a restart; another name rolls the pods.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("secretName"))]
    pub secret_name: String,
    /// Present: clients are asked for a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_auth: Option<ClientAuth>,
    /// The oldest version of TLS that is spoken; 1.2 or 1.3. A change is taken over without a restart.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Present: the operator asks cert-manager for the certificate, as Certificate '<name>-<api>', which keeps the
    /// Secret secretName.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateRequest>,
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
    /// taken over without a restart; another name rolls the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_name("caSecretName"))]
    pub ca_secret_name: Option<String>,
    /// Key of the PEM bundle in that Secret. A change rolls the pods.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_key("caKey"))]
    pub ca_key: String,
    /// Key, in the same Secret, of a PEM file with revocation lists. A client's own certificate is looked up in the
    /// newest list of the authority that signed it. New contents are taken over without a restart; another key rolls
    /// the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::secret_key("crlKey"))]
    pub crl_key: Option<String>,
}

/// What cert-manager is asked for. Changes touch no pod.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequest {
    /// Who signs the certificate.
    pub issuer_ref: IssuerReference,
    /// DNS names of the certificate. Default: those of the API's Service, and gateway.hostnames.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub dns_names: Vec<String>,
}

/// An issuer of cert-manager.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct IssuerReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its kind: Issuer (of the same namespace), ClusterIssuer, or that of an external issuer.
    #[serde(default = "issuer_kind")]
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its API group.
    #[serde(default = "issuer_group")]
    #[schemars(length(min = 1, max = 253))]
    pub group: String,
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}

fn issuer_kind() -> String {
    "Issuer".to_owned()
}

fn issuer_group() -> String {
    "cert-manager.io".to_owned()
}
