//! The Service of an API.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{rules, schema};

/// An API's Service. Changes touch no pod.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::load_balancer_only("loadBalancerClass"),
    validation = rules::load_balancer_only("loadBalancerSourceRanges"),
    validation = rules::published_only("nodePort"),
    validation = rules::published_only("externalTrafficPolicy")
)]
pub struct Service {
    /// How the Service is published.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Port of the Service. Default: the port the API listens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::port_in_range("service.port"))]
    pub port: Option<i32>,
    /// Port on every node, of the types NodePort and LoadBalancer. Default: any free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::port_in_range("service.nodePort"))]
    pub node_port: Option<i32>,
    /// Annotations of the Service, such as those a load balancer wants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
    /// Which load balancer is meant, of the type LoadBalancer. It cannot be changed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 317))]
    pub load_balancer_class: Option<String>,
    /// Networks that may use the load balancer, of the type LoadBalancer. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::networks")]
    pub load_balancer_source_ranges: Vec<String>,
    /// Local: only nodes with a pod take connections from outside, and the pods see the clients' addresses. Cluster:
    /// all do. Of the types NodePort and LoadBalancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<TrafficPolicy>,
    /// How many IP families the Service has. Default: the cluster's own, one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_family_policy: Option<IpFamilyPolicy>,
}

/// How a Service is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ServiceType {
    /// Inside the cluster.
    #[default]
    ClusterIP,
    /// On a port of every node.
    NodePort,
    /// Through a load balancer.
    LoadBalancer,
}

/// Which pods take connections from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum TrafficPolicy {
    /// Those of all nodes.
    Cluster,
    /// Those of the node the connection came to.
    Local,
}

/// How many IP families a Service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum IpFamilyPolicy {
    /// One.
    SingleStack,
    /// Two where the cluster has them.
    PreferDualStack,
    /// Two.
    RequireDualStack,
}

impl ServiceType {
    /// As in a Service.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl TrafficPolicy {
    /// As in a Service.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Local => "Local",
        }
    }
}

impl IpFamilyPolicy {
    /// As in a Service.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleStack => "SingleStack",
            Self::PreferDualStack => "PreferDualStack",
            Self::RequireDualStack => "RequireDualStack",
        }
    }
}
