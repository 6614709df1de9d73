//! Whether a child is still as it was applied, although its resource version says that something happened to it.
//!
//! The annotation says what was applied last, so nothing we gave up is left; and every field we want holds what we want.
//! What others added is theirs. When in doubt the child is applied again, which changes nothing.

use kube::ResourceExt;
use serde_json::Value;

use crate::Error;
use crate::cluster::Child;
use crate::names::APPLIED_ANNOTATION;

/// Whether `held` is what an apply of `wanted`, which has this hash, would leave.
pub fn is_as_applied<K: Child>(held: &K, wanted: &K, hash: &str) -> Result<bool, Error> {
    if held
        .annotations()
        .get(APPLIED_ANNOTATION)
        .map(String::as_str)
        != Some(hash)
    {
        return Ok(false);
    }
    let (wanted, held) = (serde_json::to_value(wanted)?, serde_json::to_value(held)?);
    Ok(is_within(&wanted, &held))
}

fn is_within(wanted: &Value, held: &Value) -> bool {
    match (wanted, held) {
        (Value::Object(wanted), Value::Object(held)) => wanted
            .iter()
            .all(|(key, value)| is_within(value, held.get(key).unwrap_or(&Value::Null))),
        (Value::Array(wanted), Value::Array(held)) => {
            wanted.len() == held.len()
                && wanted
                    .iter()
                    .zip(held)
                    .all(|(wanted, held)| is_within(wanted, held))
        }
        // API servers leave out what is empty.
        (wanted, Value::Null) => is_empty(wanted),
        (wanted, held) => wanted == held,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Service;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case::same(json!({"type": "ClusterIP"}), json!({"type": "ClusterIP"}), true)]
    #[case::defaulted(json!({"type": "ClusterIP"}), json!({"type": "ClusterIP", "clusterIP": "10.0.0.1"}), true)]
    #[case::changed(json!({"type": "ClusterIP"}), json!({"type": "NodePort"}), false)]
    #[case::taken_away(json!({"type": "ClusterIP"}), json!({}), false)]
    #[case::empty_is_absent(json!({"selector": {}, "publishNotReadyAddresses": false}), json!({}), true)]
    #[case::an_item_more(json!({"ports": [{"port": 1}]}), json!({"ports": [{"port": 1}, {"port": 2}]}), false)]
    #[case::an_item_changed(json!({"ports": [{"port": 1}]}), json!({"ports": [{"port": 2}]}), false)]
    #[case::an_item_defaulted(json!({"ports": [{"port": 1}]}), json!({"ports": [{"port": 1, "protocol": "TCP"}]}), true)]
    fn what_others_add_is_theirs(#[case] wanted: Value, #[case] held: Value, #[case] same: bool) {
        let service = |spec: &Value, annotations: &Value| -> Service {
            let object =
                json!({"metadata": {"name": "nova", "annotations": annotations}, "spec": spec});
            serde_json::from_value(object).unwrap()
        };
        let wanted = service(&wanted, &json!({}));
        let marked = service(&held, &json!({APPLIED_ANNOTATION: "h"}));
        assert_eq!(is_as_applied(&marked, &wanted, "h").unwrap(), same);
        assert!(!is_as_applied(&marked, &wanted, "other").unwrap());
        assert!(!is_as_applied(&service(&held, &json!({})), &wanted, "h").unwrap());
    }
}
