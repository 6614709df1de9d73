//! Whether pods run with what they should: they are asked, and what they answer is judged.
//!
//! ```text
//! Workload + Secrets ──► Expected ─┐
//! Pods ──ask──► Answers ───────────┴─► judge ──► Confirmation (status, refresh, deadline)
//! ```

pub mod ask;
pub mod expected;
pub mod mounted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kilonova_config::status::{ApiStatus, DatabaseStatus, PodStatus};
use kube::ResourceExt;

pub use ask::{Answer, ask};
pub use expected::{Expected, expected};

use crate::api::{ApiService, ApiState};
use crate::apply::refresh;
use crate::cluster::Cluster;
use crate::desired::Workload;
use crate::names::SETTINGS_ANNOTATION;
use crate::plan::Course;
use crate::{Error, hash, names};

/// Pods take over what is mounted within this many seconds when the kubelet can be made to look at once.
pub const DEADLINE_SECONDS: i64 = 90;
/// The same when it looks by itself.
pub const SLOW_DEADLINE_SECONDS: i64 = 150;
/// Pods are annotated again after 1, 2, 4 … seconds, and at the latest after this many.
const LONGEST_BACKOFF_SECONDS: i64 = 30;
/// While something is unconfirmed the pods are asked this often.
pub const ASK_SOON: Duration = Duration::from_secs(1);
/// Otherwise this often.
pub const ASK_LATER: Duration = Duration::from_secs(60);

/// What is remembered of the pods of one resource, by workload. It can be lost: deadlines begin anew then.
#[derive(Clone, Debug, Default)]
pub struct Seen(BTreeMap<String, Watch>);

/// What is remembered of a workload's pods.
#[derive(Clone, Debug)]
struct Watch {
    digest: String,
    since: Timestamp,
    confirmed: BTreeSet<String>,
    refreshes: u32,
    next: Timestamp,
    slow: bool,
    overdue: bool,
}

/// What came of asking the pods of a workload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confirmation {
    /// What they should answer; `None` while nobody knows.
    pub expected: Option<Expected>,
    /// How many were asked.
    pub pods: usize,
    /// How many run with it: they said so, now or before.
    pub confirmed: usize,
    /// How many serve the certificate of each API.
    pub serving: BTreeMap<String, usize>,
    /// The fewest workers a pod has of each API.
    pub workers: BTreeMap<String, u32>,
    /// Pods that answered something else.
    pub outdated: Vec<String>,
    /// Pods that never confirmed it and cannot be asked.
    pub unreachable: Vec<String>,
    /// Names and uids of the pods to be annotated now.
    pub refresh: BTreeSet<String>,
    /// Whether an outdated pod had time enough.
    pub overdue: bool,
    /// Whether that was found just now: what follows from it is decided in the next round.
    pub became_overdue: bool,
    /// Whether the time to wait for pods that cannot be asked is over.
    pub given_up: bool,
    /// Why a pod does not take over its files.
    pub refused: Option<String>,
    /// Why the workers of a pod do not stay alive.
    pub failing: Option<String>,
    /// The database, as the pod sees it that sees it worst.
    pub database: Option<DatabaseStatus>,
}

impl Confirmation {
    /// Whether nothing is left to wait for.
    pub fn is_settled(&self) -> bool {
        self.outdated.is_empty() && (self.unreachable.is_empty() || self.given_up)
    }
}

impl Seen {
    /// What a pod was found not to have taken over in time.
    pub fn overdue(&self, workload: &str) -> Option<&str> {
        let watch = self.0.get(workload)?;
        watch.overdue.then_some(watch.digest.as_str())
    }

    /// Pods may not be annotated: the kubelet takes its time.
    pub fn slow(&mut self, workload: &str) {
        if let Some(watch) = self.0.get_mut(workload) {
            watch.slow = true;
        }
    }

    /// How often the pods of a workload were annotated for what they should confirm.
    pub fn refreshes(&self, workload: &str) -> u32 {
        self.0.get(workload).map_or(0, |watch| watch.refreshes)
    }

