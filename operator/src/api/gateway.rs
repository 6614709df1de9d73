//! How the Gateway API publishes an API.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// A route to the API's Service: an HTTPRoute, or a TLSRoute where TLS ends in the pods. Changes touch no pod.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gateway {
    /// The Gateways, or listeners of Gateways, that publish it.
    #[schemars(length(min = 1, max = 16))]
    pub parent_refs: Vec<ParentReference>,
    /// Host names under which it is published. Needed where TLS ends in the pods: the Gateway chooses by the name in
    /// the handshake.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 253)))]
    pub hostnames: Vec<String>,
}

/// A Gateway, or one of its listeners.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentReference {
    /// Name of the Gateway.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace. Default: that of the ApiService.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// The listener. Default: all that fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
    /// The listeners on this port. Default: all that fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::port_in_range("parentRefs[].port"))]
    pub port: Option<i32>,
}
