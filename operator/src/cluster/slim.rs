//! What is kept of a watched object: what somebody reads.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodIP};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};

use super::Child;
use crate::api::ApiService;
use crate::names::{OUR_PREFIX, REPLICAS_MANAGER};

/// A pod, as its watch delivers it: a whole one takes ten times as much. What is not here is empty in a [`Pod`] that the
/// cache answers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlimPod {
    /// Without what is neither ours nor about identity, age and end.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// Where it runs.
    #[serde(default)]
    pub spec: SlimPodSpec,
    /// How it is.
    #[serde(default)]
    pub status: SlimPodStatus,
}

/// Where a pod runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlimPodSpec {
    /// Name of its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_name: Option<String>,
}

/// How a pod is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlimPodStatus {
    /// Its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "podIP")]
    pub pod_ip: Option<String>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "podIPs")]
    pub pod_ips: Option<Vec<PodIP>>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<PodCondition>>,
    /// How its containers are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_statuses: Option<Vec<ContainerStatus>>,
}

impl Resource for SlimPod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        Pod::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        Pod::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        Pod::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        Pod::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// An `ApiService` as its watch delivers it: whatever it says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct AnyService {
    /// Who it is.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What it says.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

impl Resource for AnyService {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        ApiService::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        ApiService::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        ApiService::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        ApiService::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// The object without what nobody reads. Of the managed fields only who owns the number of pods is asked.
pub fn slim<K: Child>(object: &K) -> K {
    let mut object = object.clone();
    let kind = K::kind(&());
    let meta = object.meta_mut();
    if let Some(fields) = &mut meta.managed_fields {
        fields.retain(|entry| {
            kind == "Deployment" && entry.manager.as_deref() == Some(REPLICAS_MANAGER)
        });
    }
    meta.managed_fields = meta
        .managed_fields
        .take()
        .filter(|fields| !fields.is_empty());
    // kubectl keeps a copy of the whole resource in one.
    if ["Pod", "ApiService"].contains(&kind.as_ref())
        && let Some(annotations) = &mut meta.annotations
    {
        annotations.retain(|key, _| key.starts_with(OUR_PREFIX));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_slim_pod_reads_as_a_pod() {
        let whole = json!({
            "metadata": {
                "name": "nova-1", "uid": "u", "labels": {"a": "b"}, "deletionTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {"kilonova.dev/refresh": "x", "cni.example.org/status": "long"},
                "managedFields": [{"manager": "kubelet"}],
            },
            "spec": {"nodeName": "n", "containers": [{"name": "kilonova", "image": "i"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "10.9.9.9",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "kilonova", "image": "i", "imageID": "", "ready": true, "restartCount": 2,
                    "state": {"running": {}}}]},
        });
        let pod: SlimPod = serde_json::from_value(whole.clone()).unwrap();
        let read: Pod = serde_json::from_slice(&serde_json::to_vec(&slim(&pod)).unwrap()).unwrap();
        let mut expected: Pod = serde_json::from_value(whole).unwrap();
        expected.metadata.managed_fields = None;
        let ours = ("kilonova.dev/refresh".to_owned(), "x".to_owned());
        expected.metadata.annotations = Some([ours].into());
        expected.spec.as_mut().unwrap().containers.clear();
        expected.status.as_mut().unwrap().host_ip = None;
        assert_eq!(read, expected);
    }

    #[test]
    fn a_deployment_keeps_who_owns_its_number_of_pods() {
        let deployment: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(json!({
            "metadata": {"managedFields": [{"manager": "kilonova-operator"}, {"manager": "kilonova-replicas"}]},
        }))
        .unwrap();
        let kept = slim(&deployment).metadata.managed_fields.unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].manager.as_deref(), Some("kilonova-replicas"));
    }
}
