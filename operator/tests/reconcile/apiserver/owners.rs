//! Who owns the number of a Deployment's pods.

use serde_json::{Value, json};

/// Names of the field managers that do.
pub fn owners(object: &Value) -> impl Iterator<Item = &str> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["manager"].as_str())
}

/// `manager` does, or does not.
pub fn own(object: &mut Value, manager: &str, owns: bool) {
    let mut owners: Vec<String> = owners(object).map(str::to_owned).collect();
    owners.retain(|owner| owner != manager);
    if owns {
        owners.push(manager.to_owned());
    }
    let entries: Vec<Value> = owners
        .iter()
        .map(|owner| {
            json!({
                "manager": owner, "operation": "Apply", "apiVersion": "apps/v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}},
            })
        })
        .collect();
    object["metadata"]["managedFields"] = json!(entries);
}
