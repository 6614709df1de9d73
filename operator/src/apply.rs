//! Writing: creates what is absent, applies or deletes what is ours, touches nothing else.
//!
//! ```text
//! Desired + Observed ──► decision for each child ──► requests ──► Observed (as answered) + Report
//! ```

pub mod decision;
mod extras;
mod prune;
mod refresh;
mod same;

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use kube::ResourceExt;
use serde_json::json;

pub use decision::{Applied, Decision, Obstacle};
pub use refresh::refresh;

use crate::api::ApiService;
use crate::cluster::{Child, Cluster};
use crate::desired::Workload;
use crate::names::{self, REPLICAS_MANAGER};
use crate::observed::{self, Held, Observed};
use crate::plan::Course;
use crate::verdict::Verdict;
use crate::{Error, hash};

/// What was done, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Deployments and Services that were created.
    pub created: Vec<String>,
    /// Deployments whose pods are replaced.
    pub rolled: Vec<String>,
    /// Deployments whose pods take over new settings.
    pub reloaded: Vec<String>,
    /// Children that were deleted.
    pub pruned: Vec<String>,
    /// What is in the way.
    pub obstacles: Vec<Obstacle>,
    /// Whether anything was written.
    pub wrote: bool,
}

/// Goes the course, as far as the verdicts on the Secrets let it. `observed` is what it was before, and afterwards what
/// it is then.
pub async fn apply(
    cluster: &Cluster,
    service: &ApiService,
    course: &Course,
    verdicts: &[Verdict],
    observed: &mut Observed,
    applied: &mut Applied,
) -> Result<Report, Error> {
    let desired = &course.desired;
    let mut writer = Writer {
        cluster,
        service,
        course,
        observed,
        applied,
        report: Report::default(),
    };
    extras::stop_scaling(&mut writer, desired).await?;
    let mut held = BTreeSet::new();
    for workload in &desired.workloads {
        let waits = |verdict: &Verdict| workload.apis.contains(&verdict.api) && verdict.blocks();
        if verdicts.iter().any(waits) || course.not_yet.contains(&workload.name) {
            let names = workload.apis.iter().map(|api| api.dashed());
            held.extend(names.map(|api| names::child(&service.name_any(), api)));
            writer.hold(workload).await?;
        } else {
            writer.workload(workload).await?;
        }
    }
    for child in &desired.services {
        // A Service that is there goes on describing the pods that are there.
        let name = child.name_any();
        if !(held.contains(&name) && writer.observed.services.contains_key(&name)) {
            writer.place(child).await?;
        }
    }
    extras::place(&mut writer, &desired.extras).await?;
    prune::prune(&mut writer, desired).await?;
    extras::prune(&mut writer, desired).await?;
    Ok(writer.report)
}

/// Kinds the operator makes, and where observed ones are kept.
pub(crate) trait Kept: Child {
    fn held(observed: &mut Observed) -> &mut Held<Self>;
}

impl Kept for Deployment {
    fn held(observed: &mut Observed) -> &mut Held<Self> {
        &mut observed.deployments
    }
}

impl Kept for ControllerRevision {
    fn held(observed: &mut Observed) -> &mut Held<Self> {
        &mut observed.revisions
    }
}

impl Kept for Service {
    fn held(observed: &mut Observed) -> &mut Held<Self> {
        &mut observed.services
    }
}

impl Kept for ConfigMap {
    fn held(observed: &mut Observed) -> &mut Held<Self> {
        &mut observed.config_maps
    }
}

impl Kept for ServiceAccount {
    fn held(observed: &mut Observed) -> &mut Held<Self> {
        &mut observed.accounts
    }
}

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placed {
    Created,
    Changed,
    Same,
    Blocked,
}

struct Writer<'a> {
    cluster: &'a Cluster,
    service: &'a ApiService,
    course: &'a Course,
    observed: &'a mut Observed,
    applied: &'a mut Applied,
    report: Report,
}

