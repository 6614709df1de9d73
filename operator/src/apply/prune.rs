//! Deleting what is ours and no longer wanted.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use kube::{Resource, ResourceExt};

use super::{Kept, Writer, decision};
use crate::desired::Desired;
use crate::rollout::Rollout;
use crate::{Error, history, observed};

pub(super) async fn prune(writer: &mut Writer<'_>, desired: &Desired) -> Result<(), Error> {
    let services: BTreeSet<String> = desired.services.iter().map(ResourceExt::name_any).collect();
    delete::<Service>(writer, |service| !services.contains(&service.name_any())).await?;

    let going: BTreeSet<String> = writer
        .observed
        .deployments
        .values()
        .filter(|deployment| may_go(deployment, desired, writer))
        .map(ResourceExt::name_any)
        .collect();
    delete::<Deployment>(writer, |deployment| going.contains(&deployment.name_any())).await?;

    let accounts = accounts_in_use(writer, desired);
    delete::<ServiceAccount>(writer, |account| !accounts.contains(&account.name_any())).await?;

    let mut records = history::in_use(&writer.observed.deployments);
    records.extend(writer.course.records.values().map(ResourceExt::name_any));
    delete::<ControllerRevision>(writer, |record| !records.contains(&record.name_any())).await?;

    let mut maps: BTreeSet<String> = desired
        .workloads
        .iter()
        .flat_map(|workload| [workload.cold.name_any(), workload.live.name_any()])
        .collect();
    maps.extend(history::maps(&writer.observed.revisions));
    if writer
        .observed
        .config_maps
        .keys()
        .any(|name| !maps.contains(name))
    {
        maps.extend(observed::maps_in_use(writer.cluster, writer.service, writer.observed).await?);
        delete::<ConfigMap>(writer, |map| !maps.contains(&map.name_any())).await?;
    }
    Ok(())
}

/// Whether a Deployment is not wanted, and what it serves is either not wanted or served by what is.
fn may_go(deployment: &Deployment, desired: &Desired, writer: &Writer<'_>) -> bool {
    let wanted = desired.workloads.iter();
    if wanted
        .clone()
        .any(|workload| workload.name == deployment.name_any())
    {
        return false;
    }
    wanted
        .filter(|workload| {
            workload
                .apis
                .iter()
                .any(|api| observed::runs(deployment, *api))
        })
        .all(|workload| {
            let successor = writer.observed.deployments.get(&workload.name);
            successor.is_some_and(|successor| {
                observed::is_own(writer.service, successor) && Rollout::of(successor).is_complete()
            })
        })
}

fn accounts_in_use(writer: &Writer<'_>, desired: &Desired) -> BTreeSet<String> {
    let wanted = desired
        .workloads
        .iter()
        .map(|workload| workload.account.name_any());
    let running = writer
        .observed
        .deployments
        .values()
        .filter_map(|deployment| {
            let pod = observed::template(deployment)?.spec.as_ref()?;
            pod.service_account_name.clone()
        });
    wanted.chain(running).collect()
}

/// Deletes those of a kind that are ours and `unwanted`.
pub(super) async fn delete<K: Kept>(
    writer: &mut Writer<'_>,
    unwanted: impl Fn(&K) -> bool,
) -> Result<(), Error> {
    let service = writer.service;
    let ours = |object: &&K| {
        observed::is_own(service, *object) && object.meta().deletion_timestamp.is_none()
    };
    let held = K::held(writer.observed).values();
    let going: Vec<K> = held
        .filter(ours)
        .filter(|object| unwanted(object))
        .cloned()
        .collect();
    for object in going {
        writer
            .cluster
            .delete(&object)
            .await
            .map_err(Error::outrun)?;
        writer.report.wrote = true;
        // Old records go with every roll: nobody needs to hear of it.
        if K::kind(&()) != ControllerRevision::kind(&()) {
            writer.report.pruned.push(decision::title(&object));
        }
        writer.applied.forget(&object);
        K::held(writer.observed).remove(&object.name_any());
    }
    Ok(())
}
