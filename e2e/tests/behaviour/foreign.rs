//! What somebody else made is never taken.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use kilonova_e2e::Cluster;
use kilonova_e2e::namespace::PATIENCE;
use kilonova_probe::wait_within;
use kube::ResourceExt;
use kube::api::ObjectMeta;

#[test]
fn a_name_that_is_taken_stays_with_its_owner() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("foreign");
    // openstack-helm has a Service of this name, too.
    namespace.create_object(&Service {
        metadata: ObjectMeta {
            name: Some("nova-metadata".to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            ports: Some(vec![ServicePort {
                port: 1234,
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    });
    let before: Service = namespace.get("nova-metadata").unwrap();
    namespace.apply("apis: [{name: metadata}]");
    let message = namespace.wait_condition("Stalled", "True", Some("NameTaken"));
    assert!(
        message.contains("Service") && message.contains("nova-metadata"),
        "{message}"
    );
    assert_eq!(namespace.get::<Service>("nova-metadata").unwrap(), before);

    namespace.delete::<Service>("nova-metadata");
    wait_within(PATIENCE, "our own Service", || {
        let ours: Service = namespace.get("nova-metadata")?;
        (ours.uid() != before.uid()).then_some(())
    });
    namespace.wait_ready();
}
