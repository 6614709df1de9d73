//! Making the kubelet look at the volumes of running pods now, and not within its minute.

use k8s_openapi::api::core::v1::Pod;
use tracing::debug;

use crate::cluster::Cluster;

/// Annotates pods; says whether that is not allowed. A pod that cannot be annotated follows later by itself.
pub async fn refresh(cluster: &Cluster, pods: &[&Pod], token: &str) -> bool {
    if !cluster.refreshes() {
        return true;
    }
    for pod in pods {
        if let Err(error) = cluster.refresh(pod, token).await {
            debug!(%error, "a pod was not annotated");
            if error.is_forbidden() {
                return true;
            }
        }
    }
    false
}
