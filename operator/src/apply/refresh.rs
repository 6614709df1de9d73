//! Making the kubelet look at the volumes of running pods now, and not within its minute.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tracing::debug;

use crate::Error;
use crate::api::ApiService;
use crate::cluster::Cluster;
use crate::desired::Workload;
use crate::names;

/// Annotates the running pods of a workload. A pod that cannot be annotated follows later by itself.
pub async fn refresh(
    cluster: &Cluster,
    service: &ApiService,
    workload: &Workload,
    token: &str,
) -> Result<(), Error> {
    if !cluster.refreshes() {
        return Ok(());
    }
    let namespace = service.namespace().unwrap_or_default();
    let spec = workload.deployment.spec.as_ref();
    let labels = spec.and_then(|spec| spec.selector.match_labels.as_ref());
    let selector = labels.map(names::written).unwrap_or_default();
    for pod in cluster.list::<Pod>(&namespace, &selector).await? {
        if pod.metadata.deletion_timestamp.is_none()
            && let Err(error) = cluster.refresh(&pod, token).await
        {
            debug!(%error, "a pod was not annotated");
        }
    }
    Ok(())
}
