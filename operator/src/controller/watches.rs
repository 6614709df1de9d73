//! What is watched, and whom it wakes.
//!
//! ```text
//! ApiServices (metadata) ──► store
//! children, pods ──► cache ──┐
//! Secrets, ConfigMaps ───────┴─► who is concerned ──► requests to reconcile
//! ```
//!
//! Plain watches, each of its own: shared ones do not tell of deletions.

use std::fmt::Debug;
use std::future::ready;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::ReconcileRequest;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, reflector};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{Scope, Watched};
use crate::cluster::Child;
use crate::cluster::cache::Cache;
use crate::memory::Key;
use crate::names;

/// Objects in one page of a list: what is on its way takes memory too.
const PAGE: u32 = 100;

/// Requests to reconcile, as long as something is watched.
pub type Requests = BoxStream<'static, Result<ReconcileRequest<Watched>, watcher::Error>>;

/// Opens watches in one scope.
#[derive(Clone)]
pub struct Watches<'a> {
    /// The API server.
    pub client: &'a Client,
    /// Where.
    pub scope: &'a Scope,
    /// What is told is kept here.
    pub cache: &'a Cache,
}

impl Watches<'_> {
    /// The `ApiService`s themselves. Only metadata: a reconcile reads what it needs, so an object that cannot be understood
    /// fails alone.
    pub fn roots(&self, writer: Writer<Watched>) -> Requests {
        let events = watch(self.api::<Watched>(), paged()).default_backoff();
        let events = events.modify(|service| {
            // Whoever needs these reads the resource.
            service.metadata.managed_fields = None;
            service.metadata.annotations = None;
            service.metadata.labels = None;
        });
        let touched = reflector(writer, events).touched_objects();
        touched
            .map(|service| service.map(|service| ObjectRef::from_obj(&service).into()))
            .boxed()
    }

    /// Children of one kind, kept in the cache; they wake their owner.
    pub fn children<K: Child>(&self) -> Requests {
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
        self.cache.expect::<K>();
        let cache = self.cache.clone();
        let events = watch(self.api::<K>(), paged().labels(&names::managed_selector()));
        let seen = events.inspect(move |event| match event {
            Ok(event) => cache.told(event),
            Err(_) => cache.failed::<K>(),
        });
        let woken = seen.default_backoff().filter_map(move |event| {
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

    /// Objects of which only metadata is told; they wake those that `referring` names for their namespace and name.
    pub fn referred<K, F>(&self, chosen: watcher::Config, referring: F) -> Requests
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + 'static,
        PartialObjectMeta<K>: Clone + Debug + DeserializeOwned + Send,
        F: Fn(&str, &str) -> Vec<Key> + Send + 'static,
    {
        let api = self.api::<PartialObjectMeta<K>>();
        let touched = watch(api, chosen.page_size(PAGE))
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

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        self.scope.api(self.client)
    }
}

fn paged() -> watcher::Config {
    watcher::Config::default().page_size(PAGE)
}
