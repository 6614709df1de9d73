//! What an API server holds, and what each verb does to it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt, Full};
use kilonova_operator::permissions;
use serde_json::{Value, json};

use super::address::Address;
use super::faults::Faults;
use super::history::{self, History};
use super::kinds::Kinds;
use super::owners;
use super::{Answer, Asked};

#[derive(Default)]
pub struct State {
    pub objects: BTreeMap<String, Value>,
    pub asked: Vec<Asked>,
    pub created: BTreeSet<(String, String)>,
    pub events: Vec<String>,
    pub ambush: Option<(String, Value)>,
    pub refused: Option<String>,
    pub leaving: bool,
    pub kinds: Kinds,
    pub versions: u64,
    pub history: History,
    pub faults: Faults,
}

impl State {
    pub fn handle(
        &mut self,
        verb: &'static str,
        address: &Address,
        query: &BTreeMap<String, String>,
        body: Value,
    ) -> Answer {
        let resource = address.with_subresource();
        self.ask(verb, address);
        if !permissions::allows(&address.group, &resource, verb) {
            let message = format!("nobody may {verb} {resource}");
            return whole(failure(403, "Forbidden", &message));
        }
        if verb == "watch" {
            return self.history.watch(address, query);
        }
        if verb == "patch" {
            self.spring(address);
        }
        whole(match verb {
            "patch" | "create" if self.refused.as_ref() == Some(&address.resource) => {
                failure(422, "Invalid", "spec: Invalid value")
            }
            "patch" | "create" if self.leaving && self.find(address).0 == 404 => {
                let mut refusal = failure(403, "Forbidden", "the namespace is being terminated");
                refusal.1["details"] = json!({"causes": [{"reason": "NamespaceTerminating"}]});
                refusal
            }
            "get" => self.find(address),
            "list" => (200, self.list(address, query)),
            // A further Event of a series is a patch.
            "create" | "patch" if address.resource == "events" => {
                let text = |field: &str| body[field].as_str().unwrap_or_default();
                let told = format!("{} {}: {}", text("type"), text("reason"), text("note"));
                self.events.push(told);
                (201, body)
            }
            "create" => self.create(address, body),
            "update" => self.update(address, body),
            "delete" => self.delete(address, &body),
            _ if query.contains_key("fieldManager") => {
                self.apply(address, &body, &query["fieldManager"])
            }
            _ => self.merge(address, &body),
        })
    }

    fn ask(&mut self, verb: &'static str, address: &Address) {
        self.asked.push(Asked {
            group: address.group.clone(),
            resource: address.with_subresource(),
            verb,
            name: address.name.clone().unwrap_or_default(),
        });
    }

    /// What is published of the schema of `ApiService`s.
    pub fn schema(&mut self) -> (u16, Value) {
        let mut schema = kilonova_operator::definition::schema();
        schema["x-kubernetes-group-version-kind"] =
            json!([{"group": "kilonova.dev", "version": "v1alpha1", "kind": "ApiService"}]);
        if let Some(field) = &self.faults.lacking {
            schema["properties"]["spec"]["properties"]
                .as_object_mut()
                .unwrap()
                .remove(field);
        }
        (200, json!({"components": {"schemas": {"ours": schema}}}))
    }

    fn next_version(&mut self) -> String {
        self.versions += 1;
        (100 + self.versions).to_string()
    }

    /// An object is as it is from now on.
    pub fn store(&mut self, path: &str, mut object: Value) -> Value {
        object["metadata"]["resourceVersion"] = self.next_version().into();
        let before = self.objects.insert(path.to_owned(), object.clone());
        let what = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        self.history.tell(100 + self.versions, what, path, &object);
        object
    }

    pub fn take(&mut self, path: &str) {
        if let Some(mut object) = self.objects.remove(path) {
            object["metadata"]["resourceVersion"] = self.next_version().into();
            self.history
                .tell(100 + self.versions, "DELETED", path, &object);
        }
    }

    fn create(&mut self, address: &Address, mut object: Value) -> (u16, Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let path = format!("{}/{name}", address.collection);
        if self.objects.contains_key(&path) {
            return failure(409, "AlreadyExists", "there is one");
        }
        object["metadata"]["uid"] = format!("uid-of-{path}").into();
        (201, self.store(&path, object))
    }

    fn update(&mut self, address: &Address, object: Value) -> (u16, Value) {
        let held = &self.find(address).1["metadata"]["resourceVersion"];
        if object["metadata"]["resourceVersion"] != *held {
            return failure(409, "Conflict", "the object has been modified");
        }
        (200, self.store(&address.path(), object))
    }

