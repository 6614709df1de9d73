//! What is answered: a pure fold over what was found and done.
//!
//! `Ready` is False only when an API is not, or could not be, served as asked. An expired certificate is served, so it
//! makes `TLSReady` False and stands as the reason of `Ready`, which stays True. A Secret that is missing or cannot be
//! used makes `Ready` False, even while the running pods go on serving what they have: the next pod could not start.

mod conditions;
pub mod pods;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

pub use conditions::{
    AVAILABLE, CONFIG_ACCEPTED, DATABASE_READY, PROGRESSING, READY, RECONCILING, STALLED,
    TLS_READY, USABLE, find,
};

use crate::api::{Api, ApiService, ApiServiceStatus, ApiState, Certificate, Revision, Workers};
use crate::apply::Report;
use crate::confirm::Confirmation;
use crate::desired::workers::workers;
use crate::desired::{Desired, Workload};
use crate::names;
use crate::observed::{self, Observed};
use crate::plan::{Course, ledger};
use crate::rollout::Rollout;
use crate::tls;
use crate::verdict::Verdict;

/// Everything a status is made of.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The resource, with its former status.
    pub service: &'a ApiService,
    /// What was decided.
    pub course: &'a Course,
    /// What it has asked for, as far as nothing waits.
    pub desired: &'a Desired,
    /// What there is, after everything that was written.
    pub observed: &'a Observed,
    /// What is to be said of its Secrets.
    pub verdicts: &'a [Verdict],
    /// What was written, and what could not be.
    pub report: &'a Report,
    /// Its pods.
    pub pods: &'a [Pod],
    /// What they said, by workload.
    pub confirmations: &'a BTreeMap<String, Confirmation>,
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

    /// Whether a pod has yet to say that it runs with what it should, and there is still a point in asking soon.
    pub fn is_unconfirmed(&self) -> bool {
        let waits =
            |found: &Confirmation| !found.is_settled() && (!found.overdue || found.became_overdue);
        self.confirmations.values().any(waits) || self.unseen().is_some()
    }

    /// A workload of which there are more pods than have been seen: they cannot have been asked. How many were seen, and
    /// how many there are.
    fn unseen(&self) -> Option<(&str, usize, usize)> {
        self.desired.workloads.iter().find_map(|workload| {
            let there = self.rollout(workload).filter(Rollout::is_complete)?;
            let there = usize::try_from(there.desired).unwrap_or(0);
            let seen = self.confirmation(workload)?.pods;
            (0 < seen && seen < there).then_some((workload.name.as_str(), seen, there))
        })
    }

    fn confirmation(&self, workload: &Workload) -> Option<&Confirmation> {
        self.confirmations.get(&workload.name)
    }

    /// Whether the workload that runs these APIs stands as asked, and its pods say so.
    fn stands(&self, apis: &str) -> bool {
        let names = |workload: &&Workload| {
            let names: Vec<&str> = workload.apis.iter().map(|api| api.as_str()).collect();
            names.join(",") == apis
        };
        let workload = self.desired.workloads.iter().find(names);
        workload.is_none_or(|workload| {
            let complete = self.rollout(workload).is_some_and(|it| it.is_complete());
            let confirmed = |found: &Confirmation| found.confirmed == found.pods;
            complete && self.confirmation(workload).is_none_or(confirmed)
        })
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
    let mut revisions: Vec<&str> = apis
        .iter()
        .filter_map(|api| api.revision.as_ref())
        .map(|revision| revision.desired.as_str())
        .collect();
    // Of a pod that runs all APIs there is only one.
    revisions.dedup();
    let revision = Some(revisions.join(",")).filter(|revision| !revision.is_empty());
    let mut plan = evidence.course.plan.clone();
    ledger::settle(&mut plan, |apis| evidence.stands(apis));
    ApiServiceStatus {
        plan,
        revision,
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
    let service = &evidence.course.served;
    let spec = &service.spec;
    let served = spec
        .apis
        .iter()
        .find(|served| served.name == api.name)
        .unwrap_or(api);
    let found = workload.and_then(|workload| evidence.confirmation(workload));
    let verdict = evidence
        .verdicts
        .iter()
        .find(|verdict| verdict.api == api.name);
    let facts = verdict.and_then(|verdict| verdict.facts.as_ref());
    ApiState {
        name: api.name.to_string(),
        url: url(service, served),
        port: served.listen_port(),
        workers: Workers {
            desired: workers(api, api.resources.as_ref().or(spec.resources.as_ref())),
            effective: found.and_then(|found| {
                let fewest = found.workers.get(api.name.as_str())?;
                i32::try_from(*fewest).ok()
            }),
        },
        replicas: rollout.total,
        ready_replicas: rollout.ready,
        updated_replicas: rollout.updated,
        ready: format!("{}/{wanted}", rollout.ready),
        tls: facts.map(|facts| Certificate {
            not_after: tls::date(facts.not_after),
            serial: facts.serial.clone(),
            fingerprint: facts.fingerprint.clone(),
            served_by: found.and_then(|found| {
                let serving = found.serving.get(api.name.as_str()).copied();
                found.expected.as_ref()?;
                Some(format!("{}/{}", serving.unwrap_or(0), found.pods))
            }),
        }),
        revision: found.and_then(|found| revision(evidence, api, found)),
    }
}

/// What pods should run with. While nobody knows, that is what they should have run with last.
fn revision(evidence: &Evidence<'_>, api: &Api, found: &Confirmation) -> Option<Revision> {
    let Some(expected) = &found.expected else {
        let mut states = evidence.service.status.as_ref()?.apis.iter();
        let state = states.find(|state| state.name == api.name.as_str())?;
        return state.revision.clone();
    };
    Some(Revision {
        desired: expected.revision.clone(),
        confirmed_by: format!("{}/{}", found.confirmed, found.pods),
    })
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
