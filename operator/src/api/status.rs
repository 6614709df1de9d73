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
    /// Ready stays what it is. ConfigAccepted: every pod has confirmed the settings it should run with.
    /// DatabaseReady (only with a database): the pods reach it. Progressing: pods are being replaced, or take over new
    /// settings.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Each API.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apis: Vec<ApiState>,
    /// What is done, waits or was done last, the newest last. Announced before it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plan: Vec<PlanItem>,
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
    /// What the pods of each API should have confirmed, such as 5cdd755187a3,0f1e2d3c4b5a.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
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
    /// What its pods run with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// Numbers of worker processes.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Workers {
    /// How many each pod should have.
    pub desired: i32,
    /// How many the pod with the fewest runs, as far as the pods can be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<i32>,
}

/// The settings and Secrets pods run with, by name.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// What the pods should answer on /status.
    pub desired: String,
    /// How many did, such as 3/3.
    pub confirmed_by: String,
}

/// One step of a change.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanItem {
    /// Rises with every step.
    pub number: i64,
    /// The API whose pods it is about; all of them with podLayout Combined.
    pub api: String,
    /// What changes.
    pub what: String,
    /// What it does to running pods.
    pub effect: Effect,
    /// How far it is.
    pub state: PlanState,
    /// Whose change it is, and what it waits for.
    pub why: String,
    /// What the annotation kilonova.dev/approve must hold to let this step, and no other, go ahead.
    pub hash: String,
}

/// What a change does to running pods.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Effect {
    /// They take it over.
    Reload,
    /// They are replaced.
    Roll,
    /// Nothing.
    None,
}

/// How far a change is.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum PlanState {
    /// Being done.
    Pending,
    /// Waiting for somebody.
    Waiting,
    /// Done, and confirmed.
    Done,
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
    /// How many pods serve it, such as 3/3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_by: Option<String>,
}
