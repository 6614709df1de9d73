//! A small API server in memory: enough of get, list, apply, merge patch, create and delete to reconcile against, and a
//! log of every request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

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
    events: Vec<String>,
    ambush: Option<(String, Value)>,
    refused: Option<String>,
    leaving: bool,
    kinds: BTreeMap<String, Vec<String>>,
    versions: u64,
}

/// The API server.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<State>>);

struct Address {
    group: String,
    collection: String,
    resource: String,
    name: Option<String>,
    subresource: Option<String>,
}

impl ApiServer {
    /// A client of it; lives as long as the test's runtime.
    pub fn client(&self) -> Client {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let server = self.clone();
        tokio::spawn(async move {
            while let Some((request, respond)) = handle.next_request().await {
                respond.send_response(server.answer(request).await);
            }
        });
        Client::new(service, "default")
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
        object["metadata"]["resourceVersion"] = state.next_version().into();
        state.objects.insert(path, object);
    }

    /// Takes an object away.
    pub fn remove(&self, collection: &str, name: &str) {
        self.0
            .lock()
            .unwrap()
            .objects
            .remove(&format!("{collection}/{name}"));
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
        let version = state.next_version();
        let object = state
            .objects
            .get_mut(&format!("{collection}/{name}"))
            .unwrap();
        change(object);
        object["metadata"]["resourceVersion"] = version.into();
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

    /// A definition is installed: `version` is its group and version.
    pub fn install(&self, version: &str, plural: &str) {
        let mut state = self.0.lock().unwrap();
        let kinds = state.kinds.entry(version.to_owned()).or_default();
        kinds.push(plural.to_owned());
    }

    fn kinds(&self, version: &str) -> Response<Body> {
        let state = self.0.lock().unwrap();
        let (code, answer) = match state.kinds.get(version) {
            Some(kinds) => {
                let resources: Vec<Value> = kinds
                    .iter()
                    .map(|plural| json!({"name": plural, "singularName": "", "namespaced": true, "kind": "", "verbs": []}))
                    .collect();
                let list = json!({
                    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources,
                });
                (200, serde_json::to_vec(&list).unwrap())
            }
            // Of a group it does not know the API server says it in plain text.
            None => (404, b"404 page not found\n".to_vec()),
        };
        let body = Body::from(answer);
        Response::builder().status(code).body(body).unwrap()
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

    /// What was written since this was last asked, each as `verb resource name`.
    pub fn writes(&self) -> Vec<String> {
        let writes = self
            .asked()
            .into_iter()
            .filter(|asked| !["get", "list"].contains(&asked.verb));
        writes
            .map(|asked| {
                format!("{} {} {}", asked.verb, asked.resource, asked.name)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
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
        if let Some(version) = discovery(parts.uri.path()) {
            return self.kinds(&version);
        }
        let address = address(parts.uri.path());
        let mut state = self.0.lock().unwrap();
        let verb = match (&parts.method, &address.name) {
            (&Method::GET, Some(_)) => "get",
            (&Method::GET, None) => "list",
            (&Method::POST, _) => "create",
            (&Method::DELETE, _) => "delete",
            _ => "patch",
        };
        let resource = match &address.subresource {
            Some(subresource) => format!("{}/{subresource}", address.resource),
            None => address.resource.clone(),
        };
        state.asked.push(Asked {
            group: address.group.clone(),
            resource,
            verb,
            name: address.name.clone().unwrap_or_default(),
        });
        if verb == "patch" {
            state.spring(&address);
        }
        let (code, answer) = match verb {
            "patch" | "create" if state.refused.as_ref() == Some(&address.resource) => {
                failure(422, "Invalid", "spec: Invalid value")
            }
            "patch" | "create" if state.leaving && state.find(&address).0 == 404 => {
                let mut refusal = failure(403, "Forbidden", "the namespace is being terminated");
                refusal.1["details"] = json!({"causes": [{"reason": "NamespaceTerminating"}]});
                refusal
            }
            "get" => state.find(&address),
            "list" => (200, state.list(&address, query.get("labelSelector"))),
            // A further Event of a series is a patch.
            "create" | "patch" if address.resource == "events" => {
                let text = |field: &str| body[field].as_str().unwrap_or_default();
                let told = format!("{} {}: {}", text("type"), text("reason"), text("note"));
                state.events.push(told);
                (201, body)
            }
            "create" => failure(405, "MethodNotAllowed", "only Events are created by POST"),
            "delete" => state.delete(&address, &body),
            _ if query.contains_key("fieldManager") => {
                state.apply(&address, &body, &query["fieldManager"])
            }
            _ => state.merge(&address, &body),
        };
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        Response::builder().status(code).body(body).unwrap()
    }
}

impl State {
    fn next_version(&mut self) -> String {
        self.versions += 1;
        (100 + self.versions).to_string()
    }

    fn spring(&mut self, address: &Address) {
        let meant = |(collection, object): &mut (String, Value)| {
            *collection == address.collection && object["metadata"]["name"] == json!(address.name)
        };
        if let Some((_, object)) = self.ambush.take_if(meant) {
            self.objects.insert(address.path(), object);
        }
    }

    fn find(&self, address: &Address) -> (u16, Value) {
        match self.objects.get(&address.path()) {
            Some(object) => (200, object.clone()),
            None => failure(404, "NotFound", "there is no such object"),
        }
    }

    fn list(&self, address: &Address, selector: Option<&String>) -> Value {
        let wanted: Vec<(&str, &str)> = selector
            .iter()
            .flat_map(|s| s.split(','))
            .filter_map(|s| s.split_once('='))
            .collect();
        let prefix = format!("{}/", address.collection);
        let objects = self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, object)| object);
        let chosen = objects.filter(|object| {
            let labels = &object["metadata"]["labels"];
            wanted.iter().all(|(key, value)| labels[key] == *value)
        });
        json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": chosen.collect::<Vec<_>>()})
    }

    fn delete(&mut self, address: &Address, how: &Value) -> (u16, Value) {
        let uid = &how["preconditions"]["uid"];
        match self.objects.get(&address.path()) {
            None => failure(404, "NotFound", "there is no such object"),
            Some(object) if !uid.is_null() && object["metadata"]["uid"] != *uid => {
                failure(409, "Conflict", "the uid is another one")
            }
            Some(_) => {
                self.objects.remove(&address.path());
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
        let mut object = existing.clone().unwrap_or_else(|| {
            json!({"metadata": {"name": address.name, "uid": format!("uid-of-{}", address.path()), "generation": 1}})
        });
        if address.subresource.as_deref() == Some("status") {
            object["status"] = body["status"].clone();
        } else if manager == "kilonova-replicas" {
            object["spec"]["replicas"] = body["spec"]["replicas"].clone();
            own_replicas(&mut object, manager, true);
        } else {
            let replicas = object["spec"]["replicas"].clone();
            let handed_over = owners(&object).any(|owner| owner == "kilonova-replicas");
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
                own_replicas(&mut object, manager, !body["spec"]["replicas"].is_null());
            }
        }
        if existing.as_ref() != Some(&object) {
            let changed = existing.is_some_and(|existing| existing["spec"] != object["spec"]);
            if changed {
                let generation = object["metadata"]["generation"].as_i64().unwrap_or(1);
                object["metadata"]["generation"] = (generation + 1).into();
            }
            object["metadata"]["resourceVersion"] = self.next_version().into();
            self.objects.insert(address.path(), object.clone());
        }
        (if created { 201 } else { 200 }, object)
    }

    fn merge(&mut self, address: &Address, body: &Value) -> (u16, Value) {
        let version = self.next_version();
        let Some(object) = self.objects.get_mut(&address.path()) else {
            return failure(404, "NotFound", "there is no such object");
        };
        for (key, value) in body["metadata"]["annotations"].as_object().unwrap() {
            object["metadata"]["annotations"][key] = value.clone();
        }
        object["metadata"]["resourceVersion"] = version.into();
        (200, object.clone())
    }
}

impl Address {
    fn path(&self) -> String {
        format!(
            "{}/{}",
            self.collection,
            self.name.as_deref().unwrap_or_default()
        )
    }
}

/// Who owns the number of pods.
fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["manager"].as_str())
}

/// `manager` owns the number of pods, or does not.
fn own_replicas(object: &mut Value, manager: &str, owns: bool) {
    let mut owners: Vec<String> = owners(object).map(str::to_owned).collect();
    owners.retain(|owner| owner != manager);
    if owns {
        owners.push(manager.to_owned());
    }
    let entries: Vec<Value> = owners
        .iter()
        .map(|owner| {
            json!({
                "manager": owner, "operation": "Apply", "apiVersion": "apps/v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}},
            })
        })
        .collect();
    object["metadata"]["managedFields"] = json!(entries);
}

/// `GROUP/VERSION` of `/apis/GROUP/VERSION`.
fn discovery(path: &str) -> Option<String> {
    let version = path.strip_prefix("/apis/")?;
    (version.matches('/').count() == 1).then(|| version.to_owned())
}

/// `/api/v1/namespaces/NS/RESOURCE/NAME/SUBRESOURCE`, or the same with `/apis/GROUP/VERSION`.
fn address(path: &str) -> Address {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (group, rest) = match parts[0] {
        "api" => ("", &parts[2..]),
        _ => (parts[1], &parts[3..]),
    };
    assert_eq!(rest[0], "namespaces", "{path}");
    Address {
        group: group.to_owned(),
        collection: rest[2].to_owned(),
        resource: rest[2].to_owned(),
        name: rest.get(3).map(|&name| name.to_owned()),
        subresource: rest.get(4).map(|&name| name.to_owned()),
    }
}

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
    });
    (code, status)
}

fn decoded(text: &str) -> String {
    text.replace("%3D", "=")
        .replace("%2C", ",")
        .replace("%2F", "/")
        .replace('+', " ")
}
