//! What triggers a reconcile, and what happens when one fails.

mod start;
mod watches;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::select_all;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::Timestamp;
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{Action, Config, Error as QueueError};
use kube::runtime::{applier, reflector};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

pub use start::{check_definition, wait_for_definition};

use self::watches::{Requests, Watches};
use crate::Error;
use crate::api::ApiService;
use crate::cluster::Served;
use crate::cluster::slim::SlimPod;
use crate::kinds::{
    Certificate, HttpRoute, Object, PodMonitor, TlsRoute, TlsRouteAlpha2, TlsRouteAlpha3,
};
use crate::memory::Key;
use crate::observed::{TlsVersion, newest_tls_route};
use crate::reconcile::{Context, forget, jittered, reconcile};

/// Which `ApiService`s are looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of all namespaces; needs a `ClusterRole`.
    Cluster,
    /// Those of one namespace; a `Role` there is enough.
    Namespace(String),
}

/// What the queue knows of an `ApiService`.
type Watched = PartialObjectMeta<ApiService>;

/// Reconciles in flight at most.
const CONCURRENCY: u16 = 8;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// What watches tell is waited for this long before the first reconcile; what is late is asked for.
const FIRST_LISTS: Duration = Duration::from_secs(30);
/// Reconciles in flight may end within this time when the program stops.
const GRACE: Duration = Duration::from_secs(5);

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

/// Reconciles until `stop`, and ends what is in flight.
pub async fn run(client: &Client, scope: &Scope, context: Arc<Context>, stop: CancellationToken) {
    let (store, writer) = reflector::store();
    let cluster = &context.cluster;
    let watches = Watches {
        client: client.clone(),
        scope: scope.clone(),
        cluster: cluster.clone(),
    };
    let mut requests = children(&watches);
    let secrets = cluster.secrets.clone();
    requests.push(watches.referred::<Secret, _, _>(
        move |event| match event {
            Ok(event) => secrets.told(event),
            Err(_) => secrets.failed(),
        },
        {
            let context = Arc::clone(&context);
            move |namespace, secret| context.memory.referring(namespace, secret)
        },
    ));
    requests.push(watches.roots(writer));
    let queue = select_all(requests).take_until(stop.clone().cancelled_owned());
    let work = applier(
        |service, context| Box::pin(attempt(service, context)),
        retry,
        Arc::clone(&context),
        store,
        queue,
        Config::default().concurrency(CONCURRENCY),
    );
    let work = work.for_each(|result| {
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
    });
    tokio::select! {
        () = work => {}
        () = async { stop.cancelled().await; sleep(GRACE).await } => {
            warn!("a reconcile is given up after {} s; the next one makes up for it", GRACE.as_secs());
        }
    }
}

/// Every kind that is made.
fn children(watches: &Watches) -> Vec<Requests> {
    vec![
        watches.children::<ControllerRevision>(),
        watches.children::<Deployment>(),
        watches.children::<Service>(),
        watches.children::<ConfigMap>(),
        watches.children::<ServiceAccount>(),
        watches.grandchildren::<SlimPod>(),
        watches.children::<PodDisruptionBudget>(),
        watches.children::<HorizontalPodAutoscaler>(),
        watches.children::<NetworkPolicy>(),
        watches.optional::<Object<HttpRoute>>(Served::has::<HttpRoute>),
        watches.optional::<Object<TlsRoute>>(|it| newest_tls_route(it) == Some(TlsVersion::V1)),
        watches.optional::<Object<TlsRouteAlpha3>>(|it| {
            newest_tls_route(it) == Some(TlsVersion::Alpha3)
        }),
        watches.optional::<Object<TlsRouteAlpha2>>(|it| {
            newest_tls_route(it) == Some(TlsVersion::Alpha2)
        }),
        watches.optional::<Object<Certificate>>(Served::has::<Certificate>),
        watches.optional::<Object<PodMonitor>>(Served::has::<PodMonitor>),
    ]
}

async fn attempt(service: Arc<Watched>, context: Arc<Context>) -> Result<Action, Error> {
    let key = key(&service);
    context.cluster.cache.settled(FIRST_LISTS).await;
    let (began, metrics) = (Instant::now(), &context.cluster.metrics);
    let result = Box::pin(reconcile(&context, &key, Timestamp::now())).await;
    let outcome = match &result {
        Ok(outcome) if outcome.changed => "changed",
        Ok(_) => "unchanged",
        Err(error) => {
            metrics.failed(error.class());
            "failed"
        }
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
