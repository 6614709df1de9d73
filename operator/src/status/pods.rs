//! What can be read off the pods: why one does not start, and whether one that goes still takes connections.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use kilonova_config::ADMIN_PORT;
use kube::ResourceExt;
use serde_json::Value;

use super::Evidence;
use crate::confirm::Confirmation;
use crate::names;
use crate::verdict::Subject;

/// Reasons a container waits for that time alone does not end.
const TROUBLES: &[&str] = &[
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

const CRASH_LOOP: &str = "CrashLoopBackOff";

/// Why a pod does not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Kubernetes' own reason.
    pub reason: String,
    /// Names the pod, and what it said last.
    pub message: String,
}

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `None`: nobody can tell.
    pub holds: Option<bool>,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

/// What is wrong with a subject, each thing once: APIs often share it.
fn judged(evidence: &Evidence<'_>, about: Subject) -> Option<Said> {
    let own = evidence
        .verdicts
        .iter()
        .filter(|verdict| verdict.about == about);
    let problems: Vec<_> = own.filter_map(|verdict| verdict.problem.as_ref()).collect();
    let messages = each_once(problems.iter().map(|problem| problem.message.as_str()));
    problems.first().map(|first| Said {
        holds: Some(false),
        reason: first.reason,
        message: messages.join("; "),
    })
}

/// Without what was said before.
pub fn each_once<'a>(messages: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut said = Vec::new();
    for message in messages {
        if !said.contains(&message) {
            said.push(message);
        }
    }
    said
}

/// Whether the settings can be rendered, and every pod has confirmed what it should run with. Nothing is said before there
/// are pods to ask.
pub fn config_accepted(evidence: &Evidence<'_>) -> Option<Said> {
    let refused = judged(evidence, Subject::Settings);
    if refused.is_some() {
        return refused;
    }
    let all = || evidence.confirmations.values();
    if all().all(|found| found.pods == 0) {
        return None;
    }
    let said = |holds, reason, message| {
        Some(Said {
            holds,
            reason,
            message,
        })
    };
    let outdated: Vec<&str> = named(all().flat_map(|found| &found.outdated));
    if let Some(refused) = all().find_map(|found| found.refused.clone()) {
        return said(Some(false), "ReloadRefused", refused);
    }
    if !outdated.is_empty() {
        let message = format!("not yet confirmed by pod {}", outdated.join(", "));
        return said(Some(false), "Confirming", message);
    }
    let unreachable: Vec<&str> = named(all().flat_map(|found| &found.unreachable));
    if !unreachable.is_empty() {
        let message = format!(
            "pod {} cannot be asked on port {ADMIN_PORT}: nobody knows what it runs with; let the operator reach it",
            unreachable.join(", ")
        );
        return said(None, "StatusUnreachable", message);
    }
    if all().any(|found| found.pods > 0 && found.expected.is_none()) {
        let message = "a Secret the pods need cannot be used: TLSReady and DatabaseReady say which";
        return said(None, "WaitingForSecret", message.to_owned());
    }
    let message = "every pod runs with the settings and Secrets of now";
    said(Some(true), "Confirmed", message.to_owned())
}

/// Whether the database's Secret can be used and the pods reach the database, when they have one.
pub fn database(evidence: &Evidence<'_>) -> Option<Said> {
    let unusable = judged(evidence, Subject::Database);
    if unusable.is_some() {
        return unusable;
    }
    let found = || evidence.confirmations.values();
    let has = |found: &Confirmation| {
        found.database.is_some() || found.expected.as_ref().is_some_and(|it| it.database)
    };
    if !found().any(has) {
        return None;
    }
    let seen: Vec<_> = found()
        .filter_map(|found| found.database.as_ref())
        .collect();
    let unreachable = seen.iter().find(|database| !database.reachable);
    let (holds, reason, message) = match unreachable {
        Some(database) => {
            let error = database.error.clone().unwrap_or_default();
            let message = format!("a pod does not reach the database: {error}");
            (Some(false), "DatabaseUnreachable", message)
        }
        None if seen.is_empty() => {
            let message = "no pod has said yet whether it reaches the database";
            (None, "StatusUnreachable", message.to_owned())
        }
        None => {
            let message = "every pod that was asked reaches the database";
            (Some(true), "Reachable", message.to_owned())
        }
    };
    Some(Said {
        holds,
        reason,
        message,
    })
}