    fn watch(&mut self, workload: &str, digest: String, now: Timestamp) -> &mut Watch {
        let old = self.0.remove(workload);
        let slow = old.as_ref().is_some_and(|old| old.slow);
        let kept = old.filter(|old| old.digest == digest);
        let watch = kept.unwrap_or(Watch {
            digest,
            since: now,
            confirmed: BTreeSet::new(),
            refreshes: 0,
            next: now,
            slow,
            overdue: false,
        });
        self.0.entry(workload.to_owned()).or_insert(watch)
    }
}

/// Asks the pods of every workload, judges what they say, and makes the kubelets look that should.
pub async fn pods(
    cluster: &Cluster,
    service: &ApiService,
    course: &Course,
    pods: &[Pod],
    seen: &mut Seen,
    now: Timestamp,
) -> Result<BTreeMap<String, Confirmation>, Error> {
    let mut found = BTreeMap::new();
    for workload in &course.desired.workloads {
        let asked = concerned(workload, pods);
        let answers = ask(&asked).await;
        let answers: Vec<_> = asked.iter().copied().zip(answers).collect();
        let expected = course.expected.get(&workload.name).cloned().flatten();
        let trusted = is_trusted(service, workload, expected.as_ref());
        let judged = judge(&workload.name, expected, &answers, trusted, seen, now);
        if let (Some(expected), false) = (&judged.expected, service.spec.paused) {
            let mut late = asked.clone();
            late.retain(|pod| judged.refresh.contains(&pod.name_any()));
            let token = hash::of(&(expected.digest(), seen.refreshes(&workload.name)))?;
            if refresh(cluster, &late, &token).await {
                seen.slow(&workload.name);
            }
        }
        found.insert(workload.name.clone(), judged);
    }
    Ok(found)
}

/// Whether the status says that every pod of a workload had confirmed what is expected of it.
fn is_trusted(service: &ApiService, workload: &Workload, expected: Option<&Expected>) -> bool {
    let (Some(status), Some(expected)) = (service.status.as_ref(), expected) else {
        return false;
    };
    let all = |count: &str| {
        count
            .split_once('/')
            .is_some_and(|(some, all)| some == all && all != "0")
    };
    let confirmed = |state: &ApiState| {
        let revision = state.revision.as_ref();
        let current =
            revision.is_some_and(|it| it.desired == expected.revision && all(&it.confirmed_by));
        let facts = expected.certificates.get(&state.name);
        let serves = facts.is_none_or(|facts| {
            let tls = state.tls.as_ref();
            tls.is_some_and(|tls| {
                tls.fingerprint == facts.fingerprint && tls.served_by.as_deref().is_some_and(all)
            })
        });
        current && serves
    };
    workload.apis.iter().all(|api| {
        let state = status.apis.iter().find(|state| state.name == api.as_str());
        state.is_some_and(confirmed)
    })
}

/// The pods of a workload that mount its live settings: those that are replaced anyway are not asked.
pub fn concerned<'p>(workload: &Workload, pods: &'p [Pod]) -> Vec<&'p Pod> {
    let live = workload.live.name_any();
    let mounts = |pod: &Pod| pod.annotations().get(SETTINGS_ANNOTATION) == Some(&live);
    let ended = |pod: &Pod| {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    pods.iter()
        .filter(|pod| names::component(pod.labels()) == Some(workload.component))
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && !ended(pod) && mounts(pod))
        .collect()
}

