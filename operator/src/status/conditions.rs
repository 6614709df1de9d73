//! The conditions, by the rules of kstatus: Stalled and Reconciling say why Ready is not there.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::{Evidence, pods};
use crate::api::ApiServiceStatus;
use crate::observed;
use crate::rollout::{self, Rollout};
use crate::verdict::Subject;

/// Every API is served as asked by all its pods.
pub const READY: &str = "Ready";
/// The operator is on its way there.
pub const RECONCILING: &str = "Reconciling";
/// It cannot get there without help.
pub const STALLED: &str = "Stalled";
/// Every API has a pod that serves.
pub const AVAILABLE: &str = "Available";
/// Every certificate can be served and is valid.
pub const TLS_READY: &str = "TLSReady";
/// Reason of [`TLS_READY`] when there is nothing to be said.
pub const USABLE: &str = "CertificatesUsable";
/// Every pod has confirmed the settings it should run with.
pub const CONFIG_ACCEPTED: &str = "ConfigAccepted";
/// The pods reach their database.
pub const DATABASE_READY: &str = "DatabaseReady";
/// Pods are being replaced, or take over new settings.
pub const PROGRESSING: &str = "Progressing";
/// The conditions the operator answers for.
pub const OWN: &[&str] = &[
    READY,
    RECONCILING,
    STALLED,
    AVAILABLE,
    TLS_READY,
    CONFIG_ACCEPTED,
    DATABASE_READY,
    PROGRESSING,
];

/// A condition of a status.
pub fn find<'a>(status: Option<&'a ApiServiceStatus>, type_: &str) -> Option<&'a Condition> {
    status?
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// How far the resource is.
enum Phase {
    Ready {
        reason: String,
        message: String,
    },
    Reconciling {
        step: &'static str,
        reason: String,
        message: String,
    },
    Stalled {
        reason: String,
        message: String,
    },
}

struct Finding {
    type_: &'static str,
    /// `None`: nobody can tell.
    holds: Option<bool>,
    reason: String,
    message: String,
}

fn finding(
    type_: &'static str,
    holds: impl Into<Option<bool>>,
    reason: impl Into<String>,
    message: impl Into<String>,
) -> Finding {
    Finding {
        type_,
        holds: holds.into(),
        reason: reason.into(),
        message: message.into(),
    }
}

pub(super) fn conditions(evidence: &Evidence<'_>) -> Vec<Condition> {
    let [ready, reconciling, stalled] = match phase(evidence) {
        Phase::Ready { reason, message } => [
            finding(READY, true, reason, message),
            finding(RECONCILING, false, "Done", "nothing is left to do"),
            finding(STALLED, false, "NotStalled", "nothing is in the way"),
        ],
        Phase::Reconciling {
            step,
            reason,
            message,
        } => [
            finding(READY, false, reason, message.clone()),
            finding(RECONCILING, true, step, message),
            finding(STALLED, false, "NotStalled", "nothing is in the way"),
        ],
        Phase::Stalled { reason, message } => [
            finding(READY, false, reason.clone(), message.clone()),
            finding(RECONCILING, false, "Stalled", "nothing more can be done"),
            finding(STALLED, true, reason, message),
        ],
    };
    let progressing = progressing(&reconciling);
    let findings = [
        ready,
        reconciling,
        stalled,
        available(evidence),
        progressing,
    ];
    let findings = findings
        .into_iter()
        .chain(tls(evidence))
        .chain(pods::config_accepted(evidence).map(|said| judged(CONFIG_ACCEPTED, said)))
        .chain(pods::database(evidence).map(|said| judged(DATABASE_READY, said)));
    findings
        .map(|finding| condition(evidence, finding))
        .collect()
}

fn judged(type_: &'static str, said: pods::Said) -> Finding {
    finding(type_, said.holds, said.reason, said.message)
}

