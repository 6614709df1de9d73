//! What somebody else made is never taken, and what is ours stays as it should be.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use kilonova_e2e::Cluster;
use kilonova_e2e::cluster::{apply, kubectl};
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

#[test]
fn a_deployment_that_is_taken_stays_with_its_owner() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("foreign-deployment");
    let foreign = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: nova-metadata, namespace: foreign-deployment},
        spec: {replicas: 0, selector: {matchLabels: {app: theirs}}, template: {metadata: {labels: {app: theirs}},
        spec: {containers: [{name: theirs, image: theirs}]}}}}";
    let made = apply(&[], foreign);
    assert!(made.status.success(), "{made:?}");
    let before: Deployment = namespace.get("nova-metadata").unwrap();
    namespace.apply("apis: [{name: metadata}]");
    let message = namespace.wait_condition("Stalled", "True", Some("NameTaken"));
    assert!(
        message.contains("Deployment") && message.contains("nova-metadata"),
        "{message}"
    );
    let after: Deployment = namespace.get("nova-metadata").unwrap();
    assert_eq!((after.uid(), after.spec), (before.uid(), before.spec));
    assert_eq!(after.metadata.owner_references, None);
}

#[test]
fn another_hand_on_our_deployment_is_corrected() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("other-hands");
    namespace.apply("apis: [{name: metadata}]");
    namespace.wait_ready();
    let ours: Deployment = namespace.get("nova-metadata").unwrap();
    for _ in 0..3 {
        let patch = r#"{"spec": {"minReadySeconds": 7, "template": {"spec": {"terminationGracePeriodSeconds": 1}}}}"#;
        let deployment = ["-n", &namespace.name, "patch", "deployment/nova-metadata"];
        let patched =
            kubectl(&[&deployment[..], &["--field-manager=theirs", "-p", patch]].concat());
        assert!(patched.status.success(), "{patched:?}");
    }
    wait_within(PATIENCE, "what we depend on to be as it was", || {
        let now: Deployment = namespace.get("nova-metadata")?;
        (now.spec?.template == ours.spec.clone()?.template).then_some(())
    });
    namespace.wait_ready();
}
