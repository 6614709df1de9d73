//! What is done now, what waits, and how it is announced: a pure function of what is wanted and what there is.
//!
//! ```text
//! Desired ─┐             ┌─► Course { desired: what is applied now, plan: what the status announces }
//! Observed ┼─► course ───┤
//! approvals┘             └─► what pods should confirm
//! ```
//!
//! What waits is not applied: a Deployment that may not change is given again what its record holds, word for word, and
//! only the settings its running pods take over by themselves are new.

pub mod decision;
pub mod difference;
pub mod ledger;
mod reload;
mod settings;
mod stamps;
mod steering;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt;

use crate::Error;
use crate::api::{ApiService, Effect, PlanItem, PlanState};
use crate::cluster::Child;
use crate::confirm::{Expected, Seen, expected};
use crate::desired::{Desired, Release, Workload, desired};
use crate::kinds::{Certificate, HttpRoute, PodMonitor, TlsRoute};
use crate::names::APPROVE_ANNOTATION;
use crate::observed::{self, Held, Observed};
use crate::verdict::Verdict;
use ledger::{Ledger, Need};
use steering::Steered;

/// Everything that is considered.
#[derive(Clone, Copy)]
pub struct Situation<'a> {
    /// The resource, with its former status.
    pub service: &'a ApiService,
    /// What this release adds.
    pub release: &'a Release,
    /// What they ask for together.
    pub wanted: &'a Desired,
    /// What there is.
    pub observed: &'a Observed,
    /// What is to be said of the Secrets.
    pub verdicts: &'a [Verdict],
    /// What is remembered of the pods.
    pub seen: &'a Seen,
    /// A nonce nobody knows, for settings that have none yet.
    pub nonce: &'a str,
}

/// Where it goes from here.
#[derive(Clone, Debug)]
pub struct Course {
    /// What is to be applied now.
    pub desired: Desired,
    /// The resource as far as its pods serve it: what waits is as it was.
    pub served: ApiService,
    /// The record of each Deployment.
    pub records: BTreeMap<String, ControllerRevision>,
    /// Deployments that may not be made yet.
    pub not_yet: BTreeSet<String>,
    /// What the pods of each Deployment should answer; `None` while nobody knows.
    pub expected: BTreeMap<String, Option<Expected>>,
    /// The plan.
    pub plan: Vec<PlanItem>,
    /// The change of the user's that waits for an approval, and what to do about it.
    pub held: Option<String>,
    /// Whether anything would be done, were it not for `spec.paused`.
    pub unserved: bool,
}

impl Situation<'_> {
    /// Whether what the next pod of a workload needs is not there, and why.
    fn blocked(&self, workload: &Workload) -> Option<&str> {
        let mut own = self
            .verdicts
            .iter()
            .filter(|verdict| workload.apis.contains(&verdict.api));
        let problem = own.find(|verdict| verdict.blocks())?.problem.as_ref()?;
        Some(problem.message.as_str())
    }

    fn approves(&self, hash: &str) -> bool {
        let approved = self.service.annotations().get(APPROVE_ANNOTATION);
        approved.is_some_and(|hashes| hashes.split(',').any(|one| one.trim() == hash))
    }

    /// What the pods of a workload should answer. Nobody can confirm what is not written.
    fn expected(&self, workload: &Workload) -> Option<Expected> {
        let there = self.observed.config_maps.get(&workload.live.name_any());
        let written = there.is_some_and(|there| there.data == workload.live.data);
        if self.blocked(workload).is_some() || (self.service.spec.paused && !written) {
            return None;
        }
        expected(workload, &self.observed.secrets)
    }

    fn apis(workload: &Workload) -> String {
        let names: Vec<&str> = workload.apis.iter().map(|api| api.as_str()).collect();
        names.join(",")
    }
}