/// Why the workers of a pod do not stay alive.
pub fn failing(evidence: &Evidence<'_>) -> Option<Trouble> {
    let mut all = evidence.confirmations.values();
    let message = all.find_map(|found| found.failing.clone())?;
    Some(Trouble {
        reason: "WorkersFailing".to_owned(),
        message,
    })
}

/// What pods have yet to say.
pub fn unconfirmed(evidence: &Evidence<'_>) -> Option<String> {
    if let Some((name, seen, there)) = evidence.unseen() {
        return Some(format!(
            "Deployment {name}: {seen} of {there} pods are known to the operator yet"
        ));
    }
    let mut all = evidence.confirmations.iter();
    let (name, found) = all.find(|(_, found)| !found.is_settled())?;
    let late = named(found.outdated.iter().chain(&found.unreachable));
    Some(format!(
        "Deployment {name}: {} of {} pods have confirmed what they should run with; missing: {}",
        found.confirmed,
        found.pods,
        late.join(", ")
    ))
}

/// In order, and not more than a message bears.
fn named<'a>(pods: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut names: Vec<&str> = pods.map(String::as_str).collect();
    names.sort_unstable();
    names.truncate(5);
    names
}

/// The first pod, by name, that has a trouble of its own. Nothing in it changes with every attempt.
pub fn trouble(pods: &[Pod]) -> Option<Trouble> {
    let mut pods: Vec<&Pod> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .collect();
    pods.sort_by_key(|pod| pod.name_any());
    pods.into_iter()
        .find_map(|pod| container_trouble(pod).or_else(|| unschedulable(pod)))
}

/// How many pods that are not wanted may still take connections: those that were told to stop less than the drain delay
/// ago, and those of a Deployment that is gone, which the garbage collector will tell.
pub fn lingering(pods: &[Pod], wanted: &[&str], drain_delay: i32, now: Timestamp) -> usize {
    let lingers = |pod: &&Pod| match &pod.metadata.deletion_timestamp {
        // The time of deletion is when the grace period ends.
        Some(end) => {
            let told = end.0.as_second() - pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
            told + i64::from(drain_delay) > now.as_second()
        }
        None => {
            !has_ended(pod)
                && !names::component(pod.labels())
                    .is_some_and(|component| wanted.contains(&component))
        }
    };
    pods.iter().filter(lingers).count()
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn container_trouble(pod: &Pod) -> Option<Trouble> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find_map(|status| {
        if crashes(status) {
            return Some(crash_loop(pod, status));
        }
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| TROUBLES.contains(reason))?;
        // What changes with every attempt is left out: it would change the status each time.
        let (reason, said) = match reason {
            "ErrImagePull" | "ImagePullBackOff" => (
                "ImagePullBackOff",
                Some(format!(
                    "image {} cannot be pulled; the pod's Events say why",
                    status.image
                )),
            ),
            _ => (reason, waiting.message.clone()),
        };
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        Some(Trouble {
            message: format!("pod {} is in {reason}{said}", pod.name_any()),
            reason: reason.to_owned(),
        })
    })
}

/// Whether a container has failed again and again and is not ready now: between two attempts it waits or runs, and both
/// are the same trouble.
fn crashes(status: &ContainerStatus) -> bool {
    let last = status.last_state.as_ref();
    let failed = last.and_then(|last| last.terminated.as_ref());
    let waits = status
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref());
    let backs_off = waits.is_some_and(|waits| waits.reason.as_deref() == Some(CRASH_LOOP));
    let again = status.restart_count > 1 && failed.is_some_and(|failed| failed.exit_code != 0);
    !status.ready && (backs_off || again)
}

fn crash_loop(pod: &Pod, status: &ContainerStatus) -> Trouble {
    let said = last_words(status).map(|said| format!(": {said}"));
    Trouble {
        message: format!(
            "pod {} is in {CRASH_LOOP}{}",
            pod.name_any(),
            said.unwrap_or_default()
        ),
        reason: CRASH_LOOP.to_owned(),
    }
}

