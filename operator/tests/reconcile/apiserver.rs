//! A small API server in memory: enough of get, list, watch, apply, merge patch, create, update and delete to reconcile
//! against, and a log of every request. What the operator's permissions do not allow is refused.

mod address;
pub mod faults;
mod history;
mod kinds;
mod owners;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use kilonova_operator::cluster::traffic::Traffic;
use kilonova_operator::lease::gate::Gate;
use kilonova_operator::metrics::Metrics;
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tower::{Layer, service_fn};

use self::address::{address, decoded, discovery};
use self::state::{State, whole};

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

/// The API server.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<State>>);

impl ApiServer {
    /// Another one that holds the same.
    pub fn fork(&self) -> Self {
        let state = self.0.lock().unwrap();
        Self(Arc::new(Mutex::new(State {
            objects: state.objects.clone(),
            versions: state.versions,
            ..State::default()
        })))
    }

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

    /// A definition is installed: `version` is its group and version.
    pub fn install(&self, version: &str, plural: &str) {
        self.0.lock().unwrap().kinds.install(version, plural);
    }

    /// A definition is deleted, and all objects with it.
    pub fn uninstall(&self, version: &str, plural: &str) {
        self.0.lock().unwrap().kinds.uninstall(version, plural);
        for name in self.names(plural) {
            self.remove(plural, &name);
        }
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
        } else if let Some(version) = discovery(parts.uri.path()) {
            self.0.lock().unwrap().kinds.told(&version)
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
