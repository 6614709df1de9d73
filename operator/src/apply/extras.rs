//! Placing and deleting what stands beside Deployments and Services.

use std::collections::BTreeSet;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::{Kept, Obstacle, Placed, Writer, prune};
use crate::Error;
use crate::desired::{Desired, Extras};
use crate::kinds::{
    Certificate, HttpRoute, Kind, Object, PodMonitor, TlsRoute, TlsRouteAlpha2, TlsRouteAlpha3,
};
use crate::observed::{self, Held, Observed, TlsVersion, newest_tls_route};

macro_rules! kept {
    ($($kind:ty: $field:ident;)*) => {
        $(
            impl Kept for $kind {
                fn held(observed: &mut Observed) -> &mut Held<Self> {
                    &mut observed.extras.$field
                }
            }
        )*
    };
}

kept! {
    PodDisruptionBudget: budgets;
    HorizontalPodAutoscaler: autoscalers;
    NetworkPolicy: policies;
    Object<HttpRoute>: http_routes;
    Object<TlsRoute>: tls_routes;
    Object<TlsRouteAlpha3>: tls_routes_alpha3;
    Object<TlsRouteAlpha2>: tls_routes_alpha2;
    Object<Certificate>: certificates;
    Object<PodMonitor>: monitors;
}

/// Deletes the autoscalers that are not wanted, before the number of pods is fixed again: they would undo it.
pub(super) async fn stop_scaling(writer: &mut Writer<'_>, desired: &Desired) -> Result<(), Error> {
    let wanted = names(&desired.extras.autoscalers);
    let fixed = desired
        .workloads
        .iter()
        .filter(|workload| !workload.handed_over);
    let fixed: BTreeSet<String> = fixed.map(|workload| workload.name.clone()).collect();
    prune::delete::<HorizontalPodAutoscaler>(writer, |scaler| {
        let name = scaler.name_any();
        !wanted.contains(&name) && fixed.contains(&name)
    })
    .await
}

/// Places all of it. What the cluster has no kind for is told, and keeps nothing else back.
pub(super) async fn place(writer: &mut Writer<'_>, extras: &Extras) -> Result<(), Error> {
    writer
        .report
        .obstacles
        .extend(extras.obstacles.iter().cloned());
    every(writer, &extras.budgets).await?;
    every(writer, &extras.policies).await?;
    for scaler in &extras.autoscalers {
        // There is nothing to scale while the pods wait for something.
        if writer.observed.deployments.contains_key(&scaler.name_any()) {
            writer.place(scaler).await?;
        }
    }
    optional(
        writer,
        &extras.certificates,
        "tls.certificate",
        "cert-manager",
    )
    .await?;
    optional(
        writer,
        &extras.monitors,
        "monitor.podMonitor",
        "the Prometheus operator",
    )
    .await?;
    optional(writer, &extras.http_routes, "gateway", "the Gateway API").await?;
    tls_routes(writer, &extras.tls_routes).await
}

/// Deletes what is ours and not wanted. What belongs to a Deployment that has yet to be replaced stays as long as that.
pub(super) async fn prune(writer: &mut Writer<'_>, desired: &Desired) -> Result<(), Error> {
    let workloads: BTreeSet<&str> = desired
        .workloads
        .iter()
        .map(|workload| workload.name.as_str())
        .collect();
    let service = writer.service;
    let leftovers = writer.observed.deployments.values();
    let leftovers: BTreeSet<String> = leftovers
        .filter(|deployment| observed::is_own(service, *deployment))
        .map(ResourceExt::name_any)
        .filter(|name| !workloads.contains(name.as_str()))
        .collect();
    let extras = &desired.extras;
    let scalers = extras
        .obstacles
        .iter()
        .any(|obstacle| obstacle.reason == "AutoscalingInvalid");
    unwanted::<PodDisruptionBudget>(writer, &extras.budgets, &leftovers).await?;
    unwanted::<NetworkPolicy>(writer, &extras.policies, &leftovers).await?;
    unwanted::<Object<PodMonitor>>(writer, &extras.monitors, &leftovers).await?;
    if !scalers {
        unwanted::<HorizontalPodAutoscaler>(writer, &extras.autoscalers, &leftovers).await?;
    }
    let none = BTreeSet::new();
    unwanted::<Object<Certificate>>(writer, &extras.certificates, &none).await?;
    unwanted::<Object<HttpRoute>>(writer, &extras.http_routes, &none).await?;
    let routes = names(&extras.tls_routes);
    prune::delete::<Object<TlsRoute>>(writer, |route| !routes.contains(&route.name_any())).await?;
    prune::delete::<Object<TlsRouteAlpha3>>(writer, |route| !routes.contains(&route.name_any()))
        .await?;
    prune::delete::<Object<TlsRouteAlpha2>>(writer, |route| !routes.contains(&route.name_any()))
        .await
}

async fn unwanted<K: Kept>(
    writer: &mut Writer<'_>,
    wanted: &[K],
    leftovers: &BTreeSet<String>,
) -> Result<(), Error> {
    let wanted = names(wanted);
    prune::delete::<K>(writer, |object| {
        let name = object.name_any();
        !wanted.contains(&name) && !leftovers.contains(&name)
    })
    .await
}

async fn every<K: Kept>(writer: &mut Writer<'_>, wanted: &[K]) -> Result<(), Error> {
    for object in wanted {
        writer.place(object).await?;
    }
    Ok(())
}

async fn optional<T: Kind>(
    writer: &mut Writer<'_>,
    wanted: &[Object<T>],
    field: &str,
    project: &str,
) -> Result<(), Error>
where
    Object<T>: Kept,
{
    let served = writer.observed.extras.served.has::<T>();
    for object in wanted {
        if !served {
            missing::<T>(writer, object, field, project);
            continue;
        }
        match writer.place(object).await {
            // Its definition was deleted meanwhile.
            Err(error) if error.is_absent() => {
                writer.cluster.forget_served().await;
                missing::<T>(writer, object, field, project);
            }
            placed => {
                let _: Placed = placed?;
            }
        }
    }
    Ok(())
}

async fn tls_routes(writer: &mut Writer<'_>, wanted: &[Object<TlsRoute>]) -> Result<(), Error> {
    let (field, project) = ("gateway", "the Gateway API (with TLSRoute)");
    let newest = newest_tls_route(&writer.observed.extras.served);
    for route in wanted {
        match newest {
            Some(TlsVersion::V1) | None => {
                optional(writer, std::slice::from_ref(route), field, project).await?;
            }
            Some(TlsVersion::Alpha3) => {
                optional::<TlsRouteAlpha3>(writer, &[route.version()], field, project).await?;
            }
            Some(TlsVersion::Alpha2) => {
                optional::<TlsRouteAlpha2>(writer, &[route.version()], field, project).await?;
            }
        }
    }
    Ok(())
}

fn missing<T: Kind>(writer: &mut Writer<'_>, object: &Object<T>, field: &str, project: &str) {
    writer.report.obstacles.push(Obstacle {
        reason: "KindMissing",
        message: format!(
            "{} {} cannot be made: the CustomResourceDefinition {}.{} is not installed: install {project}, or remove \
             {field}; everything else goes on",
            T::KIND,
            object.name_any(),
            T::PLURAL,
            T::GROUP
        ),
        stalls: true,
    });
}

fn names<K: ResourceExt>(objects: &[K]) -> BTreeSet<String> {
    objects.iter().map(ResourceExt::name_any).collect()
}
