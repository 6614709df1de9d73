//! The API server: every request the operator makes has a time limit, every write is counted, and what watches tell is not
//! asked for again.

pub mod cache;
mod journal;
pub mod repeats;
pub mod secrets;
mod served;
pub mod slim;
pub mod traffic;

use std::fmt::Debug;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::runtime::events::Event;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tracing::warn;

use self::cache::Cache;
use self::journal::Journal;
use self::repeats::{Repeats, Verdict};
use self::secrets::Secrets;
use self::served::Discovery;
pub use self::served::Served;
use crate::lease::gate::Closed;
use crate::metrics::Metrics;
use crate::names::{APPLIED_ANNOTATION, OPERATOR, REFRESH_ANNOTATION};
use crate::{Error, hash};

/// No request may take longer. What is in flight when a lease expires ends within this time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A version no object of ours can have. An apply that carries it creates what is absent and conflicts with what is
/// there, whoever put it there in between.
const CREATE_ONLY: &str = "1";

/// A namespaced kind the operator reads or makes.
pub trait Child:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Child for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// The API server.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    journal: Journal,
    discovery: Discovery,
    repeats: Arc<Mutex<Repeats>>,
    refreshes: bool,
    /// What watches have told.
    pub cache: Cache,
    /// Secrets that were read.
    pub secrets: Secrets,
    /// What is counted.
    pub metrics: Metrics,
}