/// Judges what the pods of a workload answered. `trusted`: the status says that all of them had confirmed this.
pub fn judge(
    workload: &str,
    expected: Option<Expected>,
    answers: &[(&Pod, Answer)],
    trusted: bool,
    seen: &mut Seen,
    now: Timestamp,
) -> Confirmation {
    let mut found = Confirmation {
        pods: answers.len(),
        ..Confirmation::default()
    };
    for (pod, answer) in answers {
        if let Ok(status) = answer {
            found.note(&pod.name_any(), status);
        }
    }
    let Some(expected) = expected else {
        return found;
    };
    let watch = seen.watch(workload, expected.digest(), now);
    let deadline = if watch.slow {
        SLOW_DEADLINE_SECONDS
    } else {
        DEADLINE_SECONDS
    };
    let mut late = false;
    for (pod, answer) in answers {
        let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
        match answer {
            Ok(status) => {
                found.served(&expected, status);
                if is_current(&expected, status) {
                    watch.confirmed.insert(uid);
                    found.confirmed += 1;
                } else {
                    watch.confirmed.remove(&uid);
                    found.outdated.push(name);
                    let began = pod.metadata.creation_timestamp.as_ref();
                    let began = began.map_or(watch.since, |began| began.0.max(watch.since));
                    late |= now.as_second() - began.as_second() >= deadline;
                }
            }
            Err(_) if watch.confirmed.contains(&uid) || (trusted && watch.confirmed.is_empty()) => {
                found.confirmed += 1;
                for api in expected.certificates.keys() {
                    *found.serving.entry(api.clone()).or_default() += 1;
                }
            }
            // One that is not ready is waited for all the same: its Deployment is not complete.
            Err(_) if !is_ready(pod) => {}
            Err(_) => found.unreachable.push(name),
        }
    }
    found.overdue = late;
    found.became_overdue = late && !watch.overdue;
    watch.overdue = late;
    let in_time = now.as_second() - watch.since.as_second() < deadline;
    found.given_up = !in_time;
    let waiting: BTreeSet<String> = found
        .outdated
        .iter()
        .chain(&found.unreachable)
        .cloned()
        .collect();
    if !waiting.is_empty() && !late && (in_time || !found.outdated.is_empty()) && now >= watch.next
    {
        let wait = (1_i64 << watch.refreshes.min(5)).min(LONGEST_BACKOFF_SECONDS);
        watch.refreshes += 1;
        watch.next = Timestamp::from_second(now.as_second() + wait).unwrap_or(now);
        found.refresh = waiting;
    }
    found.expected = Some(expected);
    found
}

/// Whether a pod is ready, as far as anybody says so.
fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let mut conditions = status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions.all(|condition| condition.type_ != "Ready" || condition.status == "True")
}

fn is_current(expected: &Expected, status: &PodStatus) -> bool {
    let serves = |name: &String| {
        let api = status.apis.iter().find(|api| api.name == *name);
        api.and_then(|api| api.tls.as_ref())
            .map(|tls| tls.fingerprint.as_str())
    };
    status.revision == expected.revision
        && expected
            .certificates
            .iter()
            .all(|(api, facts)| serves(api) == Some(facts.fingerprint.as_str()))
}

impl Confirmation {
    /// What a pod says of itself, whatever it should say.
    fn note(&mut self, pod: &str, status: &PodStatus) {
        for api in &status.apis {
            let fewest = self.workers.entry(api.name.clone()).or_insert(u32::MAX);
            *fewest = (*fewest).min(api.desired_workers);
            if self.failing.is_none() {
                self.failing = failing(pod, api);
            }
        }
        let refused = status
            .last_reload
            .as_ref()
            .and_then(|reload| reload.error.as_ref());
        if let (None, Some(error)) = (&self.refused, refused) {
            self.refused = Some(format!(
                "pod {pod} does not take over what is mounted: {error}"
            ));
        }
        if let Some(database) = &status.database
            && self
                .database
                .as_ref()
                .is_none_or(|worst| worst.reachable && !database.reachable)
        {
            self.database = Some(database.clone());
        }
    }

    fn served(&mut self, expected: &Expected, status: &PodStatus) {
        for (name, facts) in &expected.certificates {
            let api = status.apis.iter().find(|api| api.name == *name);
            let tls = api.and_then(|api| api.tls.as_ref());
            let serves = tls.is_some_and(|tls| tls.fingerprint == facts.fingerprint);
            *self.serving.entry(name.clone()).or_default() += usize::from(serves);
        }
    }
}

fn failing(pod: &str, api: &ApiStatus) -> Option<String> {
    let reason = api.failing.as_ref()?;
    Some(format!(
        "pod {pod}: the workers of {} do not stay alive: {reason}",
        api.name
    ))
}

#[cfg(test)]
mod tests;
