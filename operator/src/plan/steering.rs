//! One Deployment: what it is given now.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kilonova_config::{COLD_FILE, HOT_FILE};
use kube::ResourceExt;

use super::decision::{Decision, Facts, decide};
use super::ledger::Need;
use super::stamps::{stamp, stamped, stripped};
use super::{Situation, Steps, difference, need, settings};
use crate::api::{ApiServiceSpec, Effect, PlanState, UpdatePolicy};
use crate::confirm::Expected;
use crate::desired::{Workload, desired};
use crate::history::{self, Record};
use crate::names::{
    APPROVE_ANNOTATION, DEADLINE_ANNOTATION, RECORD_ANNOTATION, RESTART_ANNOTATION,
};
use crate::{Error, hash, observed};

/// What one Deployment is given.
pub struct Steered {
    /// As it is applied.
    pub workload: Workload,
    /// What keeps it.
    pub object: ControllerRevision,
    /// The spec its pods serve, if that is not the present one.
    pub serves: Option<ApiServiceSpec>,
    /// Whether it may be made, if it is not there.
    pub may_exist: bool,
    /// What to do about a change of the user's that waits.
    pub held: Option<String>,
    /// Whether its pods are there and stay.
    pub stays: bool,
    /// What its pods should answer; `None` while nobody knows.
    pub expected: Option<Expected>,
}

/// Decides what a Deployment is given, and says what that does.
pub fn steer(steps: &mut Steps<'_>, wanted: &Workload) -> Result<Steered, Error> {
    let situation = steps.situation;
    let (service, seen) = (situation.service, situation.observed);
    let running = seen.deployments.get(&wanted.name);
    let running = running.filter(|running| observed::is_own(service, *running));
    let record = running.and_then(|it| history::of(it, &seen.revisions, &seen.config_maps));
    if let Some(running) = running {
        count(
            steps,
            wanted,
            running.spec.as_ref().and_then(|spec| spec.replicas),
        )?;
    }
    match record {
        Some(record) => known(steps, wanted, &record),
        None => new(steps, wanted, running.is_none()),
    }
}

/// A Deployment that is not there, or of which nothing is known.
fn new(steps: &mut Steps<'_>, wanted: &Workload, absent: bool) -> Result<Steered, Error> {
    let situation = steps.situation;
    let restart = situation.service.annotations().get(RESTART_ANNOTATION);
    let mut workload = wanted.clone();
    stamp(&mut workload, RESTART_ANNOTATION, restart.cloned());
    let others: Vec<String> = others(situation, wanted);
    let (mut may_exist, mut held) = (true, None);
    if absent && !others.is_empty() {
        let to = hash::of(&workload.deployment.spec)?;
        let mut need = need(wanted, Effect::Roll, others.join(","), to);
        let (number, hash, approved) = steps.number(&need)?;
        let decision = decide(Facts {
            policy: situation.service.spec.update_policy,
            differs: true,
            by_user: true,
            approved,
            blocked: situation.blocked(wanted).is_some(),
            ..Facts::default()
        });
        need.what = format!(
            "podLayout: {} instead of {}",
            wanted.name,
            others.join(", ")
        );
        may_exist = decision.renew;
        held = announce(
            steps,
            wanted,
            need,
            (number, hash, approved),
            decision.renew,
            SPEC,
        );
    }
    let live = history::text(&wanted.live, HOT_FILE);
    workload.live = settings::complete(situation, &workload, &live)?;
    Ok(Steered {
        serves: None,
        may_exist,
        held,
        stays: false,
        expected: situation.expected(&workload).filter(|_| may_exist),
        object: keep(situation, &mut workload, None)?,
        workload,
    })
}

/// Why a step is taken.
pub const SPEC: &str = "the resource changed";
const OPERATOR: &str = "the operator's release changed";
const OVERDUE: &str = "a pod answered after its deadline that it runs with something old";

