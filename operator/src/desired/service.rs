//! One Service for each API, whichever pods run it.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::metadata;
use crate::api::{Api, ApiService, IpFamilyPolicy, ServiceType, TrafficPolicy};
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
    let asked = asked.cloned().unwrap_or_default();
    // What the type does not have stays away from the API server, which would refuse it.
    let balanced = asked.type_ == ServiceType::LoadBalancer;
    let published = asked.type_ != ServiceType::ClusterIP;
    let ranges = asked.load_balancer_source_ranges;
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(asked.type_.as_str().to_owned()),
            selector: Some(names::api_selector(&instance, api.name)),
            ports: Some(vec![ServicePort {
                name: Some(component.to_owned()),
                port: api.service_port(),
                protocol: Some("TCP".to_owned()),
                app_protocol: Some(if api.tls.is_some() { "https" } else { "http" }.to_owned()),
                // By name: the pods of two generations may listen on different ports.
                target_port: Some(IntOrString::String(component.to_owned())),
                node_port: asked.node_port.filter(|_| published),
            }]),
            load_balancer_class: asked.load_balancer_class.filter(|_| balanced),
            load_balancer_source_ranges: Some(ranges)
                .filter(|ranges| balanced && !ranges.is_empty()),
            external_traffic_policy: asked
                .external_traffic_policy
                .filter(|_| published)
                .map(|policy| TrafficPolicy::as_str(policy).to_owned()),
            ip_family_policy: asked
                .ip_family_policy
                .map(|policy| IpFamilyPolicy::as_str(policy).to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
