//! What the operator answers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What is observed. Written only when it changed; nothing in it changes by itself.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_null, transform = schema::terse_conditions)]
pub struct ApiServiceStatus {
    /// Generation of the resource this status describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready: every API is served as asked by all its pods. Reconciling: the operator is on its way there. Stalled: it
    /// cannot get there without help. Available: every API has a pod that serves. TLSReady (only with TLS): every
    /// certificate can be served and is valid; an expired one makes it False (CertificateExpired), but is served, and
    /// Ready stays what it is.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Each API.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apis: Vec<ApiState>,
    /// Ready and wanted pods of all APIs, such as 3/3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// Workers in each pod, one number for each API, such as 2,4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<String>,
    /// URL of the first API that has a Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When the first of the certificates expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_expiry: Option<String>,
    /// Image the pods should run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Pods of the first API that follows spec.replicas, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Selector of those pods, for the scale subresource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
}

/// One API as observed.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiState {
    /// Name of the API.
    pub name: String,
    /// Where its Service answers inside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Port it listens on in its pods.
    pub port: i32,
    /// Its worker processes.
    pub workers: Workers,
    /// Pods that exist.
    pub replicas: i32,
    /// Pods that are ready.
    pub ready_replicas: i32,
    /// Pods that run what is asked for now.
    pub updated_replicas: i32,
    /// Ready and wanted pods, such as 3/3.
    pub ready: String,
    /// The certificate in its Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Certificate>,
}

/// Numbers of worker processes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Workers {
    /// How many each pod should have.
    pub desired: i32,
}

/// The facts of a certificate.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Last second of its validity.
    pub not_after: String,
    /// Serial number in hexadecimal, as openssl prints it.
    pub serial: String,
    /// SHA-256 of the certificate in hexadecimal.
    pub fingerprint: String,
}
