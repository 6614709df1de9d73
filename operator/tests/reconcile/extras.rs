//! What stands beside Deployments and Services.

use std::time::Duration;

use crate::operator::Operator;
use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

const SCALED: &str = "{replicas: 2, database: {secretName: db}, resources: {requests: {cpu: 1}}, \
                      autoscaling: {minReplicas: 3, maxReplicas: 9, targetCPUUtilizationPercentage: 70}, \
                      apis: [{name: metadata}]}";
const FIXED: &str = "{replicas: 2, database: {secretName: db}, apis: [{name: metadata}]}";
const PUBLISHED: &str = "{apis: [{name: metadata, gateway: {parentRefs: [{name: public}]}, \
                         monitor: {podMonitor: true}}]}";

fn world(spec: &str) -> World {
    let world = World::with(spec);
    world.secret("db", &[("connection", "mysql://nova:secret@db/nova")]);
    world
}

fn replicas(world: &World) -> i64 {
    world.server.get("deployments", "nova-metadata").unwrap()["spec"]["replicas"]
        .as_i64()
        .unwrap()
}

fn scale(world: &World, replicas: i64) {
    world
        .server
        .change("deployments", "nova-metadata", |deployment| {
            deployment["spec"]["replicas"] = replicas.into();
        });
}

#[tokio::test]
async fn the_number_of_pods_is_handed_over_and_taken_back_without_a_dip() {
    let world = world(FIXED);
    world.settle().await;
    assert_eq!(replicas(&world), 2);
    world.spec(SCALED);
    world.settle().await;
    assert_eq!(replicas(&world), 2, "until somebody else decides");
    assert_eq!(
        world.server.names("horizontalpodautoscalers"),
        ["nova-metadata"]
    );
    scale(&world, 7);
    world.settle().await;
    assert_eq!(replicas(&world), 7);
    assert_eq!(world.status()["ready"], "7/7");
    world.spec(FIXED);
    let writes = {
        world.reconcile().await;
        world.server.writes()
    };
    let place = |what: &str| writes.iter().position(|write| write == what);
    assert!(
        place("delete horizontalpodautoscalers nova-metadata")
            < place("patch deployments nova-metadata"),
        "{writes:?}"
    );
    assert_eq!(replicas(&world), 2);
}

