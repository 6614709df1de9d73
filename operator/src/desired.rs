//! What the cluster should hold for an `ApiService`: a pure function, a file for each kind.
//!
//! ```text
//! ApiService + Release ──► Desired { workloads: [Deployment, its account and settings], services, extras }
//! ```
//!
//! Contents of Secrets are not looked at here, so they can never change a pod template.

pub mod account;
mod autoscaler;
pub mod config;
pub mod deployment;
mod disruption;
mod monitor;
mod mounts;
mod network;
mod overlay;
pub mod pod;
mod publication;
pub mod service;
mod strict;
pub mod workers;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use serde_json::Value;

pub use publication::dns_names;

use crate::Error;
use crate::api::{Api, ApiName, ApiService, Autoscaling, PodLayout, Resources};
use crate::apply::Obstacle;
use crate::kinds::{Certificate, HttpRoute, Object, PodMonitor, TlsRoute};
use crate::names;
use crate::verdict::Problem;

/// What this release of the operator adds to what the user wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Image of the server, unless the resource names one.
    pub server_image: String,
    /// The operator's own namespace.
    pub namespace: String,
}

/// Everything the cluster should hold for one `ApiService`.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The Deployments, in the order of the APIs.
    pub workloads: Vec<Workload>,
    /// A Service for each API that can be reached from outside its pod.
    pub services: Vec<Service>,
    /// What stands beside them.
    pub extras: Extras,
}

/// What stands beside Deployments and Services. None of it is named in a pod, so a change of it touches none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extras {
    /// One for each workload.
    pub budgets: Vec<PodDisruptionBudget>,
    /// One for each workload whose number of pods the operator hands over to it.
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    /// One for each workload of which an API asks for it.
    pub policies: Vec<NetworkPolicy>,
    /// One for each API that a Gateway publishes and that speaks HTTP.
    pub http_routes: Vec<Object<HttpRoute>>,
    /// One for each API that a Gateway publishes and that speaks TLS.
    pub tls_routes: Vec<Object<TlsRoute>>,
    /// One for each API that asks for it.
    pub certificates: Vec<Object<Certificate>>,
    /// One for each workload of which an API asks for it.
    pub monitors: Vec<Object<PodMonitor>>,
    /// What was asked for and cannot be made.
    pub obstacles: Vec<Obstacle>,
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
    /// The number of pods; with `handed_over` the one to begin with.
    pub replicas: i32,
    /// Whether somebody else decides the number of pods.
    pub handed_over: bool,
    /// Whether that number is `spec.replicas`.
    pub follows_spec: bool,
    /// What is wrong with what its pods should be; it is neither created nor rolled then.
    pub problems: Vec<Problem>,
}

/// The part of an `ApiService` that becomes one workload.
pub(crate) struct Part<'a> {
    pub service: &'a ApiService,
    pub owner: OwnerReference,
    pub component: &'static str,
    pub apis: Vec<&'a Api>,
    pub resources: Option<&'a Resources>,
    pub autoscaling: Option<&'a Autoscaling>,
    pub pod_template: Option<&'a Value>,
    /// The fixed number of pods that was asked for here, and not of all APIs.
    pub replicas: Option<i32>,
}

impl Part<'_> {
    pub fn instance(&self) -> String {
        self.service.name_any()
    }

    pub fn name(&self) -> String {
        names::child(&self.instance(), self.component)
    }

    /// Path of a field that may stand at the API or at the whole spec.
    pub fn called(&self, field: &str) -> String {
        let own = |api: &&&Api| match field {
            "autoscaling" => api.autoscaling.is_some(),
            _ => api.pod_template.is_some(),
        };
        self.apis.iter().find(own).map_or_else(
            || format!("spec.{field}"),
            |api| format!("spec.apis[{}].{field}", api.name),
        )
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
    let reachable = || service.spec.apis.iter().filter(|api| !api.is_loopback());
    Ok(Desired {
        workloads: workloads.collect::<Result<_, _>>()?,
        services: reachable()
            .map(|api| service::service(service, &owner, api))
            .collect(),
        extras: extras(service, release, &owner, &parts),
    })
}

fn parts<'a>(service: &'a ApiService, owner: &OwnerReference) -> Vec<Part<'a>> {
    let spec = &service.spec;
    let common = Part {
        service,
        owner: owner.clone(),
        component: names::COMBINED,
        apis: spec.apis.iter().collect(),
        resources: spec.resources.as_ref(),
        autoscaling: spec.autoscaling.as_ref(),
        pod_template: spec.pod_template.as_ref(),
        replicas: None,
    };
    if spec.pod_layout == PodLayout::Combined {
        return vec![common];
    }
    let own = |api: &'a Api| Part {
        owner: owner.clone(),
        component: api.name.dashed(),
        apis: vec![api],
        resources: api.resources.as_ref().or(common.resources),
        // A number of its own is a decision against what all the others do.
        autoscaling: api
            .autoscaling
            .as_ref()
            .or(common.autoscaling.filter(|_| api.replicas.is_none())),
        pod_template: api.pod_template.as_ref().or(common.pod_template),
        replicas: api.replicas,
        service,
    };
    spec.apis.iter().map(own).collect()
}

fn workload(part: &Part<'_>, release: &Release) -> Result<Workload, Error> {
    let (cold, live) = config::config_maps(part)?;
    let first = part
        .autoscaling
        .map(|scaling| scaling.min_replicas.unwrap_or(1));
    let mut problems = config::problems(part);
    let mut deployment = deployment::deployment(part, release, &cold.name_any(), &live.name_any());
    if let (Some(asked), Some(spec)) = (part.pod_template, deployment.spec.as_mut()) {
        match overlay::lay_over(&spec.template, asked) {
            Ok(merged) => spec.template = merged,
            Err(wrong) => problems.push(Problem::blocking(
                "PodTemplateInvalid",
                format!("{}: {}", part.called("podTemplate"), wrong.join("; ")),
            )),
        }
    }
    Ok(Workload {
        name: part.name(),
        component: part.component,
        apis: part.apis.iter().map(|api| api.name).collect(),
        account: account::account(part),
        deployment,
        cold,
        live,
        replicas: first
            .or(part.replicas)
            .unwrap_or(part.service.spec.replicas),
        handed_over: first.is_some(),
        follows_spec: first.is_none() && part.replicas.is_none(),
        problems,
    })
}

fn extras(
    service: &ApiService,
    release: &Release,
    owner: &OwnerReference,
    parts: &[Part<'_>],
) -> Extras {
    let mut extras = Extras {
        budgets: parts.iter().map(disruption::budget).collect(),
        policies: parts
            .iter()
            .filter_map(|part| network::policy(part, release))
            .collect(),
        monitors: parts.iter().filter_map(monitor::monitor).collect(),
        ..Extras::default()
    };
    for scaler in parts.iter().filter_map(autoscaler::autoscaler) {
        match scaler {
            Ok(scaler) => extras.autoscalers.push(scaler),
            Err(obstacle) => extras.obstacles.push(obstacle),
        }
    }
    let apis = || service.spec.apis.iter().filter(|api| !api.is_loopback());
    extras.http_routes = apis()
        .filter_map(|api| publication::http_route(service, owner, api))
        .collect();
    extras.tls_routes = apis()
        .filter_map(|api| publication::tls_route(service, owner, api))
        .collect();
    extras.certificates = service
        .spec
        .apis
        .iter()
        .filter_map(|api| publication::certificate(service, owner, api))
        .collect();
    extras
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