/// A Deployment with a record.
fn known(steps: &mut Steps<'_>, wanted: &Workload, record: &Record) -> Result<Steered, Error> {
    let situation = steps.situation;
    let service = situation.service;
    let change = change(situation, wanted, record)?;
    let before = |key| stamped(&record.template, key);
    let token = service.annotations().get(RESTART_ANNOTATION).cloned();
    let token = token.filter(|token| before(RESTART_ANNOTATION).as_ref() != Some(token));
    let mut facts = Facts {
        policy: service.spec.update_policy,
        differs: change.differs,
        by_user: change.by_user,
        restart: token.is_some(),
        blocked: situation.blocked(wanted).is_some(),
        ..Facts::default()
    };
    let mut held = None;
    if change.differs {
        let mut need = need(wanted, Effect::Roll, change.from, change.to);
        let id = steps.number(&need)?;
        facts.approved = id.2;
        need.what = difference::of_pods(record, wanted)?;
        let why = if change.by_user { SPEC } else { OPERATOR };
        let message = announce(steps, wanted, need, id, decide(facts).renew, why);
        held = message.filter(|_| change.by_user);
    }
    if let Some(token) = &token {
        let from = before(RESTART_ANNOTATION).unwrap_or_default();
        let mut need = need(wanted, Effect::Roll, from, token.clone());
        need.what = format!("{RESTART_ANNOTATION} changed");
        let id = steps.number(&need)?;
        let goes = decide(facts).restart;
        announce(
            steps,
            wanted,
            need,
            id,
            goes,
            "restart-at is its own approval",
        );
    }
    let decision = decide(facts);
    let mut workload = given(decision, wanted, record, token);
    let live = live(situation, wanted, record, &workload, decision.renew);
    workload.live = settings::complete(situation, &workload, &live)?;

    let expected = situation.expected(&workload);
    let late = overdue(situation, wanted, expected.as_ref());
    let late = late.filter(|late| before(DEADLINE_ANNOTATION).as_ref() != Some(late));
    // Pods that are replaced anyway read everything anew.
    if let Some(late) = late.filter(|_| !(change.differs && decision.renew)) {
        let from = before(DEADLINE_ANNOTATION).unwrap_or_default();
        let mut need = need(wanted, Effect::Roll, from, late.clone());
        let id = steps.number(&need)?;
        (facts.overdue, facts.replacement_approved) = (true, id.2);
        let goes = decide(facts).replace;
        "pods that do not take over what is mounted".clone_into(&mut need.what);
        held = held.or(announce(steps, wanted, need, id, goes, OVERDUE));
        if goes {
            stamp(&mut workload, DEADLINE_ANNOTATION, Some(late));
        }
    }
    let renewed = decision.renew && (change.differs || record.spec.is_null());
    let stays = observed::template(&workload.deployment) == Some(&record.template);
    let kept = (!renewed).then_some(record);
    Ok(Steered {
        serves: record.asked().filter(|_| !decision.renew),
        may_exist: true,
        held,
        stays,
        expected,
        object: keep(situation, &mut workload, kept)?,
        workload,
    })
}

/// What became of a Deployment's pods since they were given what they have.
struct Change {
    differs: bool,
    by_user: bool,
    from: String,
    to: String,
}

fn change(situation: &Situation<'_>, wanted: &Workload, record: &Record) -> Result<Change, Error> {
    let plain = stripped(&record.template);
    let target = observed::template(&wanted.deployment)
        .cloned()
        .unwrap_or_default();
    // What is seen of a Deployment without a record has the API server's defaults in it.
    let differs = if record.spec.is_null() {
        let (held, wanted) = (
            serde_json::to_value(&plain)?,
            serde_json::to_value(&target)?,
        );
        !difference::covers(&held, &wanted)
    } else {
        plain != target
    };
    Ok(Change {
        differs,
        by_user: differs && is_by_user(situation, wanted, record)?,
        from: hash::of(&plain)?,
        to: hash::of(&target)?,
    })
}

/// What stands for what a pod should run with, if one said after its deadline that it does not.
fn overdue(
    situation: &Situation<'_>,
    wanted: &Workload,
    expected: Option<&Expected>,
) -> Option<String> {
    let late = situation.seen.overdue(&wanted.name)?;
    // What it did not take over in time may have been superseded since.
    let current = expected.is_some_and(|expected| expected.digest() == late);
    current.then(|| hash::short(late.as_bytes()))
}

/// The live settings, without what is added to all of them.
fn live(
    situation: &Situation<'_>,
    wanted: &Workload,
    record: &Record,
    workload: &Workload,
    renew: bool,
) -> String {
    let rendered = || history::text(&wanted.live, HOT_FILE);
    if renew {
        return rendered();
    }
    // Settings of another release that cannot be understood any more stay as they are.
    settings::for_running(record, wanted).unwrap_or_else(|_| {
        let maps = &situation.observed.config_maps;
        let there = maps.get(&workload.live.name_any());
        there.map_or_else(rendered, |map| history::text(map, HOT_FILE))
    })
}

