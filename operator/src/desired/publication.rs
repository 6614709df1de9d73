//! How an API is published: routes of the Gateway API, and the certificate that cert-manager keeps.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::metadata;
use crate::api::{Api, ApiService, Gateway};
use crate::kinds::{Certificate, HttpRoute, Object, TlsRoute};
use crate::names;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// The names clients may know an API by: those of its Service, and of its gateway.
pub fn dns_names(service: &ApiService, api: &Api) -> Vec<String> {
    let name = names::child(&service.name_any(), api.name.dashed());
    let namespace = service.namespace().unwrap_or_default();
    let gateway = api
        .gateway
        .iter()
        .flat_map(|gateway| &gateway.hostnames)
        .cloned();
    let own = [
        format!("{name}.{namespace}.svc"),
        format!("{name}.{namespace}.svc.cluster.local"),
        format!("{name}.{namespace}"),
        name,
    ];
    own.into_iter().chain(gateway).collect()
}

/// The route of an API whose TLS, if any, the Gateway ends.
pub(super) fn http_route(
    service: &ApiService,
    owner: &OwnerReference,
    api: &Api,
) -> Option<Object<HttpRoute>> {
    let gateway = api.gateway.as_ref().filter(|_| api.tls.is_none())?;
    Some(Object::new(
        child(service, owner, api),
        route(service, api, gateway),
    ))
}

/// The route of an API whose TLS ends in its pods.
pub(super) fn tls_route(
    service: &ApiService,
    owner: &OwnerReference,
    api: &Api,
) -> Option<Object<TlsRoute>> {
    let gateway = api.gateway.as_ref().filter(|_| api.tls.is_some())?;
    Some(Object::new(
        child(service, owner, api),
        route(service, api, gateway),
    ))
}

/// What cert-manager is asked for.
pub(super) fn certificate(
    service: &ApiService,
    owner: &OwnerReference,
    api: &Api,
) -> Option<Object<Certificate>> {
    let tls = api.tls.as_ref()?;
    let asked = tls.certificate.as_ref()?;
    let names = if asked.dns_names.is_empty() {
        dns_names(service, api)
    } else {
        asked.dns_names.clone()
    };
    let issuer = &asked.issuer_ref;
    let spec = json!({
        "secretName": tls.secret_name,
        "dnsNames": names,
        "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
        "usages": ["digital signature", "key encipherment", "server auth"],
        // A new key with each certificate: the pods take both over together.
        "privateKey": {"rotationPolicy": "Always"},
    });
    Some(Object::new(child(service, owner, api), spec))
}

fn child(
    service: &ApiService,
    owner: &OwnerReference,
    api: &Api,
) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
    let component = api.name.dashed();
    let name = names::child(&service.name_any(), component);
    metadata(service, owner, name, component)
}

/// Both kinds of route agree in this.
fn route(service: &ApiService, api: &Api, gateway: &Gateway) -> Value {
    let parents: Vec<Value> = gateway.parent_refs.iter().map(parent).collect();
    let backend = json!({
        "group": "",
        "kind": "Service",
        "name": names::child(&service.name_any(), api.name.dashed()),
        "port": api.service_port(),
        "weight": 1,
    });
    let mut spec = json!({"parentRefs": parents, "rules": [{"backendRefs": [backend]}]});
    if !gateway.hostnames.is_empty() {
        spec["hostnames"] = json!(gateway.hostnames);
    }
    spec
}

fn parent(parent: &crate::api::ParentReference) -> Value {
    let mut reference = json!({
        "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": parent.name,
    });
    let optional = [
        (
            "namespace",
            parent.namespace.as_ref().map(|value| json!(value)),
        ),
        (
            "sectionName",
            parent.section_name.as_ref().map(|value| json!(value)),
        ),
        ("port", parent.port.map(|value| json!(value))),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            reference[key] = value;
        }
    }
    reference
}
