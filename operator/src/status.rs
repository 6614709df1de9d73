//! What is answered: a pure fold over what was found and done.
//!
//! `Ready` is False only when an API is not, or could not be, served as asked. An expired certificate is served, so it
//! makes `TLSReady` False and stands as the reason of `Ready`, which stays True. A Secret that is missing or cannot be
//! used makes `Ready` False, even while the running pods go on serving what they have: the next pod could not start.

mod conditions;
pub mod pods;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

pub use conditions::{AVAILABLE, READY, RECONCILING, STALLED, TLS_READY, USABLE, find};

use crate::api::{Api, ApiService, ApiServiceStatus, ApiState, Certificate, Workers};
use crate::apply::Report;
use crate::desired::workers::workers;
use crate::desired::{Desired, Workload};
use crate::names;
use crate::observed::{self, Observed};
use crate::rollout::Rollout;
use crate::tls;
use crate::verdict::Verdict;

/// Everything a status is made of.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The resource, with its former status.
    pub service: &'a ApiService,
    /// What it asks for.
    pub desired: &'a Desired,
    /// What there is, after everything that was written.
    pub observed: &'a Observed,
    /// What is to be said of its Secrets.
    pub verdicts: &'a [Verdict],
    /// What was written, and what could not be.
    pub report: &'a Report,
    /// Its pods, if they were looked at.
    pub pods: &'a [Pod],
    /// The moment all this describes.
    pub now: Timestamp,
}

impl Evidence<'_> {
    /// How far the Deployment of a workload has come, if it is there and ours.
    fn rollout(&self, workload: &Workload) -> Option<Rollout> {
        let deployment = self.observed.deployments.get(&workload.name)?;
        observed::is_own(self.service, deployment).then(|| Rollout::of(deployment))
    }

    /// How many pods a workload should have. Where that is handed over, whoever has it says so in the Deployment.
    fn wanted(&self, workload: &Workload) -> i32 {
        self.rollout(workload)
            .filter(|_| workload.handed_over)
            .map_or(workload.replicas, |rollout| rollout.desired)
    }

    /// Whether everything that was asked for stands, so that only the past can be in the way of Ready.
    pub fn is_settled(&self) -> bool {
        let complete = |workload| {
            self.rollout(workload)
                .is_some_and(|rollout| rollout.is_complete())
        };
        self.desired.workloads.iter().all(complete) && self.leftovers().is_empty()
    }

    /// Pods that are not wanted any more and may still take connections.
    pub fn lingering(&self) -> usize {
        let wanted: Vec<&str> = self
            .desired
            .workloads
            .iter()
            .map(|workload| workload.component)
            .collect();
        pods::lingering(
            self.pods,
            &wanted,
            self.service.spec.drain_delay_seconds,
            self.now,
        )
    }

    /// Deployments that are not wanted any more.
    fn leftovers(&self) -> Vec<String> {
        let own = self.observed.deployments.values();
        let own = own.filter(|deployment| observed::is_own(self.service, *deployment));
        own.map(ResourceExt::name_any)
            .filter(|name| {
                self.desired
                    .workloads
                    .iter()
                    .all(|workload| workload.name != *name)
            })
            .collect()
    }
}

/// The status.
pub fn status(evidence: &Evidence<'_>) -> ApiServiceStatus {
    let (service, desired) = (evidence.service, evidence.desired);
    let apis: Vec<ApiState> = service
        .spec
        .apis
        .iter()
        .map(|api| state(evidence, api))
        .collect();
    let scaled = desired
        .workloads
        .iter()
        .find(|workload| workload.follows_spec);
    let scaled = scaled.or(desired.workloads.first());
    let (ready, wanted) = desired
        .workloads
        .iter()
        .fold((0, 0), |(ready, wanted), workload| {
            let rollout = evidence.rollout(workload).unwrap_or_default();
            (ready + rollout.ready, wanted + evidence.wanted(workload))
        });
    let numbers: Vec<String> = apis
        .iter()
        .map(|api| api.workers.desired.to_string())
        .collect();
    let facts = evidence
        .verdicts
        .iter()
        .filter_map(|verdict| verdict.facts.as_ref());
    ApiServiceStatus {
        observed_generation: service.metadata.generation,
        conditions: conditions::conditions(evidence),
        ready: Some(format!("{ready}/{wanted}")),
        workers: Some(numbers.join(",")),
        url: apis.iter().find_map(|api| api.url.clone()),
        tls_expiry: facts.map(|facts| facts.not_after).min().map(tls::date),
        image: scaled.and_then(image),
        replicas: scaled.map(|workload| evidence.rollout(workload).unwrap_or_default().total),
        selector: scaled.and_then(|workload| {
            let spec = workload.deployment.spec.as_ref()?;
            spec.selector.match_labels.as_ref().map(names::written)
        }),
        apis,
    }
}

/// Whether `new` says what `old` says. Conditions of others may stand beside ours.
pub fn is_same(old: Option<&ApiServiceStatus>, new: &ApiServiceStatus) -> bool {
    old.is_some_and(|old| {
        let mut own = old.clone();
        own.conditions
            .retain(|condition| conditions::OWN.contains(&condition.type_.as_str()));
        own.conditions
            .sort_by(|one, other| one.type_.cmp(&other.type_));
        let mut new = new.clone();
        new.conditions
            .sort_by(|one, other| one.type_.cmp(&other.type_));
        own == new
    })
}

fn state(evidence: &Evidence<'_>, api: &Api) -> ApiState {
    let workload = evidence
        .desired
        .workloads
        .iter()
        .find(|workload| workload.apis.contains(&api.name));
    let wanted = workload.map_or(0, |workload| evidence.wanted(workload));
    let rollout = workload
        .and_then(|workload| evidence.rollout(workload))
        .unwrap_or_default();
    let spec = &evidence.service.spec;
    let verdict = evidence
        .verdicts
        .iter()
        .find(|verdict| verdict.api == api.name);
    let facts = verdict.and_then(|verdict| verdict.facts.as_ref());
    ApiState {
        name: api.name.to_string(),
        url: url(evidence.service, api),
        port: api.listen_port(),
        workers: Workers {
            desired: workers(api, api.resources.as_ref().or(spec.resources.as_ref())),
        },
        replicas: rollout.total,
        ready_replicas: rollout.ready,
        updated_replicas: rollout.updated,
        ready: format!("{}/{wanted}", rollout.ready),
        tls: facts.map(|facts| Certificate {
            not_after: tls::date(facts.not_after),
            serial: facts.serial.clone(),
            fingerprint: facts.fingerprint.clone(),
        }),
    }
}

fn url(service: &ApiService, api: &Api) -> Option<String> {
    if api.is_loopback() {
        return None;
    }
    let scheme = if api.tls.is_some() { "https" } else { "http" };
    let host = names::child(&service.name_any(), api.name.dashed());
    let namespace = service.namespace().unwrap_or_default();
    Some(format!(
        "{scheme}://{host}.{namespace}.svc:{}",
        api.service_port()
    ))
}

fn image(workload: &Workload) -> Option<String> {
    let pod = observed::template(&workload.deployment)?.spec.as_ref()?;
    pod.containers.first()?.image.clone()
}
