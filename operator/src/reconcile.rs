//! The story: look, judge, plan, write, ask, answer.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use tracing::{info, warn};

use crate::api::{ApiService, ApiServiceStatus};
use crate::apply::{self, Report};
use crate::cluster::Cluster;
use crate::confirm::{self, ASK_LATER, ASK_SOON};
use crate::desired::{Release, desired};
use crate::events::events;
use crate::memory::{Key, Memory};
use crate::observed::{self, Observed};
use crate::plan::{self, Course, Situation};
use crate::status::{self, Evidence};
use crate::verdict::{self, Verdict};
use crate::{Error, hash};

/// What every reconcile needs.
pub struct Context {
    /// The API server.
    pub cluster: Cluster,
    /// What this release adds to what users write.
    pub release: Release,
    /// What is remembered between two reconciles.
    pub memory: Memory,
}

/// What a reconcile came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether anything was written.
    pub changed: bool,
    /// When to look again, whatever happens.
    pub again: Option<Duration>,
}

impl Outcome {
    /// Nothing more is to be done for what is going.
    fn rest() -> Self {
        Self {
            changed: false,
            again: None,
        }
    }
}

/// Where there is nobody to ask, everything is looked at again after this long.
const RESYNC: Duration = Duration::from_secs(600);
/// What is in the way is looked at again after this long: nothing tells us when a stranger's object goes.
const OBSTACLE: Duration = Duration::from_secs(60);
/// Pods that do not come up are looked at again after this long.
const UNSETTLED: Duration = Duration::from_secs(10);
/// Pods that drain are looked at again after this long.
const DRAINING: Duration = Duration::from_secs(1);

/// Brings the cluster to what the `ApiService` called `key` asks for, and answers in its status.
pub async fn reconcile(context: &Context, key: &Key, now: Timestamp) -> Result<Outcome, Error> {
    let cluster = &context.cluster;
    let Some(mut service) = cluster.get::<ApiService>(&key.namespace, &key.name).await? else {
        forget(context, key);
        return Ok(Outcome::rest());
    };
    if service.metadata.deletion_timestamp.is_some() {
        return Ok(Outcome::rest());
    }
    context.memory.refers(key, verdict::referenced(&service));
    let paused = context.memory.paused(key, service.spec.paused);
    cluster.metrics.paused(paused);

    let wanted = desired(&service, &context.release)?;
    let mut observed = Box::pin(observed::observe(cluster, &service, &wanted)).await?;
    context.memory.refers(key, observed.named(&service));
    let verdicts = verdict::judge(&service, &wanted, &observed.secrets, now);
    let mut seen = context.memory.seen(key);
    let course = plan::course(&Situation {
        service: &service,
        release: &context.release,
        wanted: &wanted,
        observed: &observed,
        verdicts: &verdicts,
        seen: &seen,
        nonce: &hash::random(),
    })?;
    let before = service.status.clone();
    let announced = announce(cluster, &mut service, &course).await?;
    let report = match write(context, key, &service, &course, &verdicts, &mut observed).await {
        // It takes the ApiService along: there is nobody left to tell.
        Err(error) if error.is_of_a_leaving_namespace() => return Ok(Outcome::rest()),
        report => report?,
    };
    let pods = observed::pods(cluster, &service).await?;
    let confirmations = confirm::pods(cluster, &service, &course, &pods, &mut seen, now).await?;
    context.memory.saw(key, seen);

    let evidence = Evidence {
        service: &service,
        course: &course,
        desired: &course.desired,
        observed: &observed,
        verdicts: &verdicts,
        report: &report,
        pods: &pods,
        confirmations: &confirmations,
        now,
    };
    let answered = answer(context, before.as_ref(), &evidence).await?;
    measure(context, key, &verdicts);
    Ok(Outcome {
        changed: announced || answered || report.wrote,
        again: Some(again(&evidence)),
    })
}

/// Says in the status what is about to be done.
async fn announce(
    cluster: &Cluster,
    service: &mut ApiService,
    course: &Course,
) -> Result<bool, Error> {
    let Some(status) = service
        .status
        .as_mut()
        .filter(|status| status.plan != course.plan)
    else {
        return Ok(false);
    };
    status.plan.clone_from(&course.plan);
    let announced = status.clone();
    let written = cluster.apply_status(service, &announced).await;
    written.map_err(Error::outrun)?;
    Ok(true)
}

/// Goes the course, unless nothing may be written.
async fn write(
    context: &Context,
    key: &Key,
    service: &ApiService,
    course: &Course,
    verdicts: &[Verdict],
    observed: &mut Observed,
) -> Result<Report, Error> {
    if service.spec.paused {
        return Ok(Report::default());
    }
    let mut applied = context.memory.take_applied(key);
    let cluster = &context.cluster;
    let report = apply::apply(cluster, service, course, verdicts, observed, &mut applied).await;
    context.memory.applied(key, applied);
    report
}

/// Writes the status if it says something new, and then tells.
async fn answer(
    context: &Context,
    before: Option<&ApiServiceStatus>,
    evidence: &Evidence<'_>,
) -> Result<bool, Error> {
    let (cluster, service) = (&context.cluster, evidence.service);
    let (old, new) = (service.status.as_ref(), status::status(evidence));
    let changed = !status::is_same(old, &new);
    if changed {
        cluster
            .apply_status(service, &new)
            .await
            .map_err(Error::outrun)?;
    }
    for event in events(before, &new, evidence.report) {
        info!(
            namespace = service.namespace(),
            name = service.name_any(),
            reason = event.reason,
            "{}",
            event.note.as_deref().unwrap_or_default()
        );
        if let Err(error) = cluster.publish(&event, service).await {
            warn!(%error, "an Event was lost");
        }
    }
    Ok(changed)
}

fn again(evidence: &Evidence<'_>) -> Duration {
    let soon = if evidence.lingering() > 0 {
        DRAINING
    } else if evidence.is_unconfirmed() {
        ASK_SOON
    } else if !evidence.report.obstacles.is_empty() {
        OBSTACLE
    } else if !evidence.is_settled() {
        UNSETTLED
    } else if evidence.pods.is_empty() {
        jittered(RESYNC)
    } else {
        jittered(ASK_LATER)
    };
    verdict::holds_for(evidence.verdicts, evidence.now).map_or(soon, |holds| holds.min(soon))
}

/// Within a tenth, so that what started together does not stay together.
pub(crate) fn jittered(duration: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(()) % 200).unwrap_or(0);
    duration * (900 + random) / 1000
}

fn measure(context: &Context, key: &Key, verdicts: &[Verdict]) {
    let metrics = &context.cluster.metrics;
    let facts = verdicts
        .iter()
        .filter_map(|verdict| Some((verdict.api, verdict.facts.as_ref()?)));
    let mut certified = BTreeSet::new();
    for (api, facts) in facts {
        metrics.certificate(&key.namespace, &key.name, api.as_str(), facts.not_after);
        certified.insert(api.to_string());
    }
    for api in context.memory.certified(key, certified) {
        metrics.no_certificate(&key.namespace, &key.name, &api);
    }
}

/// Nothing is kept of an `ApiService` that is gone; its children go by their owner references.
pub fn forget(context: &Context, key: &Key) {
    for api in context.memory.forget(key) {
        context
            .cluster
            .metrics
            .no_certificate(&key.namespace, &key.name, &api);
    }
}
