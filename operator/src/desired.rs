//! What the cluster should hold for an `ApiService`: a pure function, a file for each kind.
//!
//! ```text
//! ApiService + Release ──► Desired { workloads: [Deployment, its account and settings], services }
//! ```
//!
//! Contents of Secrets are not looked at here, so they can never change a pod template.

pub mod account;
pub mod config;
pub mod deployment;
pub mod pod;
pub mod service;
pub mod workers;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};

use crate::Error;
use crate::api::{Api, ApiName, ApiService, PodLayout, Resources};
use crate::names;

/// What this release of the operator adds to what the user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Image of the server, unless the resource names one.
    pub server_image: String,
}

/// Everything the cluster should hold for one `ApiService`.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The Deployments, in the order of the APIs.
    pub workloads: Vec<Workload>,
    /// A Service for each API that can be reached from outside its pod.
    pub services: Vec<Service>,
}

/// A Deployment and what its pods need.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Name of the Deployment.
    pub name: String,
    /// The component its pods are labelled with.
    pub component: &'static str,
    /// The APIs its pods run.
    pub apis: Vec<ApiName>,
    /// What its pods act as.
    pub account: ServiceAccount,
    /// Settings that need another pod to change; immutable, named by their hash.
    pub cold: ConfigMap,
    /// Settings the pods of that hash take over while they run.
    pub live: ConfigMap,
    /// The Deployment, without its number of pods.
    pub deployment: Deployment,
    /// The number of pods.
    pub replicas: i32,
    /// Whether that number is `spec.replicas`.
    pub follows_spec: bool,
}

/// The part of an `ApiService` that becomes one workload.
pub(crate) struct Part<'a> {
    pub service: &'a ApiService,
    pub owner: OwnerReference,
    pub component: &'static str,
    pub apis: Vec<&'a Api>,
    pub resources: Option<&'a Resources>,
}

impl Part<'_> {
    pub fn instance(&self) -> String {
        self.service.name_any()
    }

    pub fn name(&self) -> String {
        names::child(&self.instance(), self.component)
    }

    /// Metadata of a child called `name`.
    pub fn metadata(&self, name: String) -> ObjectMeta {
        metadata(self.service, &self.owner, name, self.component)
    }
}

/// Everything the cluster should hold for `service`.
pub fn desired(service: &ApiService, release: &Release) -> Result<Desired, Error> {
    let owner = service
        .controller_owner_ref(&())
        .ok_or(Error::Incomplete("metadata.uid"))?;
    let parts = parts(service, &owner);
    let workloads = parts.iter().map(|part| workload(part, release));
    let reachable = service.spec.apis.iter().filter(|api| !api.is_loopback());
    Ok(Desired {
        workloads: workloads.collect::<Result<_, _>>()?,
        services: reachable
            .map(|api| service::service(service, &owner, api))
            .collect(),
    })
}

fn parts<'a>(service: &'a ApiService, owner: &OwnerReference) -> Vec<Part<'a>> {
    let spec = &service.spec;
    let part = |component, apis, resources| Part {
        service,
        owner: owner.clone(),
        component,
        apis,
        resources,
    };
    match spec.pod_layout {
        PodLayout::Combined => {
            vec![part(
                names::COMBINED,
                spec.apis.iter().collect(),
                spec.resources.as_ref(),
            )]
        }
        PodLayout::PerApi => {
            let own = |api: &'a Api| {
                let resources = api.resources.as_ref().or(spec.resources.as_ref());
                part(api.name.dashed(), vec![api], resources)
            };
            spec.apis.iter().map(own).collect()
        }
    }
}

fn workload(part: &Part<'_>, release: &Release) -> Result<Workload, Error> {
    let (cold, live) = config::config_maps(part)?;
    let asked = match part.service.spec.pod_layout {
        PodLayout::PerApi => part.apis.iter().find_map(|api| api.replicas),
        PodLayout::Combined => None,
    };
    Ok(Workload {
        name: part.name(),
        component: part.component,
        apis: part.apis.iter().map(|api| api.name).collect(),
        account: account::account(part),
        deployment: deployment::deployment(part, release, &cold.name_any(), &live.name_any()),
        cold,
        live,
        replicas: asked.unwrap_or(part.service.spec.replicas),
        follows_spec: asked.is_none(),
    })
}

fn metadata(
    service: &ApiService,
    owner: &OwnerReference,
    name: String,
    component: &str,
) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: service.namespace(),
        labels: Some(names::labels(&service.name_any(), component)),
        owner_references: Some(vec![owner.clone()]),
        ..ObjectMeta::default()
    }
}
