//! Who may connect to the pods.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// A NetworkPolicy of the API's pods. Changes touch no pod.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Who may reach the API's port, as in a NetworkPolicy. Default: nobody. With podLayout Combined an API without
    /// networkPolicy stays open to all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::peers")]
    pub from: Vec<NetworkPolicyPeer>,
    /// Who else may reach the admin port, for metrics; the operator always may. Default: the namespace called
    /// monitoring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::peers")]
    pub monitoring_from: Vec<NetworkPolicyPeer>,
}
