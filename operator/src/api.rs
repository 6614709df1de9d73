//! The resource: what a user writes ([`ApiServiceSpec`]) and what is answered ([`ApiServiceStatus`]).
//!
//! What one object shows to be wrong is refused by the API server, through the schema and the CEL rules in [`rules`].

// Comments in these are what `kubectl explain` prints: plain text.
#[allow(clippy::doc_markdown)]
mod entry;
#[allow(clippy::doc_markdown)]
mod http;
#[allow(clippy::doc_markdown)]
mod logging;
mod resources;
pub mod rules;
pub mod schema;
mod service;
#[allow(clippy::doc_markdown)]
mod spec;
#[allow(clippy::doc_markdown)]
mod status;
#[allow(clippy::doc_markdown)]
mod tls;

pub use entry::{Api, ApiName};
pub use http::Http;
pub use logging::Logging;
pub use resources::{Quantities, Resources};
pub use service::{Service, ServiceType};
pub use spec::{
    ApiService, ApiServiceSpec, ImagePullPolicy, LocalReference, PodLayout, UpdatePolicy,
};
pub use status::{
    ApiServiceStatus, ApiState, Certificate, Effect, PlanItem, PlanState, Revision, Workers,
};
pub use tls::{ClientAuth, Tls};

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
