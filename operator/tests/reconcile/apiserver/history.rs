//! What happened, and who watches.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use http::Response;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};

use super::address::Address;
use super::{Answer, ApiServer};

#[derive(Default)]
pub struct History {
    told: Vec<(u64, String, Value)>,
    watchers: Vec<Watcher>,
    /// What is this old or older is forgotten.
    forgotten: u64,
    changed: tokio::sync::watch::Sender<u64>,
}

struct Watcher {
    collection: String,
    selector: String,
    events: UnboundedSender<Value>,
}

impl Watcher {
    fn tell(&self, path: &str, event: &Value) -> bool {
        let concerned = path.split('/').next() == Some(&self.collection)
            && chooses(&self.selector, &event["object"]);
        !concerned || self.events.unbounded_send(event.clone()).is_ok()
    }
}

impl History {
    pub fn tell(&mut self, version: u64, what: &str, path: &str, object: &Value) {
        let event = json!({"type": what, "object": object});
        self.watchers.retain(|watcher| watcher.tell(path, &event));
        self.told.push((version, path.to_owned(), event));
        self.changed.send_replace(version);
    }

    pub fn watch(&mut self, address: &Address, query: &BTreeMap<String, String>) -> Answer {
        let (events, stream) = unbounded();
        let since: u64 = query["resourceVersion"].parse().unwrap();
        let watcher = Watcher {
            collection: address.collection.clone(),
            selector: query.get("labelSelector").cloned().unwrap_or_default(),
            events,
        };
        if since < self.forgotten {
            let gone = json!({"type": "ERROR", "object": {
                "kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old"}});
            watcher.events.unbounded_send(gone).unwrap();
        } else {
            for (_, path, event) in self.told.iter().filter(|(version, ..)| *version > since) {
                watcher.tell(path, event);
            }
            self.watchers.push(watcher);
        }
        let lines = stream.map(|event: Value| {
            let mut line = serde_json::to_vec(&event).unwrap();
            line.push(b'\n');
            Ok::<_, Infallible>(Frame::data(Bytes::from(line)))
        });
        Response::new(StreamBody::new(lines).boxed_unsync())
    }
}

/// Whether a label selector chooses an object.
pub fn chooses(selector: &str, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let terms = selector.split(',').filter(|term| !term.is_empty());
    terms.into_iter().all(|term| match term.split_once("!=") {
        Some((key, value)) => labels[key] != value,
        None => term
            .split_once('=')
            .is_none_or(|(key, value)| labels[key] == value),
    })
}

impl ApiServer {
    /// All watches end, and what happened so far is forgotten: they cannot go on where they were.
    pub fn expire(&self) {
        let mut state = self.0.lock().unwrap();
        state.versions += 1;
        state.history.forgotten = 100 + state.versions;
        state.history.watchers.clear();
        state.history.told.clear();
    }

    /// All watches end, as when the API server is restarted; they can go on where they were.
    pub fn hang_up(&self) {
        self.0.lock().unwrap().history.watchers.clear();
    }

    /// Waits until `done`, which is asked again whenever something changes.
    pub async fn until(&self, done: impl Fn(&Self) -> bool) {
        let mut changed = self.0.lock().unwrap().history.changed.subscribe();
        while !done(self) {
            changed.changed().await.unwrap();
        }
    }
}
