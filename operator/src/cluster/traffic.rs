//! What every request passes on its way out: it is counted, and a write only goes while the gate is open.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{BoxError, Layer, Service};

use crate::lease::gate::Gate;
use crate::metrics::Metrics;

/// A client of the API server that `config` names. Nothing is tried again below a reconcile: it would go on after the
/// lease is lost, and every reconcile that fails is tried again as a whole.
pub fn client(mut config: Config, gate: Gate, metrics: Metrics) -> kube::Result<Client> {
    config.default_retry = false;
    let watched = Traffic { gate, metrics };
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&watched)
        .build())
}

/// The layer: see the module.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Asked before every write.
    pub gate: Gate,
    /// Counts every request.
    pub metrics: Metrics,
}

impl<S> Layer<S> for Traffic {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched {
            inner,
            traffic: self.clone(),
        }
    }
}

/// A service with the layer around it.
#[derive(Clone, Debug)]
pub struct Watched<S> {
    inner: S,
    traffic: Traffic,
}

impl<S, B> Service<Request<Body>> for Watched<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let asked = Asked::of(request.method(), request.uri());
        // Who leads is decided by writing Leases.
        if asked.verb.is_write()
            && asked.resource != "leases"
            && let Err(closed) = self.traffic.gate.check()
        {
            return Box::pin(async move { Err(closed.into()) });
        }
        let (metrics, answer) = (self.traffic.metrics.clone(), self.inner.call(request));
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map(|answer| answer.status().as_u16());
            metrics.requested(asked.verb.name(), &asked.resource, code.ok());
            answer.map_err(Into::into)
        })
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    verb: Verb,
    /// With its subresource; `other` for what is no resource, so that the labels are bounded.
    resource: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

impl Asked {
    fn of(method: &Method, uri: &http::Uri) -> Self {
        let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let rest = match parts.as_slice() {
            ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
            _ => &[],
        };
        let rest = match rest {
            ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
            rest => rest,
        };
        let watches = uri.query().is_some_and(|query| {
            query
                .split('&')
                .any(|pair| pair == "watch=true" || pair == "watch=1")
        });
        let verb = match *method {
            Method::GET | Method::HEAD if watches => Verb::Watch,
            Method::GET | Method::HEAD if rest.len() == 1 => Verb::List,
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::DELETE => Verb::Delete,
            _ => Verb::Patch,
        };
        let resource = match rest {
            [resource] | [resource, _] => (*resource).to_owned(),
            [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
            [] => "other".to_owned(),
        };
        Self { verb, resource }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("GET", "/api/v1/namespaces/cloud/services/nova", "get services")]
    #[case("GET", "/api/v1/secrets?watch=true&resourceVersion=7", "watch secrets")]
    #[case("GET", "/apis/apps/v1/deployments?limit=100", "list deployments")]
    #[case("GET", "/openapi/v3/apis/kilonova.dev/v1alpha1", "get other")]
    #[case(
        "PATCH",
        "/apis/kilonova.dev/v1alpha1/namespaces/a/novaapiservices/n/status",
        "patch novaapiservices/status"
    )]
    #[case(
        "POST",
        "/apis/events.k8s.io/v1/namespaces/cloud/events?",
        "create events"
    )]
    #[case(
        "PUT",
        "/apis/coordination.k8s.io/v1/namespaces/k/leases/l",
        "update leases"
    )]
    #[case("DELETE", "/api/v1/namespaces/cloud/configmaps/c", "delete configmaps")]
    fn requests_are_told_as_roles_tell_them(
        #[case] method: Method,
        #[case] uri: http::Uri,
        #[case] expected: &str,
    ) {
        let asked = Asked::of(&method, &uri);
        assert_eq!(
            format!("{} {}", asked.verb.name(), asked.resource),
            expected
        );
    }
}
