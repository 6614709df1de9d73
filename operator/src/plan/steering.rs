//! One Deployment: what it is given now.

use k8s_openapi::api::apps::v1::ControllerRevision;
use kilonova_config::{COLD_FILE, HOT_FILE};
use kube::ResourceExt;

use super::decision::{Decision, Facts, decide};
use super::ledger::Need;
use super::stamps::{stamp, stamped, stripped};
use super::{Situation, Steps, difference, need, settings};
use crate::api::{ApiServiceSpec, Effect, PlanState, UpdatePolicy};
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
    pub object: Option<ControllerRevision>,
    /// The spec its pods serve, if that is not the present one.
    pub serves: Option<ApiServiceSpec>,
    /// Whether it may be made, if it is not there.
    pub may_exist: bool,
    /// What to do about a change of the user's that waits.
    pub held: Option<String>,
    /// Whether its pods are there and stay.
    pub stays: bool,
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
    finish(
        steps,
        workload,
        &history::text(&wanted.live, HOT_FILE),
        None,
        Steered {
            workload: wanted.clone(),
            object: None,
            serves: None,
            may_exist,
            held,
            stays: false,
        },
    )
}

/// Why a step is taken.
pub const SPEC: &str = "the resource changed";
const OPERATOR: &str = "the operator's release changed";

/// A Deployment with a record.
fn known(steps: &mut Steps<'_>, wanted: &Workload, record: &Record) -> Result<Steered, Error> {
    let situation = steps.situation;
    let (service, policy) = (situation.service, situation.service.spec.update_policy);
    let blocked = situation.blocked(wanted).is_some();
    let before =
        [RESTART_ANNOTATION, DEADLINE_ANNOTATION].map(|key| stamped(&record.template, key));
    let token = service.annotations().get(RESTART_ANNOTATION).cloned();
    let restart = token.is_some() && token != before[0];
    let deadline = situation.seen.overdue(&wanted.name);
    let deadline = deadline.map(|digest| hash::short(digest.as_bytes()));
    let overdue = deadline.is_some() && deadline != before[1];

    let plain = stripped(&record.template);
    let target = observed::template(&wanted.deployment)
        .cloned()
        .unwrap_or_default();
    let lost = record.spec.is_null();
    let differs = if lost {
        !difference::covers(
            &serde_json::to_value(&plain)?,
            &serde_json::to_value(&target)?,
        )
    } else {
        plain != target
    };
    let by_user = differs && is_by_user(situation, wanted, record)?;
    let mut renewal = need(wanted, Effect::Roll, hash::of(&plain)?, hash::of(&target)?);
    let text = |stamp: &Option<String>| stamp.clone().unwrap_or_default();
    let mut replacement = need(wanted, Effect::Roll, text(&before[1]), text(&deadline));
    let renewal_id = differs.then(|| steps.number(&renewal)).transpose()?;
    let replacement_id = overdue.then(|| steps.number(&replacement)).transpose()?;
    let approved = |id: &Option<(i64, String, bool)>| id.as_ref().is_some_and(|id| id.2);
    let decision = decide(Facts {
        policy,
        differs,
        by_user,
        restart,
        overdue,
        approved: approved(&renewal_id),
        replacement_approved: approved(&replacement_id),
        blocked,
    });

    let mut held = None;
    if let Some(id) = renewal_id {
        renewal.what = difference::of_pods(record, wanted)?;
        let why = if by_user { SPEC } else { OPERATOR };
        let message = announce(steps, wanted, renewal, id, decision.renew, why);
        held = message.filter(|_| by_user);
    }
    if restart {
        let mut need = need(wanted, Effect::Roll, text(&before[0]), text(&token));
        need.what = format!("{RESTART_ANNOTATION} changed");
        let id = steps.number(&need)?;
        announce(
            steps,
            wanted,
            need,
            id,
            decision.restart,
            "restart-at is its own approval",
        );
    }
    if let Some(id) = replacement_id.filter(|_| !(differs && decision.renew)) {
        "pods that do not take over what is mounted".clone_into(&mut replacement.what);
        let why = "a pod answered after its deadline that it runs with something old";
        let message = announce(steps, wanted, replacement, id, decision.replace, why);
        held = held.or(message);
    }
    let workload = given(decision, wanted, record, token, deadline);
    let live = if decision.renew {
        history::text(&wanted.live, HOT_FILE)
    } else {
        // Settings of an older release that cannot be read any more stay as they are.
        settings::for_running(record, wanted).or_else(|_| {
            let there = situation
                .observed
                .config_maps
                .get(&workload.live.name_any());
            let there = there.map(|map| history::text(map, HOT_FILE));
            there.ok_or(Error::Incomplete("live settings"))
        })?
    };
    let kept = (!(decision.renew && (differs || lost))).then_some(record);
    let stays = observed::template(&workload.deployment) == Some(&record.template);
    finish(
        steps,
        workload,
        &live,
        kept,
        Steered {
            workload: wanted.clone(),
            object: None,
            serves: record.asked().filter(|_| !decision.renew),
            may_exist: true,
            held,
            stays,
        },
    )
}

/// The Deployment with its template, its cold settings and its stamps.
fn given(
    decision: Decision,
    wanted: &Workload,
    record: &Record,
    token: Option<String>,
    deadline: Option<String>,
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
    let stays = |key| stamped(&record.template, key);
    let restart = token.filter(|_| decision.restart);
    let deadline = deadline.filter(|_| decision.replace);
    stamp(
        &mut workload,
        RESTART_ANNOTATION,
        restart.or_else(|| stays(RESTART_ANNOTATION)),
    );
    stamp(
        &mut workload,
        DEADLINE_ANNOTATION,
        deadline.or_else(|| stays(DEADLINE_ANNOTATION)),
    );
    workload
}

/// Adds the live settings and the record.
fn finish(
    steps: &Steps<'_>,
    mut workload: Workload,
    live: &str,
    kept: Option<&Record>,
    steered: Steered,
) -> Result<Steered, Error> {
    let situation = steps.situation;
    workload.live = settings::complete(situation, &workload, live)?;
    let image = &situation.release.server_image;
    let record = match kept {
        None => Record::of(image, &situation.service.spec, &workload)?,
        Some(record) => Record {
            template: observed::template(&workload.deployment)
                .cloned()
                .unwrap_or_default(),
            ..record.clone()
        },
    };
    let object = record.object(&workload, &situation.observed.revisions)?;
    let annotations = workload
        .deployment
        .metadata
        .annotations
        .get_or_insert_default();
    annotations.insert(RECORD_ANNOTATION.to_owned(), object.name_any());
    Ok(Steered {
        workload,
        object: Some(object),
        ..steered
    })
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

/// The number of pods, which touches none that stays.
fn count(steps: &mut Steps<'_>, wanted: &Workload, there: Option<i32>) -> Result<(), Error> {
    let there = there.unwrap_or(1);
    if there == wanted.replicas {
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
