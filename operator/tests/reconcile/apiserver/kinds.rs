//! Kinds an API server may lack.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::Answer;
use super::state::whole;

/// By group and version.
#[derive(Default)]
pub struct Kinds(BTreeMap<String, BTreeSet<String>>);

impl Kinds {
    pub fn install(&mut self, version: &str, plural: &str) {
        let kinds = self.0.entry(version.to_owned()).or_default();
        kinds.insert(plural.to_owned());
    }

    pub fn uninstall(&mut self, version: &str, plural: &str) {
        self.0.get_mut(version).map(|kinds| kinds.remove(plural));
        self.0.retain(|_, kinds| !kinds.is_empty());
    }

    /// What is told of a group and version.
    pub fn told(&self, version: &str) -> Answer {
        let Some(kinds) = self.0.get(version) else {
            // Of a group it does not know the API server says it in plain text.
            let body = Full::new(Bytes::from("404 page not found\n"));
            let response = Response::builder().status(404);
            return response.body(body.boxed_unsync()).unwrap();
        };
        let resource = |plural: &String| json!({"name": plural, "singularName": "", "namespaced": true, "kind": "", "verbs": []});
        let resources: Vec<Value> = kinds.iter().map(resource).collect();
        whole((
            200,
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}),
        ))
    }
}
