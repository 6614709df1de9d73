//! What the cluster holds of an `ApiService` now.

mod extras;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodTemplateSpec, Service, ServiceAccount};
use kube::{Resource, ResourceExt};

use crate::Error;
use crate::api::{ApiName, ApiService};
use crate::cluster::{Child, Cluster};
use crate::desired::Desired;
use crate::history;
use crate::names;
use crate::tls::Secrets;
use crate::verdict;

pub use extras::Extras;
pub(crate) use extras::{TlsVersion, newest_tls_route};

/// Objects of one kind by name.
pub type Held<K> = BTreeMap<String, K>;

/// Everything there is under the names an `ApiService` wants, and everything that was made for it: its own or not.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Deployments.
    pub deployments: Held<Deployment>,
    /// Services.
    pub services: Held<Service>,
    /// Settings.
    pub config_maps: Held<ConfigMap>,
    /// Accounts.
    pub accounts: Held<ServiceAccount>,
    /// What stands beside them.
    pub extras: Extras,
    /// Records of what Deployments were given.
    pub revisions: Held<ControllerRevision>,
    /// The Secrets it names, or named when its Deployments were given what they have.
    pub secrets: Secrets,
}

impl Observed {
    /// Names of the Secrets that matter: those the resource names, and those it named when its records were made.
    pub fn named(&self, service: &ApiService) -> BTreeSet<String> {
        let mut named = verdict::referenced(service);
        named.extend(history::referenced(service, &self.revisions));
        named
    }
}

/// Reads it all.
pub async fn observe(
    cluster: &Cluster,
    service: &ApiService,
    desired: &Desired,
) -> Result<Observed, Error> {
    let workloads = || desired.workloads.iter();
    let maps =
        workloads().flat_map(|workload| [workload.cold.name_any(), workload.live.name_any()]);
    let services = desired.services.iter().map(ResourceExt::name_any);
    let (deployments, accounts, config_maps, services, revisions, extras) = futures::try_join!(
        held(
            cluster,
            service,
            workloads().map(|workload| workload.name.clone())
        ),
        held(
            cluster,
            service,
            workloads().map(|workload| workload.account.name_any())
        ),
        held(cluster, service, maps),
        held(cluster, service, services),
        held(cluster, service, std::iter::empty()),
        extras::observe(cluster, service, &desired.extras),
    )?;
    let mut observed = Observed {
        deployments,
        services,
        config_maps,
        accounts,
        revisions,
        extras,
        secrets: Secrets::new(),
    };
    observed.secrets = secrets(cluster, service, observed.named(service)).await?;
    Ok(observed)
}

pub(crate) async fn held<K: Child>(
    cluster: &Cluster,
    service: &ApiService,
    wanted: impl Iterator<Item = String>,
) -> Result<Held<K>, Error> {
    let namespace = service.namespace().unwrap_or_default();
    let selector = names::instance_selector(&service.name_any());
    let listed = cluster.list::<K>(&namespace, &selector).await?;
    let mut held: Held<K> = listed
        .into_iter()
        .map(|object| (object.name_any(), object))
        .collect();
    for name in wanted {
        // Not listed: absent, or somebody else's, or robbed of its labels.
        if !held.contains_key(&name)
            && let Some(object) = cluster.get::<K>(&namespace, &name).await?
        {
            held.insert(name, object);
        }
    }
    Ok(held)
}

async fn secrets(
    cluster: &Cluster,
    service: &ApiService,
    named: BTreeSet<String>,
) -> Result<Secrets, Error> {
    let namespace = service.namespace().unwrap_or_default();
    let mut secrets = Secrets::new();
    for name in named {
        if let Some(secret) = cluster.secret(&namespace, &name).await? {
            secrets.insert(name, secret);
        }
    }
    Ok(secrets)
}

/// The pods made for an `ApiService`.
pub async fn pods(cluster: &Cluster, service: &ApiService) -> Result<Vec<Pod>, Error> {
    let namespace = service.namespace().unwrap_or_default();
    let selector = names::instance_selector(&service.name_any());
    cluster.list(&namespace, &selector).await
}

/// Names of the `ConfigMap`s that a Deployment or one of its old `ReplicaSet`s would start pods with.
pub async fn maps_in_use(
    cluster: &Cluster,
    service: &ApiService,
    observed: &Observed,
) -> Result<BTreeSet<String>, Error> {
    let namespace = service.namespace().unwrap_or_default();
    let selector = names::instance_selector(&service.name_any());
    let sets: Vec<ReplicaSet> = cluster.list(&namespace, &selector).await?;
    let old = sets
        .iter()
        .filter_map(|set| set.spec.as_ref()?.template.as_ref());
    let current = observed.deployments.values().filter_map(template);
    Ok(old.chain(current).flat_map(config_maps).collect())
}

/// Template of a Deployment's pods.
pub fn template(deployment: &Deployment) -> Option<&PodTemplateSpec> {
    deployment.spec.as_ref().map(|spec| &spec.template)
}

/// Names of the `ConfigMap`s a pod mounts.
pub fn config_maps(template: &PodTemplateSpec) -> Vec<String> {
    let volumes = template
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    let projected = volumes.filter_map(|volume| volume.projected.as_ref());
    let sources = projected.flat_map(|projected| projected.sources.iter().flatten());
    sources
        .filter_map(|source| source.config_map.as_ref())
        .map(|map| map.name.clone())
        .collect()
}

/// Whether a Deployment's pods run an API.
pub fn runs(deployment: &Deployment, api: ApiName) -> bool {
    let labels =
        template(deployment).and_then(|template| template.metadata.as_ref()?.labels.as_ref());
    labels.is_some_and(|labels| labels.contains_key(&names::api_label(api)))
}

/// Whether `service` controls `object`.
pub fn is_own(service: &ApiService, object: &impl Resource) -> bool {
    let uid = service.meta().uid.as_deref();
    let owners = object.meta().owner_references.iter().flatten();
    uid.is_some_and(|uid| {
        owners
            .filter(|owner| owner.controller == Some(true))
            .any(|owner| owner.uid == uid)
    })
}