fn progressing(reconciling: &Finding) -> Finding {
    let moves = ["RollingOut", "Replacing", "Draining", "Confirming"];
    if moves.contains(&reconciling.reason.as_str()) {
        let (reason, message) = (reconciling.reason.clone(), reconciling.message.clone());
        return finding(PROGRESSING, true, reason, message);
    }
    finding(
        PROGRESSING,
        false,
        "Settled",
        "no pod is being replaced or takes over settings",
    )
}

/// The first of these that applies.
fn phase(evidence: &Evidence<'_>) -> Phase {
    let step = |step, reason: &str, message: String| Phase::Reconciling {
        step,
        reason: reason.to_owned(),
        message,
    };
    let (report, course) = (evidence.report, evidence.course);
    if evidence.service.spec.paused && course.unserved {
        return Phase::Stalled {
            reason: "Paused".to_owned(),
            message: "spec.paused is set: nothing is done; status.plan says what would be"
                .to_owned(),
        };
    }
    if let Some(obstacle) = report.obstacles.iter().find(|obstacle| obstacle.stalls) {
        return Phase::Stalled {
            reason: obstacle.reason.to_owned(),
            message: obstacle.message.clone(),
        };
    }
    for verdict in evidence.verdicts.iter().filter(|verdict| verdict.blocks()) {
        let step_name = match verdict.about {
            Subject::Tls | Subject::Database => "WaitingForSecret",
            Subject::Settings => "WaitingForSettings",
        };
        if let Some(problem) = &verdict.problem {
            return step(step_name, problem.reason, problem.message.clone());
        }
    }
    if let Some(obstacle) = report.obstacles.first() {
        return step(
            "WaitingForDeletion",
            obstacle.reason,
            obstacle.message.clone(),
        );
    }
    if let Some(stalled) = failed(evidence) {
        return stalled;
    }
    if let Some(held) = &course.held {
        return Phase::Stalled {
            reason: "WaitingForApproval".to_owned(),
            message: held.clone(),
        };
    }
    if let Some((name, rollout)) = unfinished(evidence) {
        let trouble = pods::trouble(evidence.pods);
        return match trouble.or_else(|| pods::failing(evidence)) {
            Some(trouble) => step("RollingOut", &trouble.reason, trouble.message),
            None => step("RollingOut", "RollingOut", progress(&name, &rollout)),
        };
    }
    let leftovers = evidence.leftovers();
    if !leftovers.is_empty() {
        let message = format!("Deployment {} is still there", leftovers.join(", "));
        return step("Replacing", "Replacing", message);
    }
    let lingering = evidence.lingering();
    if lingering > 0 {
        let message = format!("{lingering} old pods may still take connections");
        return step("Draining", "Draining", message);
    }
    if let Some(trouble) = pods::failing(evidence) {
        return step("Confirming", &trouble.reason, trouble.message);
    }
    if let Some(message) = pods::unconfirmed(evidence) {
        return step("Confirming", "Confirming", message);
    }
    let mut problems = evidence
        .verdicts
        .iter()
        .filter_map(|verdict| verdict.problem.as_ref());
    let unreachable = pods::config_accepted(evidence).filter(|said| said.holds.is_none());
    match (problems.next(), unreachable) {
        (Some(problem), _) => Phase::Ready {
            reason: problem.reason.to_owned(),
            message: problem.message.clone(),
        },
        (None, Some(said)) => Phase::Ready {
            reason: said.reason.to_owned(),
            message: said.message,
        },
        (None, None) => Phase::Ready {
            reason: "Serving".to_owned(),
            message: "every API is served by all its pods".to_owned(),
        },
    }
}

/// A Deployment whose own controller gave up.
fn failed(evidence: &Evidence<'_>) -> Option<Phase> {
    let (workload, failure) = evidence.desired.workloads.iter().find_map(|workload| {
        let deployment = evidence.observed.deployments.get(&workload.name)?;
        let rollout = evidence.rollout(workload)?;
        let failure =
            rollout::failure(deployment).filter(|_| rollout.seen && !rollout.is_complete())?;
        Some((workload, failure))
    })?;
    let (reason, message) = match pods::trouble(evidence.pods) {
        Some(trouble) => (trouble.reason, trouble.message),
        None => ("RolloutFailed".to_owned(), failure),
    };
    Some(Phase::Stalled {
        reason,
        message: format!("Deployment {}: {message}", workload.name),
    })
}