/// Decides what is done now.
pub fn course(situation: &Situation<'_>) -> Result<Course, Error> {
    let (service, status) = (situation.service, situation.service.status.as_ref());
    let uid = service.uid().unwrap_or_default();
    let old = status.map_or(&[][..], |status| status.plan.as_slice());
    let mut steps = Steps {
        situation,
        ledger: Ledger::new(&uid, old),
        items: Vec::new(),
    };
    let mut steered = Vec::new();
    for workload in &situation.wanted.workloads {
        steered.push(steering::steer(&mut steps, workload)?);
    }
    let served = served(service, &steered);
    let mut course = Course {
        desired: desired(&served, situation.release)?,
        served,
        records: BTreeMap::new(),
        not_yet: BTreeSet::new(),
        expected: BTreeMap::new(),
        plan: Vec::new(),
        held: None,
        unserved: false,
    };
    // The Secret a roll waits for may be one that a Certificate has yet to make.
    let certificates = &mut course.desired.extras.certificates;
    let asked = &situation.wanted.extras.certificates;
    certificates.retain(|old| asked.iter().all(|new| new.name_any() != old.name_any()));
    certificates.extend(asked.iter().cloned());
    course.desired.workloads.clear();
    for one in steered {
        let name = one.workload.name.clone();
        reload::reload(&mut steps, &one)?;
        course.expected.insert(name.clone(), one.expected);
        course.records.insert(name.clone(), one.object);
        if !one.may_exist {
            course.not_yet.insert(name);
        }
        course.held = course.held.or(one.held);
        course.desired.workloads.push(one.workload);
    }
    course.unserved =
        !steps.items.is_empty() || is_incomplete(service, &course.desired, situation.observed)?;
    course.plan = steps.ledger.with(steps.items);
    Ok(course)
}

/// The steps that are found to be needed.
struct Steps<'a> {
    situation: &'a Situation<'a>,
    ledger: Ledger<'a>,
    items: Vec<PlanItem>,
}

impl Steps<'_> {
    /// The number and the hash a step has or will have, and whether that hash is approved.
    fn number(&mut self, need: &Need) -> Result<(i64, String, bool), Error> {
        let (number, hash) = self.ledger.number(need)?;
        let approved = self.situation.approves(&hash);
        Ok((number, hash, approved))
    }

    /// Puts a step into the plan.
    fn add(&mut self, need: Need, number: i64, hash: String) {
        let paused = self.situation.service.spec.paused;
        let why = if paused {
            format!("{}; spec.paused is set", need.why)
        } else {
            need.why
        };
        self.items.push(PlanItem {
            number,
            api: need.api,
            what: need.what,
            effect: need.effect,
            state: if paused {
                PlanState::Waiting
            } else {
                need.state
            },
            why,
            hash,
        });
    }
}

/// A step that touches no pod is done for the asking.
fn need(workload: &Workload, effect: Effect, from: String, to: String) -> Need {
    Need {
        workload: workload.name.clone(),
        api: Situation::apis(workload),
        what: String::new(),
        effect,
        state: PlanState::Pending,
        why: String::new(),
        from,
        to,
    }
}

/// The resource with what its pods do not serve yet as it was.
fn served(service: &ApiService, steered: &[Steered]) -> ApiService {
    let mut served = service.clone();
    for one in steered {
        let Some(then) = &one.serves else { continue };
        for api in &mut served.spec.apis {
            let own = one.workload.apis.contains(&api.name);
            let before = then.apis.iter().find(|before| before.name == api.name);
            if let (true, Some(before)) = (own, before) {
                api.listen.clone_from(&before.listen);
                api.port = before.port;
                api.tls.clone_from(&before.tls);
            }
        }
    }
    served
}

/// Whether a Deployment, a Service or what stands beside them is wanted and not there as it is wanted, as far as no step
/// says so.
fn is_incomplete(service: &ApiService, desired: &Desired, there: &Observed) -> Result<bool, Error> {
    for workload in &desired.workloads {
        let Some(running) = there.deployments.get(&workload.name) else {
            return Ok(true);
        };
        if !observed::is_own(service, running) {
            return Ok(true);
        }
    }
    let (extras, held) = (&desired.extras, &there.extras);
    let has = &held.served;
    Ok(lacks(&desired.services, &there.services)?
        || lacks(&extras.budgets, &held.budgets)?
        || lacks(&extras.autoscalers, &held.autoscalers)?
        || lacks(&extras.policies, &held.policies)?
        || (has.has::<HttpRoute>() && lacks(&extras.http_routes, &held.http_routes)?)
        || (has.has::<TlsRoute>() && lacks(&extras.tls_routes, &held.tls_routes)?)
        || (has.has::<Certificate>() && lacks(&extras.certificates, &held.certificates)?)
        || (has.has::<PodMonitor>() && lacks(&extras.monitors, &held.monitors)?))
}

/// Whether one of these is not there, or asks for something else.
fn lacks<K: Child>(wanted: &[K], there: &Held<K>) -> Result<bool, Error> {
    for wanted in wanted {
        let Some(held) = there.get(&wanted.name_any()) else {
            return Ok(true);
        };
        let (held, wanted) = (serde_json::to_value(held)?, serde_json::to_value(wanted)?);
        if !difference::covers(&held["spec"], &wanted["spec"]) {
            return Ok(true);
        }
    }
    Ok(false)
}
