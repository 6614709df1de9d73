//! What differs between what was given to pods and what they are to be given, in words.

use std::collections::BTreeSet;

use kilonova_config::{COLD_FILE, HOT_FILE};
use serde_json::Value;

use crate::Error;
use crate::desired::Workload;
use crate::history::{self, Record};
use crate::names::{CONTAINER, DEADLINE_ANNOTATION, RESTART_ANNOTATION, SETTINGS_ANNOTATION};

/// So many differences are named.
const NAMED: usize = 6;
/// Longer values are not shown.
const SHOWN: usize = 80;

/// A place where two documents differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, with the names of list entries.
    pub path: Vec<String>,
    /// What was there.
    pub from: Option<Value>,
    /// What is there then.
    pub to: Option<Value>,
}

/// Every place where two documents differ. Lists of named entries are compared by name, other lists as a whole.
pub fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), Some(from), Some(to), &mut found);
    found
}

/// What a workload's pods would be replaced for.
pub fn of_pods(record: &Record, workload: &Workload) -> Result<String, Error> {
    let from = serde_json::to_value(&record.template)?;
    let spec = workload.deployment.spec.as_ref();
    let to = serde_json::to_value(spec.map(|spec| &spec.template))?;
    let of_template = differences(&from, &to);
    let settings = |text: &str| serde_yaml::from_str::<Value>(text).unwrap_or_default();
    let of_settings = differences(
        &settings(&record.cold),
        &settings(&history::text(&workload.cold, COLD_FILE)),
    );
    let words = of_template.iter().filter_map(pod_words);
    Ok(listed(words.chain(of_settings.iter().map(words_of))))
}

/// What running pods would take over, of two live documents.
pub fn of_settings(from: &str, to: &str) -> String {
    let document = |text: &str| serde_yaml::from_str::<Value>(text).unwrap_or_default();
    let found = differences(&document(from), &document(to));
    // The nonce is nobody's setting, and is not to be shown.
    let found = found.iter().filter(|one| one.path != ["nonce"]);
    let words = listed(found.map(words_of));
    match words.as_str() {
        "" if from != to => format!("{HOT_FILE} is read again"),
        _ => words,
    }
}

/// Whether `held` has everything `wanted` has; what the API server adds does not count.
pub fn covers(held: &Value, wanted: &Value) -> bool {
    match (held, wanted) {
        (Value::Object(held), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| held.get(key).is_some_and(|held| covers(held, wanted))),
        (Value::Array(held), Value::Array(wanted)) => {
            held.len() == wanted.len()
                && held
                    .iter()
                    .zip(wanted)
                    .all(|(held, wanted)| covers(held, wanted))
        }
        (held, wanted) => held == wanted,
    }
}

fn compare(
    path: &mut Vec<String>,
    from: Option<&Value>,
    to: Option<&Value>,
    found: &mut Vec<Difference>,
) {
    if from == to {
        return;
    }
    let (before, after) = (from.and_then(entries), to.and_then(entries));
    let (Some(before), Some(after)) = (before, after) else {
        found.push(Difference {
            path: path.clone(),
            from: from.cloned(),
            to: to.cloned(),
        });
        return;
    };
    let mut keys: Vec<&str> = before.iter().map(|(key, _)| *key).collect();
    keys.extend(after.iter().map(|(key, _)| *key));
    let mut seen = BTreeSet::new();
    for key in keys.into_iter().filter(|key| seen.insert(*key)) {
        let at = |entries: &[(&str, _)]| {
            let entry = entries.iter().find(|(name, _)| *name == key);
            entry.map(|(_, value)| *value)
        };
        path.push(key.to_owned());
        compare(path, at(&before), at(&after), found);
        path.pop();
    }
}

/// The entries of an object, or of a list whose entries have names.
fn entries(value: &Value) -> Option<Vec<(&str, &Value)>> {
    match value {
        Value::Object(object) => Some(
            object
                .iter()
                .map(|(key, value)| (key.as_str(), value))
                .collect(),
        ),
        Value::Array(list) => list
            .iter()
            .map(|entry| Some((entry.get("name")?.as_str()?, entry)))
            .collect(),
        _ => None,
    }
}

