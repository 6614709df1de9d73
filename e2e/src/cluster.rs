//! The cluster that `e2e/in-cluster` started for this run.

use std::env;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use k8s_openapi::api::core::v1::{self as core, Pod};
use kilonova_probe::{client, wait_within};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt};
use tokio::runtime::Runtime;

use crate::Namespace;
use crate::namespace::{Kind, PATIENCE};

/// A connection to the cluster.
pub struct Cluster {
    pub(crate) client: Client,
    runtime: Runtime,
}

/// Whether the contract's figures are asked for, or the reduced ones.
pub fn full() -> bool {
    env::var("FULL").is_ok_and(|full| !full.is_empty())
}

impl Cluster {
    /// Connects. Nobody's current context is taken silently: `e2e/in-cluster` says which cluster may be used.
    pub fn connect() -> Self {
        assert!(
            env::var("KILONOVA_CLUSTER").is_ok(),
            "these tests need a cluster of their own: e2e/in-cluster e2e/behaviour"
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(Client::try_default()).unwrap();
        Self { client, runtime }
    }

    /// Waits for something asynchronous.
    pub fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Waits until the namespaces of earlier tests are gone.
    pub fn wait_for_leavers(&self) {
        let api: Api<core::Namespace> = Api::all(self.client.clone());
        wait_within(PATIENCE, "earlier namespaces to go", || {
            let namespaces = self.wait(api.list(&ListParams::default())).unwrap();
            let leaving =
                |namespace: &core::Namespace| namespace.metadata.deletion_timestamp.is_some();
            (!namespaces.items.iter().any(leaving)).then_some(())
        });
    }

    /// The operator's pods that are not about to go.
    pub fn operators(&self) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), "kilonova-system");
        let selector = ListParams::default().labels("app.kubernetes.io/name=kilonova-operator");
        let mut pods = self.wait(pods.list(&selector)).unwrap().items;
        pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
        pods
    }

    /// Removes one of the operator's pods, which may say goodbye.
    pub fn delete_operator(&self, pod: &Pod) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), "kilonova-system");
        self.wait(pods.delete(&pod.name_any(), &DeleteParams::default()))
            .unwrap();
    }

    /// An object of any namespace, if it is there.
    pub fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<K> {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        self.wait(api.get_opt(name)).unwrap()
    }

    /// What the operator's pod answers under `/metrics`.
    pub fn operator_metrics(&self) -> String {
        let ip = self.operators()[0].status.clone().unwrap().pod_ip.unwrap();
        let answer = client::get(format!("{ip}:8080").parse().unwrap(), "/metrics");
        String::from_utf8(answer.body).unwrap()
    }

    /// A namespace of this test's own; it goes when it is dropped.
    pub fn namespace(&self, name: &str) -> Namespace<'_> {
        Namespace::create(self, name)
    }
}

/// kubectl, as a user would call it.
pub fn kubectl(arguments: &[&str]) -> Output {
    Command::new(program("kubectl"))
        .args(arguments)
        .output()
        .unwrap()
}

/// `kubectl apply` of a text, as a user would call it.
pub fn apply(options: &[&str], manifest: &str) -> Output {
    let mut kubectl = Command::new(program("kubectl"))
        .arg("apply")
        .args(options)
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = kubectl.stdin.take().unwrap();
    input.write_all(manifest.as_bytes()).unwrap();
    drop(input);
    kubectl.wait_with_output().unwrap()
}

/// Helm, as a user would call it.
pub fn helm(arguments: &[&str]) -> Output {
    Command::new(program("helm"))
        .args(arguments)
        .output()
        .unwrap()
}

fn program(name: &str) -> PathBuf {
    let folder = env::var("KILONOVA_CACHE").map_or_else(
        |_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/cluster")),
        PathBuf::from,
    );
    folder.join(name)
}