fn unfinished(evidence: &Evidence<'_>) -> Option<(String, Rollout)> {
    evidence.desired.workloads.iter().find_map(|workload| {
        let rollout = evidence.rollout(workload).unwrap_or(Rollout {
            desired: workload.replicas,
            ..Rollout::default()
        });
        (!rollout.is_complete()).then(|| (workload.name.clone(), rollout))
    })
}

fn progress(name: &str, rollout: &Rollout) -> String {
    let old = rollout.total - rollout.updated;
    let old = if old > 0 {
        format!(", {old} old ones left")
    } else {
        String::new()
    };
    format!(
        "Deployment {name}: {} of {} pods updated, {} available{old}",
        rollout.updated, rollout.desired, rollout.available
    )
}

fn available(evidence: &Evidence<'_>) -> Finding {
    let rollouts = |api| {
        let all = evidence.observed.deployments.values();
        let own = all.filter(|deployment| observed::is_own(evidence.service, *deployment));
        own.filter(move |deployment| observed::runs(deployment, api))
            .map(Rollout::of)
            .collect::<Vec<_>>()
    };
    let (mut down, mut stopped) = (Vec::new(), Vec::new());
    for api in &evidence.service.spec.apis {
        let rollouts = rollouts(api.name);
        if rollouts.iter().any(|rollout| rollout.available > 0) {
            continue;
        }
        let asked = rollouts.is_empty() || rollouts.iter().any(|rollout| rollout.desired > 0);
        let list = if asked { &mut down } else { &mut stopped };
        list.push(api.name.to_string());
    }
    if !down.is_empty() {
        let message = format!("no pod serves {}", down.join(", "));
        return finding(AVAILABLE, false, "NoPodAvailable", message);
    }
    if !stopped.is_empty() {
        let message = format!(
            "replicas is 0: no pod serves {}, as asked",
            stopped.join(", ")
        );
        return finding(AVAILABLE, true, "ScaledToZero", message);
    }
    finding(
        AVAILABLE,
        true,
        "PodsAvailable",
        "every API has a pod that serves",
    )
}

fn tls(evidence: &Evidence<'_>) -> Option<Finding> {
    let verdicts = evidence.verdicts.iter();
    let verdicts: Vec<_> = verdicts
        .filter(|verdict| verdict.about == Subject::Tls)
        .collect();
    if verdicts.is_empty() {
        return None;
    }
    let mut problems: Vec<_> = verdicts
        .iter()
        .filter_map(|verdict| verdict.problem.as_ref())
        .collect();
    problems.sort_by_key(|problem| !problem.blocks);
    let holds = problems.is_empty();
    problems.extend(verdicts.iter().flat_map(|verdict| &verdict.warnings));
    let messages = pods::each_once(problems.iter().map(|problem| problem.message.as_str()));
    Some(match problems.first() {
        Some(first) => finding(TLS_READY, holds, first.reason, messages.join("; ")),
        None => finding(
            TLS_READY,
            true,
            USABLE,
            "every certificate is valid and can be served",
        ),
    })
}

fn condition(evidence: &Evidence<'_>, finding: Finding) -> Condition {
    let status = match finding.holds {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let old =
        find(evidence.service.status.as_ref(), finding.type_).filter(|old| old.status == status);
    // To the second, as it is stored.
    let now = || Timestamp::from_second(evidence.now.as_second()).unwrap_or(evidence.now);
    Condition {
        type_: finding.type_.to_owned(),
        status: status.to_owned(),
        reason: finding.reason,
        message: finding.message,
        observed_generation: evidence.service.metadata.generation,
        last_transition_time: old
            .map_or_else(|| Time(now()), |old| old.last_transition_time.clone()),
    }
}
