//! What is said to whoever looks: one Event for each transition, none for a reconcile that only confirms.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

use crate::api::{ApiServiceStatus, Effect, PlanItem, PlanState};
use crate::apply::Report;
use crate::status::{CONFIG_ACCEPTED, DATABASE_READY, READY, STALLED, TLS_READY, USABLE, find};

/// Reasons for which settings are not taken over that time alone does not end.
const REFUSALS: [&str; 3] = ["ReloadRefused", "SettingsInvalid", "PodTemplateInvalid"];

/// The Events that lead from `old` to `new`.
pub fn events(
    old: Option<&ApiServiceStatus>,
    new: &ApiServiceStatus,
    report: &Report,
) -> Vec<Event> {
    let mut events = Vec::new();
    let done = [
        ("Created", "Create", "created ", &report.created),
        (
            "Rolling",
            "Roll",
            "replacing the pods of Deployment ",
            &report.rolled,
        ),
        (
            "Reloading",
            "Reload",
            "new settings for the running pods of Deployment ",
            &report.reloaded,
        ),
        ("Pruned", "Prune", "deleted ", &report.pruned),
    ];
    for (reason, action, what, children) in done {
        if !children.is_empty() {
            events.push(normal(
                reason,
                action,
                format!("{what}{}", children.join(", ")),
            ));
        }
    }
    events.extend(certificates(old, new));
    let steps = old.map_or(&[][..], |old| old.plan.as_slice());
    events.extend(new.plan.iter().filter_map(|item| step(steps, item)));
    for (type_, action) in [
        (CONFIG_ACCEPTED, "Confirm"),
        (DATABASE_READY, "Confirm"),
        (TLS_READY, "CheckCertificates"),
        (STALLED, "Reconcile"),
        (READY, "Reconcile"),
    ] {
        events.extend(transition(find(old, type_), find(Some(new), type_), action));
    }
    events.dedup_by(|one, other| one.reason == other.reason && one.note == other.note);
    events
}

fn certificates(old: Option<&ApiServiceStatus>, new: &ApiServiceStatus) -> Vec<Event> {
    let changed = new.apis.iter().filter_map(|api| {
        let certificate = api.tls.as_ref()?;
        let before = old?
            .apis
            .iter()
            .find(|before| before.name == api.name)?
            .tls
            .as_ref()?;
        (before.fingerprint != certificate.fingerprint).then(|| {
            let note = format!(
                "{}: the certificate is now serial {}, valid until {}",
                api.name, certificate.serial, certificate.not_after
            );
            normal("CertificateChanged", "CheckCertificates", note)
        })
    });
    changed.collect()
}

/// A step that begins to wait, is let go, or is done.
fn step(old: &[PlanItem], item: &PlanItem) -> Option<Event> {
    let before = old.iter().find(|old| old.number == item.number);
    let before = before.map(|before| before.state);
    let said = |what: &str| format!("{what} step {}: {}: {}", item.number, item.api, item.what);
    if before == Some(item.state) || item.effect == Effect::None {
        return None;
    }
    match item.state {
        PlanState::Waiting => Some(normal(
            "Held",
            "Hold",
            format!("{} ({}; hash {})", said("holding"), item.why, item.hash),
        )),
        PlanState::Pending | PlanState::Done
            if before == Some(PlanState::Waiting) && item.why.starts_with("approved") =>
        {
            Some(normal("Approved", "Approve", said("approved")))
        }
        PlanState::Pending => None,
        PlanState::Done => Some(match item.effect {
            Effect::Roll => normal("Rolled", "Roll", said("every pod was replaced by")),
            _ if item.what.contains("certificate of ") => {
                normal("CertificateServed", "Reload", said("every pod serves"))
            }
            _ => normal("Reloaded", "Reload", said("every pod has confirmed")),
        }),
    }
}