    fn spring(&mut self, address: &Address) {
        let meant = |(collection, object): &mut (String, Value)| {
            *collection == address.collection && object["metadata"]["name"] == json!(address.name)
        };
        if let Some((_, object)) = self.ambush.take_if(meant) {
            self.store(&address.path(), object);
        }
    }

    fn find(&self, address: &Address) -> (u16, Value) {
        match self.objects.get(&address.path()) {
            Some(object) => (200, object.clone()),
            None => failure(404, "NotFound", "there is no such object"),
        }
    }

    fn list(&self, address: &Address, query: &BTreeMap<String, String>) -> Value {
        let selector = query.get("labelSelector").map_or("", String::as_str);
        let prefix = format!("{}/", address.collection);
        let objects = self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, object)| object);
        let chosen: Vec<_> = objects
            .filter(|object| history::chooses(selector, object))
            .collect();
        let version = (100 + self.versions).to_string();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": chosen})
    }

    fn delete(&mut self, address: &Address, how: &Value) -> (u16, Value) {
        let uid = &how["preconditions"]["uid"];
        match self.objects.get(&address.path()) {
            None => failure(404, "NotFound", "there is no such object"),
            Some(object) if !uid.is_null() && object["metadata"]["uid"] != *uid => {
                failure(409, "Conflict", "the uid is another one")
            }
            Some(_) => {
                self.take(&address.path());
                (
                    200,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}),
                )
            }
        }
    }

    /// Server-side apply with two managers, as far as the operator relies on it.
    fn apply(&mut self, address: &Address, body: &Value, manager: &str) -> (u16, Value) {
        let existing = self.objects.get(&address.path()).cloned();
        let asked = &body["metadata"];
        let held = existing.as_ref().map(|object| &object["metadata"]);
        let differs = |field: &str| {
            !asked[field].is_null() && held.is_none_or(|held| held[field] != asked[field])
        };
        if differs("uid") || (existing.is_some() && differs("resourceVersion")) {
            return failure(409, "Conflict", "the object has been modified");
        }
        let created = existing.is_none();
        if created {
            // An apply that creates needs both verbs.
            let created = (address.group.clone(), address.resource.clone());
            self.created.insert(created);
            if !permissions::allows(&address.group, &address.resource, "create") {
                return failure(403, "Forbidden", "nobody may create this");
            }
        }
        let mut object = existing.clone().unwrap_or_else(|| {
            json!({"metadata": {"name": address.name, "uid": format!("uid-of-{}", address.path()), "generation": 1}})
        });
        if address.subresource.as_deref() == Some("status") {
            object["status"] = body["status"].clone();
        } else if manager == "kilonova-replicas" {
            object["spec"]["replicas"] = body["spec"]["replicas"].clone();
            owners::own(&mut object, manager, true);
        } else {
            let replicas = object["spec"]["replicas"].clone();
            let handed_over = owners::owners(&object).any(|owner| owner == "kilonova-replicas");
            for (key, value) in body.as_object().unwrap() {
                if key != "metadata" && key != "status" {
                    object[key] = value.clone();
                }
            }
            for key in ["labels", "annotations", "ownerReferences", "namespace"] {
                if !asked[key].is_null() {
                    object["metadata"][key] = asked[key].clone();
                }
            }
            if address.resource == "deployments" && object["spec"]["replicas"].is_null() {
                object["spec"]["replicas"] = if handed_over { replicas } else { json!(1) };
            }
            if address.resource == "deployments" {
                owners::own(&mut object, manager, !body["spec"]["replicas"].is_null());
            }
        }
        if existing.as_ref() != Some(&object) {
            let changed = existing.is_some_and(|existing| existing["spec"] != object["spec"]);
            if changed {
                let generation = object["metadata"]["generation"].as_i64().unwrap_or(1);
                object["metadata"]["generation"] = (generation + 1).into();
            }
            object = self.store(&address.path(), object);
        }
        (if created { 201 } else { 200 }, object)
    }

    fn merge(&mut self, address: &Address, body: &Value) -> (u16, Value) {
        let (code, mut object) = self.find(address);
        if code != 200 {
            return (code, object);
        }
        for (key, value) in body["metadata"]["annotations"].as_object().unwrap() {
            object["metadata"]["annotations"][key] = value.clone();
        }
        (200, self.store(&address.path(), object))
    }
}

pub fn whole((code, answer): (u16, Value)) -> Answer {
    let body = Full::new(Bytes::from(serde_json::to_vec(&answer).unwrap()));
    let response = Response::builder().status(code);
    response.body(body.boxed_unsync()).unwrap()
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
    });
    (code, status)
}
