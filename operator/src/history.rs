//! What a Deployment was given last, kept so that it can be given the same again.
//!
//! A new release of the operator may render pods otherwise, and cannot render what the old one did. A record is a
//! `ControllerRevision` named by its content; the Deployment names the record its template came from.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kilonova_config::COLD_FILE;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{ApiService, ApiServiceSpec};
use crate::desired::Workload;
use crate::names::RECORD_ANNOTATION;
use crate::observed::{self, Held};
use crate::{Error, hash, verdict};

/// The template and the settings a Deployment was given, and what had been asked for.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Image of the release that rendered it.
    pub release: String,
    /// The spec it was rendered from; null if nobody knows.
    pub spec: Value,
    /// The template of the pods.
    pub template: PodTemplateSpec,
    /// Name of the `ConfigMap` with the cold settings.
    pub cold_name: String,
    /// The cold settings.
    pub cold: String,
}

impl Record {
    /// What `workload` would be given for `spec`.
    pub fn of(release: &str, spec: &ApiServiceSpec, workload: &Workload) -> Result<Self, Error> {
        Ok(Self {
            release: release.to_owned(),
            spec: serde_json::to_value(spec)?,
            template: template(&workload.deployment),
            cold_name: workload.cold.name_any(),
            cold: text(&workload.cold, COLD_FILE),
        })
    }

    /// The spec it was rendered from, if it can still be understood.
    pub fn asked(&self) -> Option<ApiServiceSpec> {
        serde_json::from_value(self.spec.clone()).ok()
    }

    /// The object that keeps it, beside those that are there.
    pub fn object(
        &self,
        workload: &Workload,
        there: &Held<ControllerRevision>,
    ) -> Result<ControllerRevision, Error> {
        let name = format!("{}-{}", workload.name, hash::of(self)?);
        let newest = there.values().map(|object| object.revision).max();
        let held = there.get(&name).map(|object| object.revision);
        let mut metadata = workload.deployment.metadata.clone();
        metadata.annotations = None;
        metadata.name = Some(name);
        Ok(ControllerRevision {
            metadata,
            revision: held.unwrap_or_else(|| newest.unwrap_or(0) + 1),
            data: Some(RawExtension(serde_json::to_value(self)?)),
        })
    }

    /// What is kept in `object`.
    fn kept(object: &ControllerRevision) -> Option<Self> {
        serde_json::from_value(object.data.as_ref()?.0.clone()).ok()
    }
}

/// What a running Deployment was given last: its record, or, if that is lost, what can be seen of it.
pub fn of(
    running: &Deployment,
    records: &Held<ControllerRevision>,
    maps: &Held<ConfigMap>,
) -> Option<Record> {
    let named = running.annotations().get(RECORD_ANNOTATION);
    let record = named
        .and_then(|name| records.get(name))
        .and_then(Record::kept);
    record.or_else(|| seen(running, maps))
}

fn seen(running: &Deployment, maps: &Held<ConfigMap>) -> Option<Record> {
    let template = observed::template(running)?;
    let mounted = observed::config_maps(template);
    let cold = mounted.iter().filter_map(|name| maps.get(name));
    let cold = cold
        .into_iter()
        .find(|map| !text(map, COLD_FILE).is_empty())?;
    Some(Record {
        release: String::new(),
        spec: Value::Null,
        template: template.clone(),
        cold_name: cold.name_any(),
        cold: text(cold, COLD_FILE),
    })
}

/// Names of the Secrets that records' templates may need.
pub fn referenced(service: &ApiService, records: &Held<ControllerRevision>) -> BTreeSet<String> {
    let records = records.values().filter_map(Record::kept);
    records
        .filter_map(|record| record.asked())
        .flat_map(|spec| {
            let mut then = service.clone();
            then.spec = spec;
            verdict::referenced(&then)
        })
        .collect()
}

/// Names of the records that Deployments were given.
pub fn in_use(deployments: &Held<Deployment>) -> BTreeSet<String> {
    let named = deployments
        .values()
        .filter_map(|deployment| deployment.annotations().get(RECORD_ANNOTATION));
    named.cloned().collect()
}

/// Names of the cold `ConfigMap`s that records need.
pub fn maps(records: &Held<ControllerRevision>) -> BTreeSet<String> {
    let records = records.values().filter_map(Record::kept);
    records
        .flat_map(|record| {
            let live = live_name(&record.cold_name);
            [record.cold_name, live]
        })
        .collect()
}

/// Name of the live settings of the pods with these cold ones.
pub fn live_name(cold: &str) -> String {
    format!("{cold}-live")
}

/// A document of a `ConfigMap`; empty if it has none.
pub fn text(map: &ConfigMap, file: &str) -> String {
    let data: Option<&BTreeMap<String, String>> = map.data.as_ref();
    data.and_then(|data| data.get(file).cloned())
        .unwrap_or_default()
}

fn template(deployment: &Deployment) -> PodTemplateSpec {
    observed::template(deployment).cloned().unwrap_or_default()
}
