use rstest::rstest;
use serde_json::json;

use super::*;

fn pod(name: &str) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": name, "uid": name}})).unwrap()
}

// As a case beside those that are not.
#[allow(clippy::unnecessary_wraps)]
fn answer(revision: &str) -> Answer {
    Ok(status(revision))
}

fn status(revision: &str) -> PodStatus {
    let status = json!({
        "version": "1", "state": "Running", "revision": revision, "ignoredSettings": [], "needsRestart": false,
        "apis": [{"name": "metadata", "address": "http://0.0.0.0:8775", "desiredWorkers": 2, "workers": [],
            "workerRestarts": 0}],
    });
    serde_json::from_value(status).unwrap()
}

fn none() -> Answer {
    Err("connection refused".to_owned())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000 + seconds).unwrap()
}

struct Pods {
    running: Vec<Pod>,
    seen: Seen,
    trusted: bool,
}

impl Pods {
    fn new(count: usize) -> Self {
        Self {
            running: (0..count)
                .map(|number| pod(&format!("p{number}")))
                .collect(),
            seen: Seen::default(),
            trusted: false,
        }
    }

    fn judge(&mut self, revision: &str, answers: Vec<Answer>, now: i64) -> Confirmation {
        let answers: Vec<_> = self.running.iter().zip(answers).collect();
        let expected = Some(Expected {
            revision: revision.to_owned(),
            ..Expected::default()
        });
        judge(
            "a",
            expected,
            &answers,
            self.trusted,
            &mut self.seen,
            at(now),
        )
    }
}

#[test]
fn every_pod_must_say_so_and_then_may_be_silent() {
    let mut pods = Pods::new(2);
    let found = pods.judge("new", vec![answer("new"), answer("old")], 0);
    assert_eq!((found.confirmed, found.is_settled()), (1, false));
    assert_eq!(found.outdated, ["p1"]);
    assert_eq!(found.workers["metadata"], 2);
    let found = pods.judge("new", vec![answer("new"), answer("new")], 1);
    assert_eq!((found.confirmed, found.is_settled()), (2, true));
    let found = pods.judge("new", vec![none(), none()], 500);
    assert_eq!((found.confirmed, found.is_settled()), (2, true));
    assert!(found.refresh.is_empty());
    // Another revision must be confirmed anew.
    let found = pods.judge("newer", vec![none(), none()], 501);
    assert_eq!((found.confirmed, found.is_settled()), (0, false));
}

#[rstest]
#[case(89, answer("old"), false, false)]
#[case(90, answer("old"), false, true)]
#[case(90, none(), false, false)] // nobody knows what it runs
#[case(149, answer("old"), true, false)]
#[case(150, answer("old"), true, true)]
fn only_a_pod_that_answered_is_ever_overdue(
    #[case] now: i64,
    #[case] said: Answer,
    #[case] slow: bool,
    #[case] expected: bool,
) {
    let mut pods = Pods::new(1);
    pods.judge("new", vec![answer("old")], 0);
    if slow {
        pods.seen.slow("a");
    }
    let found = pods.judge("new", vec![said.clone()], now);
    assert_eq!((found.overdue, found.became_overdue), (expected, expected));
    assert_eq!(pods.seen.overdue("a").is_some(), expected);
    let found = pods.judge("new", vec![said], now);
    assert_eq!((found.overdue, found.became_overdue), (expected, false));
}

#[test]
fn a_pod_that_began_later_has_its_own_time() {
    let mut pods = Pods::new(1);
    pods.judge("new", vec![answer("old")], 0);
    let began =
        json!({"metadata": {"name": "p0", "uid": "b", "creationTimestamp": at(60).to_string()}});
    pods.running = vec![serde_json::from_value(began).unwrap()];
    assert!(!pods.judge("new", vec![answer("old")], 100).overdue);
    assert!(pods.judge("new", vec![answer("old")], 150).overdue);
}

#[test]
fn a_pod_that_is_not_ready_is_its_deployments_matter() {
    let mut pods = Pods::new(1);
    let starting = json!({"metadata": {"name": "p0"}, "status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    pods.running = vec![serde_json::from_value(starting).unwrap()];
    let found = pods.judge("new", vec![none()], 0);
    assert_eq!((found.unreachable.len(), found.confirmed), (0, 0));
    assert!(found.refresh.is_empty());
}

#[test]
fn pods_are_annotated_less_and_less_often_until_they_confirm() {
    let mut pods = Pods::new(1);
    let annotated: Vec<i64> = (0..200)
        .filter(|now| {
            let found = pods.judge("new", vec![answer("old")], *now);
            !found.refresh.is_empty()
        })
        .collect();
    // From the deadline on they are replaced instead.
    assert_eq!(annotated, [0, 1, 3, 7, 15, 31, 61]);
    assert!(
        pods.judge("new", vec![answer("new")], 200)
            .refresh
            .is_empty()
    );
}

#[test]
fn what_cannot_be_asked_is_waited_for_until_the_deadline_and_annotated_no_longer() {
    let mut pods = Pods::new(1);
    let found = pods.judge("new", vec![none()], 0);
    assert_eq!(found.unreachable, ["p0"]);
    assert!(!found.is_settled() && !found.refresh.is_empty());
    let found = pods.judge("new", vec![none()], 90);
    assert!(found.is_settled() && found.refresh.is_empty() && !found.overdue);
    assert_eq!(found.unreachable, ["p0"]);
}

#[test]
fn what_was_confirmed_before_the_operator_started_anew_is_believed_until_a_pod_says_otherwise() {
    let mut pods = Pods::new(2);
    pods.trusted = true;
    let found = pods.judge("new", vec![none(), none()], 0);
    assert_eq!((found.confirmed, found.refresh.len()), (2, 0));
    let found = pods.judge("new", vec![answer("old"), none()], 1);
    assert_eq!(found.outdated, ["p0"]);
}

#[test]
fn the_worst_of_all_pods_is_told() {
    let with = |reachable: bool, failing: Option<&str>| {
        let mut said = status("new");
        said.database = Some(DatabaseStatus {
            reachable,
            error: (!reachable).then(|| "refused".to_owned()),
            schema: None,
        });
        said.apis[0].failing = failing.map(str::to_owned);
        Ok(said)
    };
    let mut pods = Pods::new(3);
    let answers = vec![
        with(true, None),
        with(false, Some("exit status 1")),
        with(true, None),
    ];
    let found = pods.judge("new", answers, 0);
    assert!(!found.database.unwrap().reachable);
    assert_eq!(
        found.failing.as_deref(),
        Some("pod p1: the workers of metadata do not stay alive: exit status 1")
    );
}