/// Exit status of the container's last run, and what it said in its last line. Time and process id of the line are left
/// out: they change with every attempt.
fn last_words(status: &ContainerStatus) -> Option<String> {
    let terminated = status.last_state.as_ref()?.terminated.as_ref()?;
    let message = terminated.message.as_deref().unwrap_or_default();
    let line = message.lines().rev().find(|line| !line.trim().is_empty());
    let said = line.map(|line| format!(", saying: {}", said(line.trim())));
    let said = said.unwrap_or_default();
    Some(format!("exit status {}{said}", terminated.exit_code))
}

/// The message of a log line: after the request id of an oslo line, or in a JSON line's own field.
fn said(line: &str) -> String {
    let object: Option<Value> = serde_json::from_str(line).ok();
    let message = object
        .as_ref()
        .and_then(|object| object["message"].as_str());
    let after_id = || line.split_once("] ").map(|(_, message)| message);
    message.or_else(after_id).unwrap_or(line).to_owned()
}

fn unschedulable(pod: &Pod) -> Option<Trouble> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let condition = conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled" && condition.reason.as_deref() == Some("Unschedulable")
    })?;
    Some(Trouble {
        reason: "Unschedulable".to_owned(),
        message: format!(
            "pod {} has no node: {}",
            pod.name_any(),
            condition.message.as_deref().unwrap_or_default()
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    fn pod(metadata: &Value, status: &Value) -> Pod {
        let mut pod = json!({"metadata": {"name": "nova-1"}, "status": status});
        for (key, value) in metadata.as_object().unwrap() {
            pod["metadata"][key] = value.clone();
        }
        serde_json::from_value(pod).unwrap()
    }

    fn waiting(reason: &str) -> Value {
        let state = json!({"waiting": {"reason": reason, "message": "attempt 3 in 20s"}});
        json!({"containerStatuses": [{
            "name": "kilonova", "image": "server:1", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }]})
    }

    #[rstest]
    #[case(waiting("ContainerCreating"), None)]
    #[case(
        waiting("ErrImagePull"),
        Some(
            "pod nova-1 is in ImagePullBackOff: image server:1 cannot be pulled; the pod's Events say why"
        )
    )]
    #[case(
        waiting("ImagePullBackOff"),
        Some(
            "pod nova-1 is in ImagePullBackOff: image server:1 cannot be pulled; the pod's Events say why"
        )
    )]
    #[case(waiting("CrashLoopBackOff"), Some("pod nova-1 is in CrashLoopBackOff"))]
    #[case(
        waiting("CreateContainerConfigError"),
        Some("pod nova-1 is in CreateContainerConfigError: attempt 3 in 20s")
    )]
    #[case(json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}),
        Some("pod nova-1 has no node: 0/1 nodes"))]
    fn troubles(#[case] status: Value, #[case] expected: Option<&str>) {
        let found = trouble(&[pod(&json!({}), &status)]).map(|trouble| trouble.message);
        assert_eq!(found.as_deref(), expected);
    }

    #[rstest]
    #[case(json!({"labels": {"app.kubernetes.io/component": "metadata"}}), "Running", 0)]
    #[case(json!({"labels": {"app.kubernetes.io/component": "api"}}), "Running", 1)]
    #[case(json!({"labels": {"app.kubernetes.io/component": "api"}}), "Failed", 0)]
    #[case(json!({"deletionTimestamp": "1970-01-01T00:01:00Z", "deletionGracePeriodSeconds": 30}), "Running", 1)]
    #[case(json!({"deletionTimestamp": "1970-01-01T00:00:57Z", "deletionGracePeriodSeconds": 30}), "Running", 0)]
    fn pods_linger_until_they_take_no_connections(
        #[case] metadata: Value,
        #[case] phase: &str,
        #[case] expected: usize,
    ) {
        let pods = [pod(&metadata, &json!({"phase": phase}))];
        let now = Timestamp::from_second(32).unwrap();
        assert_eq!(lingering(&pods, &["metadata"], 5, now), expected);
    }
}
