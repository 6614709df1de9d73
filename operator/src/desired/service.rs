//! One Service for each API, whichever pods run it.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::metadata;
use crate::api::{Api, ApiService, ServiceType};
use crate::names;

pub(super) fn service(service: &ApiService, owner: &OwnerReference, api: &Api) -> Service {
    let instance = service.name_any();
    let component = api.name.dashed();
    let asked = api.service.as_ref();
    let mut metadata = metadata(
        service,
        owner,
        names::child(&instance, component),
        component,
    );
    metadata.annotations = asked
        .map(|asked| asked.annotations.clone())
        .filter(|annotations| !annotations.is_empty());
    let type_ = asked.map_or(ServiceType::ClusterIP, |asked| asked.type_);
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(type_.as_str().to_owned()),
            selector: Some(names::api_selector(&instance, api.name)),
            ports: Some(vec![ServicePort {
                name: Some(component.to_owned()),
                port: api.service_port(),
                protocol: Some("TCP".to_owned()),
                app_protocol: Some(if api.tls.is_some() { "https" } else { "http" }.to_owned()),
                // By name: the pods of two generations may listen on different ports.
                target_port: Some(IntOrString::String(component.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