fn pod_words(difference: &Difference) -> Option<String> {
    let path: Vec<&str> = difference.path.iter().map(String::as_str).collect();
    Some(match path.as_slice() {
        ["metadata", "annotations", RESTART_ANNOTATION] => format!("{RESTART_ANNOTATION} changed"),
        // Their own contents are named by the settings.
        ["spec", "volumes", "config", ..]
        | [
            "metadata",
            "annotations",
            DEADLINE_ANNOTATION | SETTINGS_ANNOTATION,
        ] => {
            return None;
        }
        ["metadata", ..] => "labels or annotations of the pods".to_owned(),
        ["spec", "volumes", ..] | ["spec", "containers", CONTAINER, "volumeMounts", ..] => {
            "mounts".to_owned()
        }
        ["spec", "containers", CONTAINER, "ports", ..] => "ports".to_owned(),
        ["spec", "containers", CONTAINER, "resources", ..] => "resources".to_owned(),
        ["spec", "containers", CONTAINER, "env", ..] => "environment".to_owned(),
        ["spec", "containers", CONTAINER, probe, ..] if probe.ends_with("Probe") => {
            "probes".to_owned()
        }
        ["spec", "containers", CONTAINER, "image"] => changed("image", difference),
        ["spec", "terminationGracePeriodSeconds"] => changed("grace period", difference),
        [_, rest @ ..] => rest.join("."),
        [] => "the whole template".to_owned(),
    })
}

fn words_of(difference: &Difference) -> String {
    let path = difference.path.join(".");
    changed(path.strip_prefix("apis.").unwrap_or(&path), difference)
}

fn changed(what: &str, difference: &Difference) -> String {
    let shown = |value: &Value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return None,
        };
        (text.len() <= SHOWN).then_some(text)
    };
    match (&difference.from, &difference.to) {
        (Some(from), Some(to)) => match (shown(from), shown(to)) {
            (Some(from), Some(to)) => format!("{what} {from} → {to}"),
            _ => what.to_owned(),
        },
        (None, Some(_)) => format!("{what} added"),
        (_, None) => format!("{what} removed"),
    }
}

fn listed(words: impl Iterator<Item = String>) -> String {
    let mut seen = BTreeSet::new();
    let words: Vec<String> = words.filter(|word| seen.insert(word.clone())).collect();
    let more = words.len().saturating_sub(NAMED);
    let mut text = words.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text = format!("{text} and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("a: 1", "a: 2", "a 1 → 2")]
    #[case("a: 1", "{a: 1, b: [x]}", "b added")]
    #[case("{a: 1, b: {c: true}}", "a: 1", "b removed")]
    #[case("nonce: secret", "nonce: other", "live.yaml is read again")]
    #[case("a: 1 # one", "a: 1 # two", "live.yaml is read again")]
    #[case("a: 1", "a: 1", "")]
    #[case(
        "apis: [{name: metadata, workers: 1}, {name: osapi_compute, http: {keepAlive: true}}]",
        "apis: [{name: osapi_compute, http: {keepAlive: false}}, {name: metadata, workers: 2}]",
        "metadata.workers 1 → 2, osapi_compute.http.keepAlive true → false"
    )]
    #[case(
        "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1}",
        "{}",
        "a removed, b removed, c removed, d removed, e removed, f removed and 2 more"
    )]
    fn settings_in_words(#[case] from: &str, #[case] to: &str, #[case] expected: &str) {
        assert_eq!(of_settings(from, to), expected);
    }

    #[rstest]
    #[case(json!({"a": 1, "b": 2}), json!({"a": 1}), true)]
    #[case(json!({"a": 1}), json!({"a": 1, "b": 2}), false)]
    #[case(json!([{"a": 1, "b": 2}]), json!([{"a": 1}]), true)]
    #[case(json!([1, 2]), json!([1]), false)]
    fn what_the_api_server_adds_does_not_count(
        #[case] held: Value,
        #[case] wanted: Value,
        #[case] expected: bool,
    ) {
        assert_eq!(covers(&held, &wanted), expected);
    }
}
