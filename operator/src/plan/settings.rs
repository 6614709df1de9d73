//! The live settings of the pods there are, or of those that come.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kilonova_config::{COLD_FILE, HOT_FILE, parse, split, with_hot_of};
use kube::ResourceExt;
use serde_yaml::{Mapping, Value};

use super::Situation;
use crate::Error;
use crate::desired::Workload;
use crate::history::{self, Record};
use crate::names::{self, RELOAD_ANNOTATION};

const RELOAD_LINE: &str = "# reload-at: ";

/// What pods with the cold settings of `record` take over of what is wanted: the rest of it they would not understand.
pub fn for_running(record: &Record, wanted: &Workload) -> Result<String, Error> {
    let document = |name: &str, text: String| (name.to_owned(), text);
    let running = parse(&[document(COLD_FILE, record.cold.clone())])?;
    let wanted = parse(&[
        document(COLD_FILE, history::text(&wanted.cold, COLD_FILE)),
        document(HOT_FILE, history::text(&wanted.live, HOT_FILE)),
    ])?;
    let merged = with_hot_of(&running.config, &wanted.config)?;
    Ok(split(&merged)?.hot)
}

/// The live `ConfigMap` with these settings, the nonce its pods know and the last token that made them read it again.
pub fn complete(
    situation: &Situation<'_>,
    workload: &Workload,
    text: &str,
) -> Result<ConfigMap, Error> {
    let mut live = workload.live.clone();
    let there = situation.observed.config_maps.get(&live.name_any());
    let there = there.map(|map| history::text(map, HOT_FILE));
    let nonce = there
        .as_deref()
        .and_then(nonce)
        .or_else(|| of_sibling(situation, workload))
        .unwrap_or_else(|| situation.nonce.to_owned());
    let mut document: Mapping = serde_yaml::from_str(text).map_err(kilonova_config::Error::from)?;
    document.insert("nonce".into(), nonce.into());
    let text = serde_yaml::to_string(&document).map_err(kilonova_config::Error::from)?;

    let asked = situation.service.annotations().get(RELOAD_ANNOTATION);
    let asked = asked.map(serde_json::to_string).transpose()?;
    let before = there.as_deref().and_then(token).map(str::to_owned);
    let text = match asked.or(before) {
        Some(token) => format!("{RELOAD_LINE}{token}\n{text}"),
        None => text,
    };
    live.data = Some(BTreeMap::from([(HOT_FILE.to_owned(), text)]));
    Ok(live)
}

/// The token in a live document.
pub fn token(text: &str) -> Option<&str> {
    text.lines().next()?.strip_prefix(RELOAD_LINE)
}

fn nonce(text: &str) -> Option<String> {
    let document: Value = serde_yaml::from_str(text).ok()?;
    document.get("nonce")?.as_str().map(str::to_owned)
}

/// One nonce does for all pods of an API.
fn of_sibling(situation: &Situation<'_>, workload: &Workload) -> Option<String> {
    let maps = situation.observed.config_maps.values();
    maps.filter(|map| names::component(map.labels()) == Some(workload.component))
        .find_map(|map| nonce(&history::text(map, HOT_FILE)))
}
