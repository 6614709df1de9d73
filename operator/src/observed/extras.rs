//! What stands beside Deployments and Services. Of the kinds the cluster lacks there is nothing.

use std::sync::Arc;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::{Held, held};
use crate::Error;
use crate::api::ApiService;
use crate::cluster::{Cluster, Served};
use crate::desired;
use crate::kinds::{
    Certificate, HttpRoute, Kind, Object, PodMonitor, TlsRoute, TlsRouteAlpha2, TlsRouteAlpha3,
};

/// Everything of these kinds under the names an `ApiService` wants, and everything that was made for it.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Which kinds the cluster has.
    pub served: Arc<Served>,
    /// Disruption budgets.
    pub budgets: Held<PodDisruptionBudget>,
    /// Autoscalers.
    pub autoscalers: Held<HorizontalPodAutoscaler>,
    /// Network policies.
    pub policies: Held<NetworkPolicy>,
    /// Routes of HTTP.
    pub http_routes: Held<Object<HttpRoute>>,
    /// Routes of TLS.
    pub tls_routes: Held<Object<TlsRoute>>,
    /// The same, where the cluster has no newer version.
    pub tls_routes_alpha3: Held<Object<TlsRouteAlpha3>>,
    /// The same, where the cluster has no newer version.
    pub tls_routes_alpha2: Held<Object<TlsRouteAlpha2>>,
    /// Certificates of cert-manager.
    pub certificates: Held<Object<Certificate>>,
    /// Monitors of the Prometheus operator.
    pub monitors: Held<Object<PodMonitor>>,
}

pub(super) async fn observe(
    cluster: &Cluster,
    service: &ApiService,
    desired: &desired::Extras,
) -> Result<Extras, Error> {
    let served = cluster.served().await?;
    let newest = newest_tls_route(&served);
    let names = |version: TlsVersion| {
        let wanted = (newest == Some(version)).then_some(&desired.tls_routes);
        wanted.into_iter().flatten().map(ResourceExt::name_any)
    };
    let (budgets, autoscalers, policies, http_routes, certificates, monitors) = futures::try_join!(
        held(
            cluster,
            service,
            desired.budgets.iter().map(ResourceExt::name_any)
        ),
        held(
            cluster,
            service,
            desired.autoscalers.iter().map(ResourceExt::name_any)
        ),
        held(
            cluster,
            service,
            desired.policies.iter().map(ResourceExt::name_any)
        ),
        optional(
            cluster,
            service,
            &served,
            desired.http_routes.iter().map(ResourceExt::name_any)
        ),
        optional(
            cluster,
            service,
            &served,
            desired.certificates.iter().map(ResourceExt::name_any)
        ),
        optional(
            cluster,
            service,
            &served,
            desired.monitors.iter().map(ResourceExt::name_any)
        ),
    )?;
    let mut extras = Extras {
        budgets,
        autoscalers,
        policies,
        http_routes,
        certificates,
        monitors,
        ..Extras::default()
    };
    match newest {
        Some(TlsVersion::V1) => {
            extras.tls_routes = optional(cluster, service, &served, names(TlsVersion::V1)).await?;
        }
        Some(TlsVersion::Alpha3) => {
            extras.tls_routes_alpha3 =
                optional(cluster, service, &served, names(TlsVersion::Alpha3)).await?;
        }
        Some(TlsVersion::Alpha2) => {
            extras.tls_routes_alpha2 =
                optional(cluster, service, &served, names(TlsVersion::Alpha2)).await?;
        }
        None => {}
    }
    extras.served = served;
    Ok(extras)
}

/// A version of `TLSRoute`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsVersion {
    V1,
    Alpha3,
    Alpha2,
}

/// The newest version of `TLSRoute` the cluster has: all objects can be had in each.
pub(crate) fn newest_tls_route(served: &Served) -> Option<TlsVersion> {
    let versions = [
        (TlsVersion::V1, served.has::<TlsRoute>()),
        (TlsVersion::Alpha3, served.has::<TlsRouteAlpha3>()),
        (TlsVersion::Alpha2, served.has::<TlsRouteAlpha2>()),
    ];
    let served = versions.into_iter().find(|(_, served)| *served);
    served.map(|(version, _)| version)
}

async fn optional<T: Kind>(
    cluster: &Cluster,
    service: &ApiService,
    served: &Served,
    wanted: impl Iterator<Item = String>,
) -> Result<Held<Object<T>>, Error> {
    if !served.has::<T>() {
        return Ok(Held::new());
    }
    match held(cluster, service, wanted).await {
        // Its definition was deleted meanwhile, and all objects with it.
        Err(error) if error.is_absent() => {
            cluster.forget_served().await;
            Ok(Held::new())
        }
        held => held,
    }
}
