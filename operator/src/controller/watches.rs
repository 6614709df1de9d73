//! What is watched, and whom it wakes.
//!
//! ```text
//! ApiServices ────► cache, store (of names) ──┐
//! children, pods ─► cache ────────────────────┼─► who is concerned ──► requests to reconcile
//! Secrets (metadata) ─────────────────────────┘
//! ```
//!
//! Plain watches, each of its own: shared ones do not tell of deletions.

use std::fmt::Debug;
use std::future::ready;
use std::time::Duration;

use futures::FutureExt;
use futures::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::core::metadata::PartialObjectMetaExt;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, reflector};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use super::{Scope, Watched};
use crate::api::ApiService;
use crate::cluster::slim::AnyService;
use crate::cluster::{Child, Cluster, Served};
use crate::memory::Key;
use crate::names;

/// Objects in one page of a list: what is on its way takes memory too.
const PAGE: u32 = 100;

/// Requests to reconcile, as long as something is watched.
pub type Requests = BoxStream<'static, Result<ReconcileRequest<Watched>, watcher::Error>>;

/// Whether a cluster has a kind.
pub type Has = fn(&Served) -> bool;

/// Whether it has one is asked this often.
const POLL: Duration = Duration::from_secs(30);

/// Opens watches in one scope.
#[derive(Clone)]
pub struct Watches {
    /// The API server.
    pub client: Client,
    /// Where.
    pub scope: Scope,
    /// What is told is kept in its cache.
    pub cluster: Cluster,
}

impl Watches {
    /// The `ApiService`s themselves, kept in the cache. They are understood where they are reconciled, so that one that
    /// cannot be understood fails alone.
    pub fn roots(&self, writer: Writer<Watched>) -> Requests {
        self.cluster.cache.expect::<AnyService>();
        let events = self.cached::<AnyService>(paged()).map_ok(named);
        let touched = reflector(writer, events).touched_objects();
        touched
            .map(|service| service.map(|service| ObjectRef::from_obj(&service).into()))
            .boxed()
    }

    /// Children of one kind, kept in the cache; they wake their owner.
    pub fn children<K: Child>(&self) -> Requests {
        self.cluster.cache.expect::<K>();
        self.owned::<K>()
    }

    /// Children of a kind the cluster may lack: watched as long as it has it.
    pub fn optional<K: Child>(&self, has: Has) -> Requests {
        let rounds = stream::unfold(self.clone(), move |watches| async move {
            watches.wait(has, true).await;
            watches.cluster.cache.begin::<K>();
            let gone = {
                let watches = watches.clone();
                async move {
                    watches.wait(has, false).await;
                    watches.cluster.cache.end::<K>();
                }
            };
            let woken = watches.owned::<K>().take_until(gone.boxed());
            Some((woken, watches))
        });
        rounds.flatten().boxed()
    }

    /// Waits until the cluster has a kind, or has it no more.
    async fn wait(&self, has: Has, wanted: bool) {
        loop {
            // While it cannot be told, nothing has changed.
            if let Ok(served) = self.cluster.served().await
                && has(&served) == wanted
            {
                return;
            }
            sleep(POLL).await;
        }
    }

    fn owned<K: Child>(&self) -> Requests {
        self.kept::<K, _>(|child| {
            let owners = child.owner_references().iter();
            let owner = owners
                .into_iter()
                .find(|owner| owner.controller == Some(true))?;
            let namespace = child.namespace();
            ObjectRef::from_owner_ref(namespace.as_deref(), owner, ())
        })
    }

    /// Objects made of children, kept in the cache; they wake the `ApiService` their label names.
    pub fn grandchildren<K: Child>(&self) -> Requests {
        self.cluster.cache.expect::<K>();
        self.kept::<K, _>(|child| {
            let instance = child.labels().get(names::INSTANCE)?;
            Some(ObjectRef::new(instance).within(&child.namespace()?))
        })
    }

    fn kept<K, F>(&self, concerned: F) -> Requests
    where
        K: Child,
        F: Fn(&K) -> Option<ObjectRef<Watched>> + Send + 'static,
    {
        let seen = self.cached::<K>(paged().labels(&names::managed_selector()));
        let woken = seen.filter_map(move |event| {
            ready(match event {
                Ok(Event::Apply(child) | Event::Delete(child) | Event::InitApply(child)) => {
                    concerned(&child).map(|service| Ok(service.into()))
                }
                Ok(Event::Init | Event::InitDone) => None,
                Err(error) => Some(Err(error)),
            })
        });
        woken.boxed()
    }

    /// Objects of which only metadata is told, first to `hear`; they wake those that `referring` names for their namespace
    /// and name.
    pub fn referred<K, H, F>(&self, hear: H, referring: F) -> Requests
    where
        H: Fn(&Result<Event<PartialObjectMeta<K>>, watcher::Error>) + Send + 'static,
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
        PartialObjectMeta<K>: Clone + Debug + DeserializeOwned + Send,
        F: Fn(&str, &str) -> Vec<Key> + Send + 'static,
    {
        let api = self.api::<PartialObjectMeta<K>>();
        let touched = watch(api, paged())
            .inspect(hear)
            .default_backoff()
            .touched_objects();
        let woken = touched.map_ok(move |object| {
            let namespace = object.namespace().unwrap_or_default();
            let keys = referring(&namespace, &object.name_any()).into_iter();
            let requests = keys.map(|key| ObjectRef::new(&key.name).within(&key.namespace).into());
            stream::iter(requests.map(Ok).collect::<Vec<_>>())
        });
        woken.try_flatten().boxed()
    }

    /// The events of a watch, told to the cache.
    fn cached<K: Child>(
        &self,
        chosen: watcher::Config,
    ) -> impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + use<K> {
        let cache = self.cluster.cache.clone();
        let events = watch(self.api::<K>(), chosen);
        let told = events.inspect(move |event| match event {
            Ok(event) => cache.told(event),
            Err(_) => cache.failed::<K>(),
        });
        told.default_backoff()
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        self.scope.api(&self.client)
    }
}

/// What the queue keeps of an `ApiService`: its name.
fn named(event: Event<AnyService>) -> Event<Watched> {
    let name = |service: AnyService| {
        let metadata = ObjectMeta {
            name: service.metadata.name,
            namespace: service.metadata.namespace,
            uid: service.metadata.uid,
            ..ObjectMeta::default()
        };
        metadata.into_response_partial::<ApiService>()
    };
    match event {
        Event::Apply(service) => Event::Apply(name(service)),
        Event::Delete(service) => Event::Delete(name(service)),
        Event::InitApply(service) => Event::InitApply(name(service)),
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
    }
}

fn paged() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}
