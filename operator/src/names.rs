//! Every name, label and selector an `ApiService` implies.

use std::collections::BTreeMap;

use crate::api::ApiName;

/// Name of the operator, as it signs what it writes.
pub const OPERATOR: &str = "kilonova-operator";
/// The second field manager: it owns `spec.replicas` of a Deployment and nothing else.
pub const REPLICAS_MANAGER: &str = "kilonova-replicas";
/// Name of the container, and of what it runs.
pub const CONTAINER: &str = "kilonova";
/// Name of the containers' admin port.
pub const ADMIN_PORT_NAME: &str = "admin";
/// Annotation the operator changes on a running pod to make the kubelet look at its volumes.
pub const REFRESH_ANNOTATION: &str = "kilonova.dev/refresh";
/// Annotation of a Deployment that names the record of the template it was given.
pub const RECORD_ANNOTATION: &str = "kilonova.dev/record";
/// Annotation of pods: the live settings they mount.
pub const SETTINGS_ANNOTATION: &str = "kilonova.dev/settings";
/// Annotation of an `ApiService` that lets steps of its plan go ahead: their hashes.
pub const APPROVE_ANNOTATION: &str = "kilonova.dev/approve";
/// Annotation of an `ApiService` that replaces its pods, each time it changes; it stands in the pods' template.
pub const RESTART_ANNOTATION: &str = "kilonova.dev/restart-at";
/// Annotation of an `ApiService` that lets its pods read their settings again, each time it changes.
pub const RELOAD_ANNOTATION: &str = "kilonova.dev/reload-at";
/// Annotation in a pod template: what pods did not take over in time and were therefore replaced for.
pub const DEADLINE_ANNOTATION: &str = "kilonova.dev/replaced-for";
/// Annotation of a child: the hash of what was applied last. What the operator learnt by applying survives its restart so.
pub const APPLIED_ANNOTATION: &str = "kilonova.dev/applied";
/// Component of the Deployment that runs all APIs.
pub const COMBINED: &str = "api";

/// What the keys of our own labels and annotations begin with.
pub const OUR_PREFIX: &str = "kilonova.dev/";
/// Label that names the `ApiService` something was made for.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label that says what an object is of.
pub const NAME: &str = "app.kubernetes.io/name";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const APPLICATION: &str = "kilonova";

/// Labels by key.
pub type Labels = BTreeMap<String, String>;

/// Name of the children of one component (an API, or [`COMBINED`]).
pub fn child(instance: &str, component: &str) -> String {
    format!("{instance}-{component}")
}

/// Labels of everything made for an `ApiService`.
pub fn labels(instance: &str, component: &str) -> Labels {
    let mut labels = selector(instance, component);
    labels.insert(MANAGED_BY.to_owned(), OPERATOR.to_owned());
    labels
}

/// What a Deployment selects its pods by. It can never be changed on a Deployment that exists.
pub fn selector(instance: &str, component: &str) -> Labels {
    let mut labels = instance_labels(instance);
    labels.insert(COMPONENT.to_owned(), component.to_owned());
    labels
}

/// What a Service selects its pods by: any pod of the `ApiService` that runs the API, whichever its layout.
pub fn api_selector(instance: &str, api: ApiName) -> Labels {
    let mut labels = instance_labels(instance);
    labels.insert(api_label(api), "true".to_owned());
    labels
}

/// Label of the pods that run an API.
pub fn api_label(api: ApiName) -> String {
    format!("kilonova.dev/{}", api.dashed())
}

/// The component that labels name.
pub fn component(labels: &Labels) -> Option<&str> {
    labels.get(COMPONENT).map(String::as_str)
}

/// Label selector of everything the operator made, for all `ApiService`s.
pub fn managed_selector() -> String {
    format!("{MANAGED_BY}={OPERATOR}")
}

/// Label selector of everything made for one `ApiService`.
pub fn instance_selector(instance: &str) -> String {
    format!("{},{INSTANCE}={instance}", managed_selector())
}

/// Label selector of everything of a kind but what the operator made.
pub fn foreign_selector() -> String {
    format!("{MANAGED_BY}!={OPERATOR}")
}

/// Labels as a selector is written.
pub fn written(labels: &Labels) -> String {
    let pairs: Vec<_> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}

fn instance_labels(instance: &str) -> Labels {
    [
        (NAME.to_owned(), APPLICATION.to_owned()),
        (INSTANCE.to_owned(), instance.to_owned()),
    ]
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_the_resource_may_have_fits_a_service() {
        let longest = "n".repeat(49);
        for api in [ApiName::OsapiCompute, ApiName::Metadata] {
            assert!(child(&longest, api.dashed()).len() <= 63);
        }
    }

    #[test]
    fn selectors_never_change() {
        assert_eq!(
            written(&selector("nova", "osapi-compute")),
            "app.kubernetes.io/component=osapi-compute,app.kubernetes.io/instance=nova,app.kubernetes.io/name=kilonova"
        );
        assert_eq!(
            written(&api_selector("nova", ApiName::OsapiCompute)),
            "app.kubernetes.io/instance=nova,app.kubernetes.io/name=kilonova,kilonova.dev/osapi-compute=true"
        );
    }
}
