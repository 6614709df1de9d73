//! The resource: what a user writes ([`ApiServiceSpec`]) and what is answered ([`ApiServiceStatus`]).
//!
//! What one object shows to be wrong is refused by the API server, through the schema and the CEL rules in [`rules`].

pub mod rules;
pub mod schema;
// Their comments are what `kubectl explain` prints: plain text.
#[allow(clippy::doc_markdown)]
mod spec;
#[allow(clippy::doc_markdown)]
mod status;

pub use spec::{
    Api, ApiName, ApiService, ApiServiceSpec, ClientAuth, Http, ImagePullPolicy, LocalReference,
    Logging, PodLayout, Quantities, Resources, Service, ServiceType, Tls,
};
pub use status::{ApiServiceStatus, ApiState, Certificate, Workers};

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
    definition
}
