//! Kinds that a cluster may or may not have, as far as the operator makes them: what is in them is written as JSON, and
//! they are read for their names and owners only.

use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind in one version.
pub trait Kind: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// Its API group.
    const GROUP: &'static str;
    /// The version.
    const VERSION: &'static str;
    /// Its name.
    const KIND: &'static str;
    /// The resource's name.
    const PLURAL: &'static str;
}

/// An object of a kind.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Object<T: Kind> {
    /// Name, labels, owner.
    pub metadata: ObjectMeta,
    /// What is asked for.
    #[serde(default)]
    pub spec: Value,
    #[serde(skip)]
    kind: PhantomData<T>,
}

impl<T: Kind> Object<T> {
    /// One to be made.
    pub fn new(metadata: ObjectMeta, spec: Value) -> Self {
        Self {
            metadata,
            spec,
            kind: PhantomData,
        }
    }

    /// The same in another version.
    pub fn version<Other: Kind>(&self) -> Object<Other> {
        Object::new(self.metadata.clone(), self.spec.clone())
    }
}

impl<T: Kind> Resource for Object<T> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        T::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        T::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        T::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        T::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

const GATEWAY: &str = "gateway.networking.k8s.io";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $group:expr, $version:literal, $kind:literal, $plural:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name;

            impl Kind for $name {
                const GROUP: &'static str = $group;
                const VERSION: &'static str = $version;
                const KIND: &'static str = $kind;
                const PLURAL: &'static str = $plural;
            }
        )*
    };
}

kinds! {
    /// Publishes a Service that speaks HTTP.
    HttpRoute: GATEWAY, "v1", "HTTPRoute", "httproutes";
    /// Publishes a Service in which TLS ends.
    TlsRoute: GATEWAY, "v1", "TLSRoute", "tlsroutes";
    /// The same before it was finished.
    TlsRouteAlpha3: GATEWAY, "v1alpha3", "TLSRoute", "tlsroutes";
    /// The same in its first form.
    TlsRouteAlpha2: GATEWAY, "v1alpha2", "TLSRoute", "tlsroutes";
    /// Has cert-manager keep a Secret.
    Certificate: "cert-manager.io", "v1", "Certificate", "certificates";
    /// Has Prometheus read the pods' metrics.
    PodMonitor: "monitoring.coreos.com", "v1", "PodMonitor", "podmonitors";
}

/// The groups and versions that are looked for.
pub const VERSIONS: [(&str, &str); 5] = [
    (GATEWAY, "v1"),
    (GATEWAY, "v1alpha3"),
    (GATEWAY, "v1alpha2"),
    (Certificate::GROUP, Certificate::VERSION),
    (PodMonitor::GROUP, PodMonitor::VERSION),
];
