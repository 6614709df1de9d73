//! The pods: non-root under any user id, nothing writable, nothing more than they need.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, LocalObjectReference,
    PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecurityContext, Sysctl, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kilonova_config::ADMIN_PORT;

use super::mounts::{self, CONFIG_DIRECTORY, Mount};
use super::{Part, Release};
use crate::api::{self, Api, Quantities};
use crate::names;

/// What Kubernetes gets for "wait for ever".
const ENDLESS_GRACE_SECONDS: i64 = 3600;
/// Between the end of graceful shutdown and the kubelet's SIGKILL.
const GRACE_MARGIN_SECONDS: i64 = 5;

pub(super) fn template(
    part: &Part<'_>,
    release: &Release,
    cold: &str,
    live: &str,
) -> PodTemplateSpec {
    let instance = part.instance();
    let mut labels = names::labels(&instance, part.component);
    labels.extend(
        part.apis
            .iter()
            .map(|api| (names::api_label(api.name), "true".to_owned())),
    );
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels),
            annotations: Some([(names::SETTINGS_ANNOTATION.to_owned(), live.to_owned())].into()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(part, release, cold, live)),
    }
}

fn pod(part: &Part<'_>, release: &Release, cold: &str, live: &str) -> PodSpec {
    let spec = &part.service.spec;
    let mounts: Vec<Mount> = mounts::mounts(part, cold, live);
    let probes = spec.probes.unwrap_or_default();
    let references = spec.image_pull_secrets.iter();
    let pull_secrets = references.map(|reference| LocalObjectReference {
        name: reference.name.clone(),
    });
    PodSpec {
        containers: vec![Container {
            name: names::CONTAINER.to_owned(),
            image: Some(
                spec.image
                    .clone()
                    .unwrap_or_else(|| release.server_image.clone()),
            ),
            image_pull_policy: spec
                .image_pull_policy
                .map(|policy| policy.as_str().to_owned()),
            args: Some(
                ["serve", "--config", CONFIG_DIRECTORY]
                    .map(str::to_owned)
                    .into(),
            ),
            ports: Some(ports(&part.apis)),
            resources: resources(part),
            volume_mounts: Some(mounts.iter().map(|mount| mount.mounted.clone()).collect()),
            startup_probe: Some(probe("/startupz", probes.startup, 1, 3, 300)),
            liveness_probe: Some(probe("/livez", probes.liveness, 10, 5, 6)),
            readiness_probe: Some(probe("/readyz", probes.readiness, 5, 3, 2)),
            // What a server says before it gives up is one line; this brings it into the resource's condition.
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            security_context: Some(SecurityContext {
                allow_privilege_escalation: Some(false),
                read_only_root_filesystem: Some(true),
                capabilities: Some(Capabilities {
                    drop: Some(vec!["ALL".to_owned()]),
                    add: None,
                }),
                ..SecurityContext::default()
            }),
            ..Container::default()
        }],
        volumes: Some(mounts.into_iter().map(|mount| mount.volume).collect()),
        service_account_name: Some(part.name()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        image_pull_secrets: Some(pull_secrets.collect())
            .filter(|secrets: &Vec<_>| !secrets.is_empty()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            sysctls: low_ports(&part.apis),
            ..PodSecurityContext::default()
        }),
        termination_grace_period_seconds: Some(grace_period(
            spec.drain_delay_seconds,
            spec.graceful_shutdown_timeout_seconds,
        )),
        topology_spread_constraints: Some(
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
                .map(|key| spread(part, key))
                .into(),
        ),
        ..PodSpec::default()
    }
}

fn ports(apis: &[&Api]) -> Vec<ContainerPort> {
    let port = |name: &str, number: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let own = apis
        .iter()
        .map(|api| port(api.name.dashed(), api.listen_port()));
    own.chain([port(names::ADMIN_PORT_NAME, ADMIN_PORT.into())])
        .collect()
}

fn resources(part: &Part<'_>) -> Option<ResourceRequirements> {
    let some = |amounts: &Quantities| Some(amounts.clone()).filter(|amounts| !amounts.is_empty());
    part.resources.map(|resources| ResourceRequirements {
        requests: some(&resources.requests),
        limits: some(&resources.limits),
        ..ResourceRequirements::default()
    })
}

/// Answered by the supervisor, so an overloaded API is not killed for being busy.
fn probe(path: &str, asked: Option<api::Probe>, period: i32, timeout: i32, failures: i32) -> Probe {
    let asked = asked.unwrap_or_default();
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(names::ADMIN_PORT_NAME.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: asked.period_seconds.or(Some(period)),
        timeout_seconds: asked.timeout_seconds.or(Some(timeout)),
        failure_threshold: asked.failure_threshold.or(Some(failures)),
        ..Probe::default()
    }
}

/// One of the sysctls Kubernetes calls safe; it spares a capability.
fn low_ports(apis: &[&Api]) -> Option<Vec<Sysctl>> {
    let needed = apis.iter().any(|api| api.listen_port() < 1024);
    needed.then(|| {
        vec![Sysctl {
            name: "net.ipv4.ip_unprivileged_port_start".to_owned(),
            value: "0".to_owned(),
        }]
    })
}

fn grace_period(drain_delay: i32, graceful_shutdown_timeout: i32) -> i64 {
    match i64::from(graceful_shutdown_timeout) {
        0 => ENDLESS_GRACE_SECONDS,
        seconds => i64::from(drain_delay) + seconds + GRACE_MARGIN_SECONDS,
    }
}

/// Evenly where there is a choice; a single node still takes all. Counted for each `ReplicaSet`, or the pods of the one
/// that goes would push those of the new one to one side.
fn spread(part: &Part<'_>, key: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(names::selector(&part.instance(), part.component)),
            ..LabelSelector::default()
        }),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}
