//! The resource: what a user writes ([`ApiServiceSpec`]) and what is answered ([`ApiServiceStatus`]).
//!
//! What one object shows to be wrong is refused by the API server, through the schema and the CEL rules in [`rules`].

// Comments of fields are what `kubectl explain` prints: plain text.
#![allow(clippy::doc_markdown)]

mod autoscaling;
mod database;
mod entry;
mod gateway;
mod http;
mod logging;
mod monitor;
mod network;
mod probes;
mod resources;
pub mod rules;
pub mod schema;
mod service;
mod spec;
mod status;
mod tls;

pub use autoscaling::Autoscaling;
pub use database::Database;
pub use entry::{Api, ApiName};
pub use gateway::{Gateway, ParentReference};
pub use http::{AccessLog, Http, ProxyProtocol};
pub use logging::Logging;
pub use monitor::Monitor;
pub use network::NetworkPolicy;
pub use probes::{Probe, Probes};
pub use resources::{Quantities, Resources};
pub use service::{IpFamilyPolicy, Service, ServiceType, TrafficPolicy};
pub use spec::{
    ApiService, ApiServiceSpec, ImagePullPolicy, LocalReference, PodLayout, UpdatePolicy,
};
pub use status::{
    ApiServiceStatus, ApiState, Certificate, Effect, PlanItem, PlanState, Revision, Workers,
};
pub use tls::{CertificateRequest, ClientAuth, IssuerReference, Tls};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

/// Label of a [`CustomResourceDefinition`] that says which release printed it.
pub const RELEASE_LABEL: &str = "app.kubernetes.io/version";

/// The definition to install, as `kilonova-operator crd` prints it.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = ApiService::crd();
    definition.metadata.labels = Some(
        [
            ("app.kubernetes.io/name".to_owned(), "kilonova".to_owned()),
            (
                RELEASE_LABEL.to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
        ]
        .into(),
    );
    // An absent status is absent, not null.
    for version in &mut definition.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        let properties = schema.and_then(|schema| schema.properties.as_mut());
        if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
            status.nullable = None;
        }
    }
    definition
}
