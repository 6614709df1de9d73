//! The API server: every request the operator makes has a time limit, and every write is counted.

mod journal;
mod served;

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::runtime::events::Event;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use self::journal::Journal;
use self::served::Discovery;
pub use self::served::Served;
use crate::Error;
use crate::metrics::Metrics;
use crate::names::{OPERATOR, REFRESH_ANNOTATION};

/// No request may take longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
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
{
}

/// The API server.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    journal: Journal,
    discovery: Discovery,
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
            metrics,
        }
    }

    /// The kinds the API server has, of those a cluster may lack; half a minute old at most.
    pub async fn served(&self) -> Result<Arc<Served>, Error> {
        self.discovery.served(&self.client).await
    }

    /// A kind that was there is gone.
    pub fn forget_served(&self) {
        self.discovery.forget();
    }

    /// The object called `name`, if there is one.
    pub async fn get<K: Child>(&self, namespace: &str, name: &str) -> Result<Option<K>, Error> {
        let api = self.api::<K>(namespace);
        within(
            format!("read {}", called::<K>(namespace, name)),
            api.get_opt(name),
        )
        .await
    }

    /// The objects a label selector chooses.
    pub async fn list<K: Child>(&self, namespace: &str, selector: &str) -> Result<Vec<K>, Error> {
        let api = self.api::<K>(namespace);
        let chosen = ListParams::default().labels(selector);
        let doing = format!("list {} in {namespace}", K::plural(&()));
        Ok(within(doing, api.list(&chosen)).await?.items)
    }

    /// Creates `wanted`; conflicts if there is something of that name.
    pub async fn create<K: Child>(&self, wanted: &K) -> Result<K, Error> {
        let mut wanted = wanted.clone();
        wanted.meta_mut().resource_version = Some(CREATE_ONLY.to_owned());
        self.patch(&wanted, "create", OPERATOR, &wanted).await
    }

    /// Applies `wanted` to the object with this uid and to no other.
    pub async fn apply<K: Child>(&self, wanted: &K, uid: Option<String>) -> Result<K, Error> {
        let mut wanted = wanted.clone();
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
        self.metrics.write(&K::kind(&()), verb);
        within(
            format!("{verb} {}", called::<K>(&namespace, &name)),
            self.api::<K>(&namespace).patch(
                &name,
                &PatchParams::apply(manager).force(),
                &Patch::Apply(&body),
            ),
        )
        .await
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
        self.metrics.write(&K::kind(&()), "status");
        within(
            format!("write the status of {}", called::<K>(&namespace, &name)),
            self.api::<K>(&namespace).patch_status(
                &name,
                &PatchParams::apply(OPERATOR).force(),
                &Patch::Apply(&body),
            ),
        )
        .await
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
            Err(error) if error.is_not_found() => Ok(()),
            other => other.map(|_| ()),
        }
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

fn called<K: Child>(namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", K::kind(&()))
}

async fn within<T>(
    doing: impl Into<String>,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match timeout(REQUEST_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(Error::Cluster {
            doing: doing.into(),
            source: Box::new(source),
        }),
        Err(_) => Err(Error::Silent(doing.into(), REQUEST_TIMEOUT.as_secs())),
    }
}