fn transition(old: Option<&Condition>, new: Option<&Condition>, action: &str) -> Option<Event> {
    let new = new?;
    let was = |status: &str| old.is_some_and(|old| old.status == status);
    let holds = new.status == "True";
    let other = old.is_none_or(|old| (&old.reason, &old.message) != (&new.reason, &new.message));
    let bad = |condition: &Condition| warning(&condition.reason, action, condition.message.clone());
    match new.type_.as_str() {
        TLS_READY if !holds => other.then(|| bad(new)),
        TLS_READY if new.reason != USABLE => other.then(|| bad(new)),
        TLS_READY => was("False").then(|| normal("TLSReady", action, new.message.clone())),
        // Told when a pod refuses, not while it takes its time.
        CONFIG_ACCEPTED if REFUSALS.contains(&new.reason.as_str()) => other.then(|| bad(new)),
        DATABASE_READY if new.status == "False" => other.then(|| bad(new)),
        DATABASE_READY if holds => {
            was("False").then(|| normal("DatabaseReady", action, new.message.clone()))
        }
        STALLED if holds => other.then(|| bad(new)),
        READY if holds => (!was("True")).then(|| normal("Ready", action, new.message.clone())),
        // While pods come and go that is told by their numbers; a pod that cannot start is told here.
        READY if new.message.starts_with("pod ") => old
            .is_none_or(|old| old.reason != new.reason)
            .then(|| bad(new)),
        _ => None,
    }
}

fn normal(reason: &str, action: &str, note: String) -> Event {
    event(EventType::Normal, reason, action, note)
}

fn warning(reason: &str, action: &str, note: String) -> Event {
    event(EventType::Warning, reason, action, note)
}

fn event(type_: EventType, reason: &str, action: &str, mut note: String) -> Event {
    // The API server takes a kilobyte.
    let end = (0..=1000)
        .rev()
        .find(|end| note.is_char_boundary(*end))
        .unwrap_or(0);
    note.truncate(end.min(note.len()));
    Event {
        type_,
        reason: reason.to_owned(),
        action: action.to_owned(),
        note: Some(note),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use rstest::rstest;

    fn status(type_: &str, status: &str, reason: &str, message: &str) -> ApiServiceStatus {
        ApiServiceStatus {
            conditions: vec![Condition {
                type_: type_.to_owned(),
                status: status.to_owned(),
                reason: reason.to_owned(),
                message: message.to_owned(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            }],
            ..ApiServiceStatus::default()
        }
    }

    type Said<'a> = (&'a str, &'a str, &'a str);

    #[rstest]
    #[case(TLS_READY, None, ("True", USABLE, ""), None)]
    #[case(TLS_READY, Some(("True", USABLE, "")), ("True", "ClientCAExpiring", "a"), Some("ClientCAExpiring"))]
    #[case(TLS_READY, Some(("True", "ClientCAExpiring", "a")), ("True", "ClientCAExpiring", "a"), None)]
    #[case(TLS_READY, Some(("False", "KeyMismatch", "a")), ("True", USABLE, "fine"), Some("TLSReady"))]
    #[case(TLS_READY, None, ("False", "KeyMismatch", "a"), Some("KeyMismatch"))]
    #[case(TLS_READY, Some(("False", "KeyMismatch", "a")), ("False", "KeyMismatch", "a"), None)]
    #[case(TLS_READY, Some(("False", "KeyMismatch", "a")), ("False", "KeyMismatch", "b"), Some("KeyMismatch"))]
    #[case(STALLED, Some(("False", "", "")), ("True", "NameTaken", "a"), Some("NameTaken"))]
    #[case(STALLED, Some(("True", "NameTaken", "a")), ("False", "", ""), None)]
    #[case(READY, None, ("False", "RollingOut", "Deployment a: 1 of 2"), None)]
    #[case(READY, None, ("False", "CrashLoopBackOff", "pod a is"), Some("CrashLoopBackOff"))]
    #[case(READY, Some(("False", "CrashLoopBackOff", "pod a is")), ("False", "CrashLoopBackOff", "pod b is"), None)]
    #[case(READY, Some(("False", "RollingOut", "")), ("True", "Serving", ""), Some("Ready"))]
    #[case(READY, Some(("True", "Serving", "")), ("True", "CertificateExpired", ""), None)]
    fn one_event_for_each_transition(
        #[case] type_: &str,
        #[case] old: Option<Said<'_>>,
        #[case] new: Said<'_>,
        #[case] expected: Option<&str>,
    ) {
        let of = |(is, reason, message): Said<'_>| status(type_, is, reason, message);
        let events = events(old.map(of).as_ref(), &of(new), &Report::default());
        let reasons: Vec<&str> = events.iter().map(|event| event.reason.as_str()).collect();
        assert_eq!(reasons, expected.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn notes_fit_the_api_server() {
        let note = "ü".repeat(1000);
        let event = normal("Pruned", "Prune", note);
        assert_eq!(event.note.map(|note| note.len()), Some(1000));
    }
}
