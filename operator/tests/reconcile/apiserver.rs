//! A small API server in memory: enough of get, list, watch, apply, merge patch, create, update and delete to reconcile
//! against, and a log of every request. What the operator's permissions do not allow is refused.

mod address;
pub mod faults;
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use kilonova_operator::cluster::traffic::Traffic;
use kilonova_operator::lease::gate::Gate;
use kilonova_operator::metrics::Metrics;
use kilonova_operator::permissions;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::{Layer, service_fn};

use self::address::{Address, address, decoded};
use self::faults::Faults;
use self::history::History;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A request as it is told in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Group, empty for the core.
    pub group: String,
    /// Resource, with its subresource.
    pub resource: String,
    /// Verb, as in a role.
    pub verb: &'static str,
    /// Name of the object; empty for lists.
    pub name: String,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    asked: Vec<Asked>,
    created: BTreeSet<(String, String)>,
    events: Vec<String>,
    ambush: Option<(String, Value)>,
    refused: Option<String>,
    leaving: bool,
    versions: u64,
    history: History,
    faults: Faults,
}

/// The API server.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<State>>);

impl ApiServer {
    /// A client of it.
    pub fn client(&self) -> Client {
        self.client_through(Gate::open(), Metrics::new().unwrap())
    }

    /// A client whose writes ask a gate, and whose requests are counted.
    pub fn client_through(&self, gate: Gate, metrics: Metrics) -> Client {
        let server = self.clone();
        let service = service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        Client::new(Traffic { gate, metrics }.layer(service), "default")
    }

    /// Puts an object there, as somebody else would.
    pub fn put(&self, collection: &str, mut object: Value) {
        let mut state = self.0.lock().unwrap();
        let path = format!(
            "{collection}/{}",
            object["metadata"]["name"].as_str().unwrap()
        );
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-of-{path}").into();
        }
        state.store(&path, object);
    }

    /// Takes an object away.
    pub fn remove(&self, collection: &str, name: &str) {
        let mut state = self.0.lock().unwrap();
        state.take(&format!("{collection}/{name}"));
    }

    /// An object as it is.
    pub fn get(&self, collection: &str, name: &str) -> Option<Value> {
        self.0
            .lock()
            .unwrap()
            .objects
            .get(&format!("{collection}/{name}"))
            .cloned()
    }

    /// Names of the objects of a collection.
    pub fn names(&self, collection: &str) -> Vec<String> {
        let state = self.0.lock().unwrap();
        let prefix = format!("{collection}/");
        state
            .objects
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix).map(str::to_owned))
            .collect()
    }

    /// Changes an object, as somebody else would.
    pub fn change(&self, collection: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut state = self.0.lock().unwrap();
        let path = format!("{collection}/{name}");
        let mut object = state.objects[&path].clone();
        change(&mut object);
        state.store(&path, object);
    }

    /// Somebody else is faster: the object is there when the operator is about to write one of its name.
    pub fn ambush(&self, collection: &str, mut object: Value) {
        object["metadata"]["resourceVersion"] = "99".into();
        object["metadata"]["uid"] = "ambush".into();
        self.0.lock().unwrap().ambush = Some((collection.to_owned(), object));
    }

    /// Every write of this resource is refused; of none if absent.
    pub fn refuse(&self, resource: Option<&str>) {
        self.0.lock().unwrap().refused = resource.map(str::to_owned);
    }

    /// The namespace is being deleted: nothing is created in it any more.
    pub fn leave(&self) {
        self.0.lock().unwrap().leaving = true;
    }

    /// The Events that were published since this was last asked, each as `type reason: note`.
    pub fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().events)
    }

    /// What was asked since this was last asked.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }

    /// Groups and resources of what was created by applying.
    pub fn created(&self) -> BTreeSet<(String, String)> {
        self.0.lock().unwrap().created.clone()
    }

    /// What was written since this was last asked, each as `verb resource name`.
    pub fn writes(&self) -> Vec<String> {
        let writes = self
            .asked()
            .into_iter()
            .filter(|asked| !["get", "list", "watch"].contains(&asked.verb))
            .filter(|asked| asked.resource != "leases");
        writes
            .map(|asked| {
                format!("{} {} {}", asked.verb, asked.resource, asked.name)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let fault = self.0.lock().unwrap().faults.next();
        fault.before().await;
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let query: BTreeMap<String, String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), decoded(value)))
            .collect();
        let answer = if parts.uri.path().starts_with("/openapi/") {
            whole(self.0.lock().unwrap().schema())
        } else {
            let address = address(parts.uri.path());
            let verb = match (&parts.method, &address.name) {
                (&Method::GET, Some(_)) => "get",
                (&Method::GET, None) if query.contains_key("watch") => "watch",
                (&Method::GET, None) => "list",
                (&Method::POST, _) => "create",
                (&Method::PUT, _) => "update",
                (&Method::DELETE, _) => "delete",
                _ => "patch",
            };
            let accepts = parts
                .headers
                .get("accept")
                .map(|value| value.to_str().unwrap());
            let partial = accepts.is_some_and(|types| types.contains("PartialObjectMetadata"));
            assert!(
                address.resource != "secrets" || verb == "get" || partial,
                "nobody needs the contents of all Secrets"
            );
            self.0.lock().unwrap().handle(verb, &address, &query, body)
        };
        fault.after().await;
        answer
    }
}

fn whole((code, answer): (u16, Value)) -> Answer {
    let body = Full::new(Bytes::from(serde_json::to_vec(&answer).unwrap()));
    let response = Response::builder().status(code);
    response.body(body.boxed_unsync()).unwrap()
}

impl State {
    fn handle(
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
    fn schema(&mut self) -> (u16, Value) {
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
    fn store(&mut self, path: &str, mut object: Value) -> Value {
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

    fn take(&mut self, path: &str) {
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
            object["metadata"]["managedFields"] = json!([{
                "manager": manager, "operation": "Apply", "apiVersion": "apps/v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}},
            }]);
        } else {
            let replicas = object["spec"]["replicas"].clone();
            let handed_over = !object["metadata"]["managedFields"].is_null();
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

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
    });
    (code, status)
}