impl Cluster {
    /// Talks through `client`.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self {
            journal: Journal::new(client.clone()),
            discovery: Discovery::default(),
            client,
            repeats: Arc::default(),
            refreshes: true,
            cache: Cache::new(metrics.clone()),
            secrets: Secrets::default(),
            metrics,
        }
    }

    /// The kinds the API server has, of those a cluster may lack; half a minute old at most.
    pub async fn served(&self) -> Result<Arc<Served>, Error> {
        self.discovery.served(&self.client).await
    }

    /// A kind that was there is gone.
    pub async fn forget_served(&self) {
        self.discovery.forget().await;
    }

    /// Whether running pods may be annotated, which makes their kubelets look at their volumes at once. Without it they
    /// look within a minute or two.
    #[must_use]
    pub fn refreshing(self, refreshes: bool) -> Self {
        Self { refreshes, ..self }
    }

    /// Whether running pods are annotated.
    pub fn refreshes(&self) -> bool {
        self.refreshes
    }

    /// The object called `name`, if there is one.
    pub async fn get<K: Child>(&self, namespace: &str, name: &str) -> Result<Option<K>, Error> {
        if let Some(known) = self.cache.get(namespace, name) {
            return Ok(Some(known));
        }
        let api = self.api::<K>(namespace);
        within(
            format!("read {}", called::<K>(namespace, name)),
            api.get_opt(name),
        )
        .await
    }

    /// The Secret called `name`, if there is one.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<Secret>, Error> {
        let asked = match self.secrets.get(namespace, name) {
            Ok(known) => return Ok(Some(known)),
            Err(moment) => moment,
        };
        let read = self.get::<Secret>(namespace, name).await?;
        if let Some(secret) = &read {
            self.secrets.read(secret, asked);
        }
        Ok(read)
    }

    /// The objects a label selector chooses.
    pub async fn list<K: Child>(&self, namespace: &str, selector: &str) -> Result<Vec<K>, Error> {
        if let Some(known) = self.cache.list(namespace, selector) {
            return Ok(known);
        }
        let api = self.api::<K>(namespace);
        let chosen = ListParams::default().labels(selector);
        let doing = format!("list {} in {namespace}", K::plural(&()));
        Ok(within(doing, api.list(&chosen)).await?.items)
    }

    /// Creates `wanted`; conflicts if there is something of that name.
    pub async fn create<K: Child>(&self, wanted: &K) -> Result<K, Error> {
        let mut wanted = marked(wanted)?;
        wanted.meta_mut().resource_version = Some(CREATE_ONLY.to_owned());
        self.patch(&wanted, "create", OPERATOR, &wanted).await
    }

    /// Applies `wanted` to the object with this uid and to no other.
    pub async fn apply<K: Child>(&self, wanted: &K, uid: Option<String>) -> Result<K, Error> {
        let mut wanted = marked(wanted)?;
        wanted.meta_mut().uid = uid;
        self.patch(&wanted, "apply", OPERATOR, &wanted).await
    }

    /// Applies a part of `object` as another field manager.
    pub async fn apply_part<K: Child>(
        &self,
        object: &K,
        manager: &str,
        mut part: Value,
    ) -> Result<K, Error> {
        part["metadata"] = json!({"name": object.name_any(), "uid": object.uid()});
        self.patch(object, "apply", manager, &part).await
    }

    async fn patch<K: Child>(
        &self,
        object: &K,
        verb: &str,
        manager: &str,
        body: &(impl Serialize + Debug + Sync),
    ) -> Result<K, Error> {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let body = typed::<K>(body)?;
        let called = called::<K>(&namespace, &name);
        self.count::<K>(verb, &format!("{called} by {manager}"), &body);
        let answer = within(
            format!("{verb} {called}"),
            self.api::<K>(&namespace).patch(
                &name,
                &PatchParams::apply(manager).force(),
                &Patch::Apply(&body),
            ),
        )
        .await?;
        self.cache.wrote(&answer);
        Ok(answer)
    }

    /// A write is counted, and loudly when it is the same again and again.
    fn count<K: Child>(&self, verb: &str, what: &str, body: &Value) {
        let kind = K::kind(&());
        self.metrics.write(&kind, verb);
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Verdict::Hot { first } = repeats.note(what, hasher.finish(), Instant::now()) {
            self.metrics.repeated(&kind);
            if first {
                warn!(
                    "{what} was written with the same content again and again within ten minutes: something else keeps \
                     changing it; its managedFields name who"
                );
            }
        }
    }

    /// Applies the status of `object`.
    pub async fn apply_status<K: Child>(
        &self,
        object: &K,
        status: &(impl Serialize + Sync),
    ) -> Result<K, Error> {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let body = typed::<K>(
            &json!({"metadata": {"name": name, "uid": object.uid()}, "status": status}),
        )?;
        let called = called::<K>(&namespace, &name);
        self.count::<K>("status", &format!("the status of {called}"), &body);
        let answer = within(
            format!("write the status of {called}"),
            self.api::<K>(&namespace).patch_status(
                &name,
                &PatchParams::apply(OPERATOR).force(),
                &Patch::Apply(&body),
            ),
        )
        .await?;
        // What was announced must not be forgotten because a watch is late.
        self.cache.wrote(&answer);
        Ok(answer)
    }

    /// Deletes this very object, and in the background what it owns. That it is gone already is fine.
    pub async fn delete<K: Child>(&self, object: &K) -> Result<(), Error> {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let how = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions {
                uid: object.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        self.metrics.write(&K::kind(&()), "delete");
        let doing = format!("delete {}", called::<K>(&namespace, &name));
        match within(doing, self.api::<K>(&namespace).delete(&name, &how)).await {
            Err(error) if error.is_not_found() => self.cache.deleted(object),
            // What has finalizers is answered, and is still there.
            Ok(answer) => match answer.left() {
                Some(going) => self.cache.wrote(&going),
                None => self.cache.deleted(object),
            },
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Changes an annotation of a running pod, which makes the kubelet look at the pod's volumes at once.
    pub async fn refresh(&self, pod: &Pod, token: &str) -> Result<(), Error> {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let body =
            json!({"metadata": {"uid": pod.uid(), "annotations": {(REFRESH_ANNOTATION): token}}});
        self.metrics.write("Pod", "patch");
        let api = self.api::<Pod>(&namespace);
        let params = PatchParams::default();
        within(
            format!("annotate {}", called::<Pod>(&namespace, &name)),
            api.patch_metadata(&name, &params, &Patch::Merge(&body)),
        )
        .await
        .map(|_| ())
    }

    /// Publishes an Event about `object`.
    pub async fn publish<K: Child>(&self, event: &Event, object: &K) -> Result<(), Error> {
        self.metrics.write("Event", "create");
        let reference = object.object_ref(&());
        within("publish an Event", self.journal.publish(event, &reference)).await
    }

    fn api<K: Child>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

/// A body with the `apiVersion` and `kind` that an apply needs.
fn typed<K: Child>(body: &impl Serialize) -> Result<Value, Error> {
    let mut body = serde_json::to_value(body)?;
    body["apiVersion"] = K::api_version(&()).into();
    body["kind"] = K::kind(&()).into();
    Ok(body)
}

/// The child with the hash of what it is.
fn marked<K: Child>(wanted: &K) -> Result<K, Error> {
    let mut marked = wanted.clone();
    let hash = hash::of(wanted)?;
    marked
        .annotations_mut()
        .insert(APPLIED_ANNOTATION.to_owned(), hash);
    Ok(marked)
}

fn called<K: Child>(namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", K::kind(&()))
}

async fn within<T>(
    doing: impl Into<String>,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Service(source))) if source.is::<Closed>() => {
            Err(Error::NotLeading(doing.into()))
        }
        Ok(Err(source)) => Err(Error::Cluster {
            doing: doing.into(),
            source: Box::new(source),
        }),
        Err(_) => Err(Error::Silent(doing.into(), REQUEST_TIMEOUT.as_secs())),
    }
}
