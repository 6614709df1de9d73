//! What a user lays over the pods, and what may not be changed by it.

use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use serde_json::Value;

use super::strict;
use crate::names::CONTAINER;

/// The rendered template with `asked` laid over it; or everything that is wrong with `asked`.
pub(super) fn lay_over(
    rendered: &PodTemplateSpec,
    asked: &Value,
) -> Result<PodTemplateSpec, Vec<String>> {
    let asked: PodTemplateSpec = strict::read(asked)?;
    let mut wrong = unnamed(&asked);
    let mut merged = rendered.clone();
    merged.merge_from(asked);
    wrong.extend(changed(rendered, &merged));
    if wrong.is_empty() {
        Ok(merged)
    } else {
        Err(wrong)
    }
}

/// Lists are joined by name, so what has none would only be added.
fn unnamed(asked: &PodTemplateSpec) -> Vec<String> {
    let Some(pod) = &asked.spec else {
        return Vec::new();
    };
    let containers = pod.containers.iter();
    let containers = containers.chain(pod.init_containers.iter().flatten());
    let mut wrong = Vec::new();
    if containers
        .filter(|container| container.name.is_empty())
        .count()
        > 0
    {
        wrong.push(format!(
            "a container has no name: the server's is called {CONTAINER}"
        ));
    }
    if pod
        .volumes
        .iter()
        .flatten()
        .any(|volume| volume.name.is_empty())
    {
        wrong.push("a volume has no name".to_owned());
    }
    wrong
}

/// What differs of that which the operator and the server depend on.
fn changed(rendered: &PodTemplateSpec, merged: &PodTemplateSpec) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut keep = |same: bool, what: &str, why: &str| {
        if !same {
            wrong.push(format!("{what} may not be changed: {why}"));
        }
    };
    let none = std::collections::BTreeMap::new();
    let labels = |template: &PodTemplateSpec| {
        let metadata = template.metadata.clone().unwrap_or_default();
        metadata.labels.unwrap_or_else(|| none.clone())
    };
    let (before, after) = (labels(rendered), labels(merged));
    for (key, value) in &before {
        keep(
            after.get(key) == Some(value),
            &format!("metadata.labels[{key}]"),
            "Deployments, Services and the operator find the pods by it",
        );
    }
    let annotations = |template: &PodTemplateSpec| {
        let metadata = template.metadata.clone().unwrap_or_default();
        metadata.annotations.unwrap_or_else(|| none.clone())
    };
    let (before, after) = (annotations(rendered), annotations(merged));
    for (key, value) in &before {
        keep(
            after.get(key) == Some(value),
            &format!("metadata.annotations[{key}]"),
            "the operator tells by it what the pods run with",
        );
    }
    let pod = |template: &PodTemplateSpec| template.spec.clone().unwrap_or_default();
    let (before, after) = (pod(rendered), pod(merged));
    keep(
        before.termination_grace_period_seconds == after.termination_grace_period_seconds,
        "spec.terminationGracePeriodSeconds",
        "it follows from drainDelaySeconds and gracefulShutdownTimeoutSeconds",
    );
    let volumes = |pod: &PodSpec| pod.volumes.clone().unwrap_or_default();
    for volume in volumes(&before) {
        keep(
            volumes(&after).contains(&volume),
            &format!("spec.volumes[{}]", volume.name),
            "the server reads it; give yours another name",
        );
    }
    let (Some(before), Some(after)) = (server(&before), server(&after)) else {
        return wrong;
    };
    let field = |name: &str| format!("spec.containers[{CONTAINER}].{name}");
    let started = "it starts the server with its settings";
    keep(before.command == after.command, &field("command"), started);
    keep(before.args == after.args, &field("args"), started);
    let probed = "use spec.probes for periods and thresholds";
    for (name, same) in [
        ("startupProbe", before.startup_probe == after.startup_probe),
        (
            "livenessProbe",
            before.liveness_probe == after.liveness_probe,
        ),
        (
            "readinessProbe",
            before.readiness_probe == after.readiness_probe,
        ),
    ] {
        keep(same, &field(name), probed);
    }
    for mount in before.volume_mounts.iter().flatten() {
        keep(
            holds(after.volume_mounts.as_ref(), mount),
            &field(&format!("volumeMounts[{}]", mount.mount_path)),
            "the server reads it; mount yours elsewhere",
        );
    }
    for port in before.ports.iter().flatten() {
        let taken =
            after.ports.iter().flatten().filter(|other| {
                other.name == port.name || other.container_port == port.container_port
            });
        keep(
            holds(after.ports.as_ref(), port) && taken.count() == 1,
            &field(&format!("ports[{}]", port.container_port)),
            "set spec.apis[].port; the admin port is fixed",
        );
    }
    wrong
}

fn holds<T: PartialEq>(list: Option<&Vec<T>>, item: &T) -> bool {
    list.is_some_and(|list| list.contains(item))
}

fn server(pod: &PodSpec) -> Option<&Container> {
    pod.containers
        .iter()
        .find(|container| container.name == CONTAINER)
}
