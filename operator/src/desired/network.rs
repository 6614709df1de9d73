//! Who may connect to the pods.

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Part, Release};
use crate::names;

/// The namespace whose pods may read metrics when nobody says who may.
const MONITORING: &str = "monitoring";
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The policy of a part's pods, if one of its APIs asks for it. A policy that selects a pod shuts every port it does not
/// name, so an API that does not ask is named as open to all.
pub(super) fn policy(part: &Part<'_>, release: &Release) -> Option<NetworkPolicy> {
    let asked = || {
        part.apis
            .iter()
            .filter_map(|api| api.network_policy.as_ref())
    };
    asked().next()?;
    let reachable = part.apis.iter().filter(|api| !api.is_loopback());
    let mut ingress: Vec<NetworkPolicyIngressRule> = reachable
        .filter_map(|api| {
            let from = match &api.network_policy {
                // An empty list would mean all.
                Some(policy) if policy.from.is_empty() => return None,
                Some(policy) => Some(policy.from.clone()),
                None => None,
            };
            Some(rule(from, api.name.dashed()))
        })
        .collect();
    let mut watchers: Vec<NetworkPolicyPeer> = Vec::new();
    for peer in asked().flat_map(|policy| &policy.monitoring_from) {
        if !watchers.contains(peer) {
            watchers.push(peer.clone());
        }
    }
    if watchers.is_empty() {
        watchers.push(NetworkPolicyPeer {
            namespace_selector: Some(labelled(NAMESPACE_NAME, MONITORING)),
            ..NetworkPolicyPeer::default()
        });
    }
    watchers.push(NetworkPolicyPeer {
        namespace_selector: Some(labelled(NAMESPACE_NAME, &release.namespace)),
        pod_selector: Some(labelled(names::NAME, names::OPERATOR)),
        ..NetworkPolicyPeer::default()
    });
    ingress.push(rule(Some(watchers), names::ADMIN_PORT_NAME));
    Some(NetworkPolicy {
        metadata: part.metadata(part.name()),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(names::selector(&part.instance(), part.component)),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(ingress),
            egress: None,
        }),
    })
}

/// By name: the pods of two generations may listen on different ports.
fn rule(from: Option<Vec<NetworkPolicyPeer>>, port: &str) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from,
        ports: Some(vec![NetworkPolicyPort {
            port: Some(IntOrString::String(port.to_owned())),
            protocol: Some("TCP".to_owned()),
            end_port: None,
        }]),
    }
}

fn labelled(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    }
}