/// The Deployment with its template, its cold settings and its stamps.
fn given(
    decision: Decision,
    wanted: &Workload,
    record: &Record,
    token: Option<String>,
) -> Workload {
    let mut workload = wanted.clone();
    if !decision.renew {
        if let Some(spec) = &mut workload.deployment.spec {
            spec.template = record.template.clone();
        }
        workload.cold.metadata.name = Some(record.cold_name.clone());
        workload.cold.data = Some([(COLD_FILE.to_owned(), record.cold.clone())].into());
        workload.live.metadata.name = Some(history::live_name(&record.cold_name));
    }
    for key in [RESTART_ANNOTATION, DEADLINE_ANNOTATION] {
        stamp(&mut workload, key, stamped(&record.template, key));
    }
    stamp(
        &mut workload,
        RESTART_ANNOTATION,
        token.filter(|_| decision.restart),
    );
    workload
}

/// The object that keeps what a Deployment is given, which names it.
fn keep(
    situation: &Situation<'_>,
    workload: &mut Workload,
    kept: Option<&Record>,
) -> Result<ControllerRevision, Error> {
    let image = &situation.release.server_image;
    let record = match kept {
        None => Record::of(image, &situation.service.spec, workload)?,
        Some(record) => Record {
            template: observed::template(&workload.deployment)
                .cloned()
                .unwrap_or_default(),
            ..record.clone()
        },
    };
    let object = record.object(workload, &situation.observed.revisions)?;
    let annotations = &mut workload.deployment.metadata.annotations;
    let annotations = annotations.get_or_insert_default();
    annotations.insert(RECORD_ANNOTATION.to_owned(), object.name_any());
    Ok(object)
}

/// Puts a step that replaces pods into the plan; returns what to do about it if it waits for an approval.
fn announce(
    steps: &mut Steps<'_>,
    workload: &Workload,
    mut need: Need,
    (number, hash, approved): (i64, String, bool),
    goes: bool,
    why: &str,
) -> Option<String> {
    let blocked = steps.situation.blocked(workload).map(str::to_owned);
    let (state, why) = match &blocked {
        _ if goes && approved => (PlanState::Pending, format!("approved; {why}")),
        _ if goes => (PlanState::Pending, why.to_owned()),
        Some(problem) => (PlanState::Waiting, format!("{why}; {problem}")),
        None => (PlanState::Waiting, format!("{why}; waits for approval")),
    };
    let waits = !goes && blocked.is_none();
    let message = waits.then(|| {
        let policy: UpdatePolicy = steps.situation.service.spec.update_policy;
        format!(
            "step {number} replaces the pods of Deployment {} ({}) and waits for approval, since updatePolicy is \
             {policy:?}: set the annotation {APPROVE_ANNOTATION} to {hash}",
            workload.name, need.what
        )
    });
    need.state = state;
    need.why = why;
    steps.add(need, number, hash);
    message
}

/// The number of pods, which touches none that stays. One that is handed over is nobody's step here.
fn count(steps: &mut Steps<'_>, wanted: &Workload, there: Option<i32>) -> Result<(), Error> {
    let there = there.unwrap_or(1);
    if wanted.handed_over || there == wanted.replicas {
        return Ok(());
    }
    let to = wanted.replicas;
    let mut need = need(wanted, Effect::None, there.to_string(), to.to_string());
    need.what = format!("replicas {there} → {to}");
    SPEC.clone_into(&mut need.why);
    let (number, hash, _) = steps.number(&need)?;
    steps.add(need, number, hash);
    Ok(())
}

/// Whether the user's changes since the record was made would make other pods of it, whatever the release.
fn is_by_user(
    situation: &Situation<'_>,
    wanted: &Workload,
    record: &Record,
) -> Result<bool, Error> {
    let Some(asked) = record.asked() else {
        return Ok(false);
    };
    let mut then = situation.service.clone();
    then.spec = asked;
    let then = desired(&then, situation.release)?;
    let then = then.workloads.iter().find(|then| then.name == wanted.name);
    let template = |workload: &Workload| observed::template(&workload.deployment).cloned();
    Ok(then.is_none_or(|then| template(then) != template(wanted)))
}

/// Other Deployments of ours that run the same APIs.
fn others(situation: &Situation<'_>, wanted: &Workload) -> Vec<String> {
    let all = situation.observed.deployments.values();
    let own = all.filter(|one| observed::is_own(situation.service, *one));
    own.filter(|one| wanted.apis.iter().any(|api| observed::runs(one, *api)))
        .map(ResourceExt::name_any)
        .collect()
}
