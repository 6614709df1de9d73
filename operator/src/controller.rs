//! What triggers a reconcile, and what happens when one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::controller::{Action, Config, Error as QueueError};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::Error;
use crate::api::ApiService;
use crate::memory::Key;
use crate::names;
use crate::reconcile::{Context, forget, jittered, reconcile};

/// Which `ApiService`s are looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces; needs a `ClusterRole`.
    Cluster,
    /// Those of one namespace; a `Role` there is enough.
    Namespace(String),
}

/// Only metadata is watched: a reconcile reads what it needs, so an object that cannot be understood fails alone.
type Watched = PartialObjectMeta<ApiService>;

/// Reconciles in flight at most.
const CONCURRENCY: u16 = 8;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);
const STARTUP_RETRY: Duration = Duration::from_secs(5);

impl Scope {
    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(namespace) => Api::namespaced(client.clone(), namespace),
        }
    }
}

/// Waits until the API server can be asked for `ApiService`s, and says once what is missing.
pub async fn wait_for_definition(client: &Client, scope: &Scope) {
    let api: Api<Watched> = scope.api(client);
    let mut said = None;
    loop {
        let missing = match api.list_metadata(&ListParams::default().limit(1)).await {
            Ok(_) => return,
            Err(kube::Error::Api(answer)) if answer.code == 404 => format!(
                "the CustomResourceDefinition {}.{} is missing: install it with 'kilonova-operator crd | kubectl apply \
                 --server-side -f -', or with the chart",
                ApiService::plural(&()),
                ApiService::group(&())
            ),
            Err(kube::Error::Api(answer)) => format!(
                "the API server refuses to list ApiServices: {}",
                answer.message
            ),
            Err(error) => format!("the API server cannot be reached: {}", root_cause(&error)),
        };
        if said.as_ref() != Some(&missing) {
            warn!(
                "{missing}; trying again every {} s",
                STARTUP_RETRY.as_secs()
            );
            said = Some(missing);
        }
        sleep(STARTUP_RETRY).await;
    }
}

/// What is at the bottom of an error: above it stands only who passed it on.
fn root_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}

/// Reconciles until `stop`.
pub async fn run(client: Client, scope: &Scope, context: Arc<Context>, stop: CancellationToken) {
    let made_by_us = || watcher::Config::default().labels(&names::managed_selector());
    let referring = {
        let context = Arc::clone(&context);
        move |secret: PartialObjectMeta<Secret>| {
            let namespace = secret.namespace().unwrap_or_default();
            let keys = context.memory.referring(&namespace, &secret.name_any());
            keys.into_iter()
                .map(|key| ObjectRef::new(&key.name).within(&key.namespace))
        }
    };
    let controller = Controller::new(scope.api::<Watched>(&client), watcher::Config::default())
        .with_config(Config::default().concurrency(CONCURRENCY))
        .owns(scope.api::<Deployment>(&client), made_by_us())
        .owns(scope.api::<Service>(&client), made_by_us())
        .owns(scope.api::<ConfigMap>(&client), made_by_us())
        .owns(scope.api::<ServiceAccount>(&client), made_by_us())
        .owns(scope.api::<PodDisruptionBudget>(&client), made_by_us())
        .owns(scope.api::<HorizontalPodAutoscaler>(&client), made_by_us())
        .owns(scope.api::<NetworkPolicy>(&client), made_by_us())
        .watches(
            scope.api::<PartialObjectMeta<Secret>>(&client),
            watcher::Config::default(),
            referring,
        )
        .graceful_shutdown_on(stop.cancelled_owned());
    controller
        .run(attempt, retry, Arc::clone(&context))
        .for_each(|result| {
            match result {
                Err(QueueError::ObjectNotFound(gone)) => forget(
                    &context,
                    &Key {
                        namespace: gone.namespace.clone().unwrap_or_default(),
                        name: gone.name.clone(),
                    },
                ),
                Err(QueueError::QueueError(error)) => {
                    warn!(%error, "a watch failed and is started again");
                }
                // Failures of reconciles are told where they are retried.
                Ok(_) | Err(_) => {}
            }
            std::future::ready(())
        })
        .await;
}

async fn attempt(service: Arc<Watched>, context: Arc<Context>) -> Result<Action, Error> {
    let key = key(&service);
    let (began, metrics) = (Instant::now(), &context.cluster.metrics);
    let result = Box::pin(reconcile(&context, &key, Timestamp::now())).await;
    let outcome = match &result {
        Ok(outcome) if outcome.changed => "changed",
        Ok(_) => "unchanged",
        Err(error) => error.class(),
    };
    metrics.reconciled(outcome, began.elapsed().as_secs_f64());
    debug!(
        namespace = key.namespace,
        name = key.name,
        outcome,
        "reconciled"
    );
    let outcome = result?;
    context.memory.succeeded(&key);
    metrics.in_backoff(context.memory.failing());
    Ok(outcome
        .again
        .map_or_else(Action::await_change, Action::requeue))
}

// By value: the controller's own signature.
#[allow(clippy::needless_pass_by_value)]
fn retry(service: Arc<Watched>, error: &Error, context: Arc<Context>) -> Action {
    let key = key(&service);
    let failures = context.memory.failed(&key);
    context.cluster.metrics.in_backoff(context.memory.failing());
    let delay = backoff(failures);
    let (namespace, name, seconds) = (&key.namespace, &key.name, delay.as_secs_f32());
    if matches!(error, Error::Outrun { .. }) && failures < 3 {
        debug!(namespace, name, %error, seconds, "reconcile is tried again");
    } else {
        warn!(namespace, name, %error, failures, seconds, "reconcile failed and is tried again");
    }
    Action::requeue(delay)
}

/// Twice as long after each failure in a row.
fn backoff(failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    jittered(doubled.min(LAST_RETRY * 9 / 10))
}

fn key(service: &Watched) -> Key {
    Key {
        namespace: service.namespace().unwrap_or_default(),
        name: service.name_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1, 0.9, 1.1)]
    #[case(2, 1.8, 2.2)]
    #[case(5, 14.4, 17.6)]
    #[case(9, 230.0, 282.0)]
    #[case(10, 243.0, 300.0)]
    #[case(u32::MAX, 243.0, 300.0)]
    fn retries_wait_longer_each_time_and_five_minutes_at_most(
        #[case] failures: u32,
        #[case] least: f32,
        #[case] most: f32,
    ) {
        let delay = backoff(failures).as_secs_f32();
        assert!((least..=most).contains(&delay), "{delay}");
    }
}
