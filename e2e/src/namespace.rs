//! One test's namespace and what is in it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{self as core, Secret};
use kilonova_operator::api::ApiService;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Cluster;

/// How long the cluster may take for what it does at once.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A kind that lives in namespaces.
pub trait Kind:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
{
}

impl<K> Kind for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

/// A namespace of one test's own.
pub struct Namespace<'a> {
    /// Its name.
    pub name: String,
    pub(crate) cluster: &'a Cluster,
}

impl<'a> Namespace<'a> {
    pub(crate) fn create(cluster: &'a Cluster, name: &str) -> Self {
        let api: Api<core::Namespace> = Api::all(cluster.client.clone());
        let wanted = core::Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                // What Kilonova runs must be acceptable wherever pods are held to the strictest standard.
                labels: Some(BTreeMap::from([(
                    "pod-security.kubernetes.io/enforce".to_owned(),
                    "restricted".to_owned(),
                )])),
                ..ObjectMeta::default()
            },
            ..core::Namespace::default()
        };
        cluster
            .wait(api.create(&PostParams::default(), &wanted))
            .unwrap();
        Self {
            name: name.to_owned(),
            cluster,
        }
    }

    /// The API of a kind here.
    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.cluster.client.clone(), &self.name)
    }

    /// An object, if it is there.
    pub fn get<K: Kind>(&self, name: &str) -> Option<K> {
        self.cluster.wait(self.api::<K>().get_opt(name)).unwrap()
    }

    /// All objects of a kind, as far as a label selector goes.
    pub fn list<K: Kind>(&self, selector: &str) -> Vec<K> {
        let parameters = ListParams::default().labels(selector);
        self.cluster
            .wait(self.api::<K>().list(&parameters))
            .unwrap()
            .items
    }

    /// Names of all objects of a kind that carry a label.
    pub fn names<K: Kind>(&self, selector: &str) -> Vec<String> {
        self.list::<K>(selector)
            .iter()
            .map(ResourceExt::name_any)
            .collect()
    }

    /// Removes an object.
    pub fn delete<K: Kind>(&self, name: &str) {
        self.cluster
            .wait(self.api::<K>().delete(name, &DeleteParams::default()))
            .unwrap();
    }

    /// Creates an object.
    pub fn create_object<K: Kind>(&self, object: &K) {
        self.cluster
            .wait(self.api::<K>().create(&PostParams::default(), object))
            .unwrap();
    }

    /// Writes a Secret, new or changed.
    pub fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let bytes = |(key, value): &(&str, &str)| {
            ((*key).to_owned(), ByteString(value.as_bytes().to_vec()))
        };
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(data.iter().map(bytes).collect()),
            ..Secret::default()
        };
        self.cluster
            .wait(self.api::<Secret>().patch(
                name,
                &PatchParams::apply("test").force(),
                &Patch::Apply(secret),
            ))
            .unwrap();
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let nova = self.cluster.wait(self.api::<ApiService>().get_opt("nova"));
            if let Ok(Some(nova)) = nova {
                eprintln!(
                    "--- status in {}\n{}",
                    self.name,
                    serde_yaml::to_string(&nova.status).unwrap_or_default()
                );
            }
        }
        let api: Api<core::Namespace> = Api::all(self.cluster.client.clone());
        let _ = self
            .cluster
            .wait(api.delete(&self.name, &DeleteParams::background()));
    }
}
