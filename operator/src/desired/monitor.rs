//! Who reads the pods' metrics.

use serde_json::json;

use super::Part;
use crate::kinds::{Object, PodMonitor};
use crate::names;

/// The monitor of a part's pods, if one of its APIs asks for it.
pub(super) fn monitor(part: &Part<'_>) -> Option<Object<PodMonitor>> {
    let asked = || {
        let monitors = part.apis.iter().filter_map(|api| api.monitor.as_ref());
        monitors.filter(|monitor| monitor.pod_monitor)
    };
    asked().next()?;
    let mut metadata = part.metadata(part.name());
    let own = metadata.labels.get_or_insert_default();
    for (key, value) in asked().flat_map(|monitor| &monitor.labels) {
        // What the operator finds its children by stays.
        own.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let spec = json!({
        "selector": {"matchLabels": names::selector(&part.instance(), part.component)},
        "podMetricsEndpoints": [{"port": names::ADMIN_PORT_NAME, "path": "/metrics"}],
    });
    Some(Object::new(metadata, spec))
}
