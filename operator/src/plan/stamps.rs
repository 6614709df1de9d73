//! Annotations in a template whose change replaces pods that would otherwise look the same.

use k8s_openapi::api::core::v1::PodTemplateSpec;

use crate::desired::Workload;
use crate::names::{DEADLINE_ANNOTATION, RESTART_ANNOTATION};

/// What stands there.
pub fn stamped(template: &PodTemplateSpec, key: &str) -> Option<String> {
    let annotations = template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(key).cloned()
}

/// Puts something there.
pub fn stamp(workload: &mut Workload, key: &str, value: Option<String>) {
    if let (Some(value), Some(spec)) = (value, &mut workload.deployment.spec) {
        let metadata = spec.template.metadata.get_or_insert_default();
        let annotations = metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), value);
    }
}

/// A template without what we stamp into it.
pub fn stripped(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    if let Some(metadata) = &mut template.metadata
        && let Some(annotations) = &mut metadata.annotations
    {
        annotations
            .retain(|key, _| ![RESTART_ANNOTATION, DEADLINE_ANNOTATION].contains(&key.as_str()));
        if annotations.is_empty() {
            metadata.annotations = None;
        }
    }
    template
}
