//! The story: look, judge, want, write, answer.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use tracing::{info, warn};

use crate::api::{ApiService, ApiServiceStatus};
use crate::apply::{self, Report};
use crate::cluster::Cluster;
use crate::desired::{Desired, Release, desired};
use crate::events::events;
use crate::memory::{Key, Memory};
use crate::observed::{self, Observed};
use crate::status::{self, Evidence, READY, find};
use crate::tls::{self, Verdict};
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

/// Everything is looked at again after this long.
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
    let Some(service) = cluster.get::<ApiService>(&key.namespace, &key.name).await? else {
        forget(context, key);
        return Ok(Outcome::rest());
    };
    if service.metadata.deletion_timestamp.is_some() {
        return Ok(Outcome::rest());
    }
    context.memory.refers(key, tls::referenced(&service));

    let desired = desired(&service, &context.release)?;
    let mut observed = Box::pin(observed::observe(cluster, &service, &desired)).await?;
    let verdicts = tls::judge(&service, &observed.secrets, now);
    let mut applied = context.memory.take_applied(key);
    let report = apply::apply(
        cluster,
        &service,
        &desired,
        &verdicts,
        &mut observed,
        &mut applied,
    )
    .await;
    context.memory.applied(key, applied);
    let report = match report {
        // It takes the ApiService along: there is nobody left to tell.
        Err(error) if error.is_of_a_leaving_namespace() => return Ok(Outcome::rest()),
        report => report?,
    };
    refresh(
        context, key, &service, &desired, &observed, &verdicts, &report,
    )
    .await?;

    let mut evidence = Evidence {
        service: &service,
        desired: &desired,
        observed: &observed,
        verdicts: &verdicts,
        report: &report,
        pods: &[],
        now,
    };
    let pods = if evidence.is_settled() && was_ready(&service) {
        Vec::new()
    } else {
        observed::pods(cluster, &service).await?
    };
    evidence.pods = &pods;
    let answered = answer(context, &evidence).await?;
    measure(context, key, &verdicts);
    let draining = evidence.lingering() > 0;
    Ok(Outcome {
        changed: answered || report.wrote,
        again: Some(again(&evidence, draining)),
    })
}

/// Writes the status if it says something new, and then tells.
async fn answer(context: &Context, evidence: &Evidence<'_>) -> Result<bool, Error> {
    let (cluster, service) = (&context.cluster, evidence.service);
    let (old, new) = (service.status.as_ref(), status::status(evidence));
    let changed = !status::is_same(old, &new);
    if changed {
        cluster
            .apply_status(service, &new)
            .await
            .map_err(Error::outrun)?;
    }
    for event in events(old, &new, evidence.report) {
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

/// Makes the kubelets of running pods look at what changed in the files they mount.
async fn refresh(
    context: &Context,
    key: &Key,
    service: &ApiService,
    desired: &Desired,
    observed: &Observed,
    verdicts: &[Verdict],
    report: &Report,
) -> Result<(), Error> {
    let changed = context.memory.changed_secrets(key, &observed.secrets);
    for workload in &desired.workloads {
        let usable = verdicts
            .iter()
            .all(|verdict| !workload.apis.contains(&verdict.api) || !verdict.blocks());
        let apis = service
            .spec
            .apis
            .iter()
            .filter(|api| workload.apis.contains(&api.name));
        let secrets: BTreeSet<String> = apis.flat_map(tls::of_api).collect();
        let rotated = usable && !secrets.is_disjoint(&changed);
        if rotated || report.reloaded.contains(&workload.name) {
            let versions = secrets
                .iter()
                .filter_map(|name| observed.secrets.get(name)?.resource_version());
            let token = hash::of(&(&workload.live.data, versions.collect::<Vec<_>>()))?;
            apply::refresh(&context.cluster, service, workload, &token).await?;
        }
    }
    Ok(())
}

fn was_ready(service: &ApiService) -> bool {
    let status: Option<&ApiServiceStatus> = service.status.as_ref();
    find(status, READY).is_some_and(|ready| {
        ready.status == "True" && ready.observed_generation == service.metadata.generation
    })
}

fn again(evidence: &Evidence<'_>, draining: bool) -> Duration {
    let soon = if draining {
        DRAINING
    } else if !evidence.report.obstacles.is_empty() {
        OBSTACLE
    } else if evidence.is_settled() {
        jittered(RESYNC)
    } else {
        UNSETTLED
    };
    tls::holds_for(evidence.verdicts, evidence.now).map_or(soon, |holds| holds.min(soon))
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