impl Writer<'_> {
    /// Places a Deployment and what its pods need, in the order they need it.
    async fn workload(&mut self, workload: &Workload) -> Result<(), Error> {
        let account = self.place(&workload.account).await?;
        let cold = self.place(&workload.cold).await?;
        let live = self.place(&workload.live).await?;
        if live == Placed::Changed {
            self.report.reloaded.push(workload.name.clone());
        }
        // Before the Deployment that names it, so that what a Deployment was given is always known.
        let record = match self.course.records.get(&workload.name) {
            Some(record) => self.place(record).await?,
            None => Placed::Same,
        };
        if [account, cold, live, record].contains(&Placed::Blocked) {
            return Ok(());
        }
        let before = self.observed.deployments.get(&workload.name).cloned();
        if before.is_none() && self.place(&counted(workload)).await? == Placed::Blocked {
            return Ok(());
        }
        self.count(workload).await?;
        self.place(&workload.deployment).await?;
        let after = self.observed.deployments.get(&workload.name);
        if let (Some(before), Some(after)) = (before, after)
            && observed::template(&before) != observed::template(after)
        {
            self.report.rolled.push(workload.name.clone());
        }
        Ok(())
    }

    /// Does what neither creates nor rolls a Deployment whose Secrets cannot be used: its number of pods, and the
    /// settings its running pods take over by themselves.
    async fn hold(&mut self, workload: &Workload) -> Result<(), Error> {
        let Some(running) = self.observed.deployments.get(&workload.name) else {
            return Ok(());
        };
        let maps: Vec<String> = observed::template(running)
            .map(observed::config_maps)
            .unwrap_or_default();
        self.count(workload).await?;
        // Settings the server would refuse do not go where the next pod would start with them.
        if workload.problems.is_empty()
            && maps.contains(&workload.live.name_any())
            && self.place(&workload.live).await? == Placed::Changed
        {
            self.report.reloaded.push(workload.name.clone());
        }
        Ok(())
    }

    /// Creates or applies one child, if it may be.
    async fn place<K: Kept>(&mut self, wanted: &K) -> Result<Placed, Error> {
        let name = wanted.name_any();
        let hash = hash::of(wanted)?;
        let held = K::held(self.observed).get(&name);
        if let Some(held) = held
            && same::is_as_applied(held, wanted, &hash)?
        {
            self.applied.note(held, hash.clone());
        }
        let before = held.and_then(ResourceExt::resource_version);
        let answer = match decision::decide(self.service, held, &hash, self.applied) {
            Decision::Nothing => return Ok(Placed::Same),
            Decision::Blocked(obstacle) => {
                self.report.obstacles.push(obstacle);
                return Ok(Placed::Blocked);
            }
            Decision::Create => self.cluster.create(wanted).await,
            Decision::Apply { uid } => self.cluster.apply(wanted, uid).await,
        };
        self.report.wrote = true;
        let Some(object) = self.accepted(wanted, answer)? else {
            return Ok(Placed::Blocked);
        };
        self.applied.note(&object, hash);
        let placed = match (&before, object.resource_version()) {
            (None, _) => Placed::Created,
            (before, after) if *before == after => Placed::Same,
            _ => Placed::Changed,
        };
        if placed == Placed::Created && ["Deployment", "Service"].contains(&K::kind(&()).as_ref()) {
            self.report.created.push(format!("{} {name}", K::kind(&())));
        }
        K::held(self.observed).insert(name, object);
        Ok(placed)
    }

    /// Sets the number of pods as the second field manager, which owns it alone. It stops when the number is handed
    /// over, and takes on only what the first one would otherwise drop.
    async fn count(&mut self, workload: &Workload) -> Result<(), Error> {
        let Some(deployment) = self.observed.deployments.get(&workload.name) else {
            return Ok(());
        };
        if !observed::is_own(self.service, deployment)
            || deployment.metadata.deletion_timestamp.is_some()
        {
            return Ok(());
        }
        let Some(replicas) = decision::count(workload, deployment) else {
            return Ok(());
        };
        let part = json!({"spec": {"replicas": replicas}});
        let answer = self
            .cluster
            .apply_part(deployment, REPLICAS_MANAGER, part)
            .await;
        self.report.wrote = true;
        if let Some(object) = self.accepted(&workload.deployment, answer)? {
            self.observed
                .deployments
                .insert(workload.name.clone(), object);
        }
        Ok(())
    }

    /// The object as answered; `None`, and an obstacle, if its content was refused.
    fn accepted<K: Child>(
        &mut self,
        wanted: &K,
        answer: Result<K, Error>,
    ) -> Result<Option<K>, Error> {
        let error = match answer {
            Ok(object) => return Ok(Some(object)),
            Err(error) => error,
        };
        if error.is_of_a_leaving_namespace() {
            return Err(error);
        }
        if let Some(refusal) = error.refusal() {
            self.report
                .obstacles
                .push(Obstacle::refused(wanted, refusal));
            return Ok(None);
        }
        Err(error.outrun())
    }
}

/// A Deployment to create: with its number of pods, so that there is never another one. The number is handed to its
/// own field manager right after.
fn counted(workload: &Workload) -> Deployment {
    let mut deployment = workload.deployment.clone();
    deployment
        .spec
        .get_or_insert_with(DeploymentSpec::default)
        .replicas
        .replace(workload.replicas);
    deployment
}