#[tokio::test]
async fn a_deployment_that_is_scaled_from_the_start_begins_with_the_fewest_pods() {
    let world = world(SCALED);
    world.settle().await;
    assert_eq!(replicas(&world), 3);
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_missing_kind_is_told_and_made_when_the_kind_appears() {
    let world = World::with(PUBLISHED);
    world.settle().await;
    assert_eq!(
        world.condition("Stalled"),
        "True KindMissing: PodMonitor nova-metadata cannot be made: the CustomResourceDefinition \
         podmonitors.monitoring.coreos.com is not installed: install the Prometheus operator, or remove \
         monitor.podMonitor; everything else goes on"
    );
    assert_eq!(world.server.names("deployments"), ["nova-metadata"]);
    world
        .server
        .install("monitoring.coreos.com/v1", "podmonitors");
    world
        .server
        .install("gateway.networking.k8s.io/v1", "httproutes");
    tokio::time::advance(Duration::from_secs(31)).await;
    world.settle().await;
    assert_eq!(world.server.names("podmonitors"), ["nova-metadata"]);
    assert_eq!(world.server.names("httproutes"), ["nova-metadata"]);
    assert!(world.condition("Ready").starts_with("True "));

    world.spec("{apis: [{name: metadata}]}");
    world.settle().await;
    assert!(world.server.names("podmonitors").is_empty());
    assert!(world.server.names("httproutes").is_empty());
}

#[tokio::test]
async fn a_route_of_somebody_else_is_left_alone() {
    let world = World::with("{apis: [{name: metadata, gateway: {parentRefs: [{name: public}]}}]}");
    world
        .server
        .install("gateway.networking.k8s.io/v1", "httproutes");
    let theirs = serde_json::json!({"metadata": {"name": "nova-metadata", "namespace": "cloud"}, "spec": {"theirs": 1}});
    world.server.put("httproutes", theirs);
    world.settle().await;
    assert!(
        world
            .condition("Stalled")
            .starts_with("True NameTaken: HTTPRoute nova-metadata "),
        "{}",
        world.condition("Stalled")
    );
    let left = world.server.get("httproutes", "nova-metadata").unwrap();
    assert_eq!(left["spec"]["theirs"], 1);
}

#[tokio::test]
async fn tls_routes_are_written_in_the_newest_version_there_is() {
    let world = World::with(
        "{apis: [{name: metadata, tls: {secretName: a}, gateway: {parentRefs: [{name: public}], hostnames: [h]}}]}",
    );
    world.certificate("a");
    world
        .server
        .install("gateway.networking.k8s.io/v1alpha2", "tlsroutes");
    world.settle().await;
    let route = world.server.get("tlsroutes", "nova-metadata").unwrap();
    assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1alpha2");
}

#[tokio::test]
async fn a_pod_template_that_cannot_be_keeps_what_runs_and_is_told() {
    let world = world(FIXED);
    world.settle().await;
    let before = world.server.get("deployments", "nova-metadata").unwrap();
    world.spec(
        "{replicas: 2, database: {secretName: db}, podTemplate: {spec: {terminationGracePeriodSeconds: 1}}, \
         apis: [{name: metadata, workers: 7}]}",
    );
    world.settle().await;
    let after = world.server.get("deployments", "nova-metadata").unwrap();
    assert_eq!(before["spec"], after["spec"]);
    assert_eq!(
        world.condition("Ready"),
        "False PodTemplateInvalid: spec.podTemplate: spec.terminationGracePeriodSeconds may not be changed: it follows \
         from drainDelaySeconds and gracefulShutdownTimeoutSeconds"
    );
    assert!(
        world
            .condition("ConfigAccepted")
            .starts_with("False PodTemplateInvalid: spec.podTemplate: ")
    );
}

#[tokio::test]
async fn a_certificate_is_asked_for_while_the_roll_waits_for_its_secret() {
    let world = World::with("{apis: [{name: metadata}]}");
    world.server.install("cert-manager.io/v1", "certificates");
    world.settle().await;
    let before = world.server.get("deployments", "nova-metadata").unwrap();
    world.spec(
        "{apis: [{name: metadata, tls: {secretName: issued, certificate: {issuerRef: {name: ca}}}}]}",
    );
    world.settle().await;
    let asked = world.server.get("certificates", "nova-metadata").unwrap();
    assert_eq!(asked["spec"]["secretName"], "issued");
    let waits = world.server.get("deployments", "nova-metadata").unwrap();
    assert_eq!(waits["spec"], before["spec"]);
    world.certificate("issued");
    world.settle().await;
    assert_eq!(world.server.names("certificates"), ["nova-metadata"]);
    assert!(world.condition("Ready").starts_with("True "));
}

#[tokio::test]
async fn a_database_that_is_shared_is_complained_of_once() {
    let world = World::with(
        "{database: {secretName: db}, apis: [{name: osapi_compute}, {name: metadata}]}",
    );
    world.settle().await;
    let said = world.condition("DatabaseReady");
    assert!(
        said.starts_with("False SecretNotFound: Secret cloud/db "),
        "{said}"
    );
    assert_eq!(said.matches("cloud/db").count(), 1, "{said}");
    assert!(world.server.names("deployments").is_empty());
}

#[tokio::test(start_paused = true)]
async fn kinds_that_come_and_go_are_watched_while_they_are_there() {
    let (version, kind) = ("monitoring.coreos.com/v1", "podmonitors");
    let world = World::with("{apis: [{name: metadata, monitor: {podMonitor: true}}]}");
    let operator = Operator::start(&world.server);
    for _ in 0..2 {
        operator.quiet(MINUTE).await;
        world.bring_up();
        operator.quiet(2 * MINUTE).await;
        assert!(
            world.condition("Stalled").starts_with("True KindMissing"),
            "{}",
            world.condition("Stalled")
        );
        world.server.install(version, kind);
        operator.quiet(2 * MINUTE).await;
        assert!(world.condition("Ready").starts_with("True "));
        // Soon: nothing but the watch tells of it.
        world.server.remove(kind, "nova-metadata");
        operator.quiet(Duration::from_secs(5)).await;
        assert_eq!(world.server.names(kind), ["nova-metadata"]);
        world.server.uninstall(version, kind);
        operator.quiet(15 * MINUTE).await;
    }
    operator.stop().await;
}

#[tokio::test]
async fn metrics_that_are_none_leave_the_number_of_pods_as_it_is() {
    let world = world(SCALED);
    world.settle().await;
    scale(&world, 5);
    world.spec(
        "{database: {secretName: db}, autoscaling: {maxReplicas: 9, metrics: [{type: Resource, recource: {}}]}, \
         apis: [{name: metadata}]}",
    );
    world.settle().await;
    assert_eq!(replicas(&world), 5);
    assert_eq!(
        world.server.names("horizontalpodautoscalers"),
        ["nova-metadata"]
    );
    assert_eq!(
        world.condition("Stalled"),
        "True AutoscalingInvalid: spec.autoscaling: metrics[0] is no metric of a HorizontalPodAutoscaler \
         (autoscaling/v2): there is no field recource; the number of pods stays as it is"
    );
}

#[tokio::test]
async fn what_belongs_to_old_pods_goes_when_they_go() {
    let world = world(
        "{database: {secretName: db}, apis: [{name: metadata, networkPolicy: {}, autoscaling: {external: true}}]}",
    );
    world.settle().await;
    world.spec(
        "{podLayout: Combined, database: {secretName: db}, apis: [{name: metadata, networkPolicy: {}}]}",
    );
    world.reconcile().await;
    assert_eq!(
        world.server.names("networkpolicies"),
        ["nova-api", "nova-metadata"]
    );
    world.settle().await;
    world.settle().await;
    assert_eq!(world.server.names("networkpolicies"), ["nova-api"]);
    assert_eq!(world.server.names("poddisruptionbudgets"), ["nova-api"]);
}
