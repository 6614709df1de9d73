//! Whether the `CustomResourceDefinition` of the cluster knows what this release needs.

use kube::{CustomResourceExt, Resource};
use serde_json::Value;

use crate::api::{self, ApiService};

/// The schema of this release's `ApiService`s.
pub fn schema() -> Value {
    let definition = serde_json::to_value(api::definition()).unwrap_or_default();
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema");
    schema.cloned().unwrap_or_default()
}

/// The schema that an API server serves, found in its `OpenAPI` document of our group and version.
pub fn served(document: &Value) -> Option<&Value> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    schemas.values().find(|schema| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.into_iter().flatten().any(|kind| {
            kind["group"] == *ApiService::group(&()) && kind["kind"] == *ApiService::kind(&())
        })
    })
}

/// Fields of `ours` that `theirs` lacks, each as a path such as `spec.apis[].port`. What is below a missing field is not
/// named again.
pub fn missing(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    // The rest is the same for every kind.
    for part in ["spec", "status"] {
        match (&ours["properties"][part], &theirs["properties"][part]) {
            (ours, Value::Null) if !ours.is_null() => found.push(part.to_owned()),
            (ours, theirs) => compare(ours, theirs, part, &mut found),
        }
    }
    found
}

fn compare(ours: &Value, theirs: &Value, path: &str, found: &mut Vec<String>) {
    if theirs["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, field) in ours["properties"].as_object().into_iter().flatten() {
        let below = format!("{path}.{name}");
        match theirs["properties"].get(name) {
            Some(other) => compare(field, other, &below, found),
            None => found.push(below),
        }
    }
    if ours["items"].is_object() {
        compare(
            &ours["items"],
            &theirs["items"],
            &format!("{path}[]"),
            found,
        );
    }
    if ours["additionalProperties"].is_object() {
        let (ours, theirs) = (
            &ours["additionalProperties"],
            &theirs["additionalProperties"],
        );
        compare(ours, theirs, &format!("{path}.*"), found);
    }
}

/// One line for people: the first few of the missing fields, and what to do.
pub fn complaint(missing: &[String]) -> String {
    let named = missing.iter().take(5).map(String::as_str);
    let further = match missing.len().saturating_sub(5) {
        0 => String::new(),
        further => format!(" and {further} more"),
    };
    format!(
        "the CustomResourceDefinition {} is older than this release needs: it lacks {}{further}; what is written there is \
         not kept. Update it with 'kilonova-operator crd | kubectl apply --server-side -f -', or with the chart",
        ApiService::crd_name(),
        named.collect::<Vec<_>>().join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn object(properties: &Value) -> Value {
        json!({"type": "object", "properties": properties})
    }

    #[rstest]
    #[case(json!({"a": {}}), json!({"a": {}, "b": {}}), &[])]
    #[case(json!({"a": {}, "b": {}}), json!({"a": {}}), &["b"])]
    #[case(json!({"a": object(&json!({"b": {}}))}), json!({}), &["a"])]
    #[case(json!({"a": object(&json!({"b": {}}))}), json!({"a": {"type": "object"}}), &["a.b"])]
    #[case(
        json!({"l": {"items": object(&json!({"x": {}, "y": {}}))}}),
        json!({"l": {"items": object(&json!({"x": {}}))}}),
        &["l[].y"]
    )]
    #[case(
        json!({"m": {"additionalProperties": object(&json!({"x": {}}))}}),
        json!({"m": {"additionalProperties": {"type": "object"}}}),
        &["m.*.x"]
    )]
    #[case(
        json!({"p": object(&json!({"x": {}}))}),
        json!({"p": {"x-kubernetes-preserve-unknown-fields": true}}),
        &[]
    )]
    fn fields_that_lack(#[case] ours: Value, #[case] theirs: Value, #[case] expected: &[&str]) {
        let resource = |spec: &Value| object(&json!({"spec": object(spec)}));
        let expected: Vec<String> = expected
            .iter()
            .map(|field| format!("spec.{field}"))
            .collect();
        assert_eq!(missing(&resource(&ours), &resource(&theirs)), expected);
    }

    #[test]
    fn the_served_schema_is_found_by_its_kind() {
        let ours = json!({"x-kubernetes-group-version-kind": [
            {"group": "kilonova.dev", "version": "v1alpha1", "kind": "ApiService"}]});
        let document = json!({"components": {"schemas": {"other": {}, "dev.kilonova.v1alpha1.ApiService": ours}}});
        assert_eq!(served(&document), Some(&ours));
        assert_eq!(
            served(&json!({"components": {"schemas": {"other": {}}}})),
            None
        );
    }

    #[test]
    fn our_own_schema_lacks_nothing() {
        assert_eq!(missing(&schema(), &schema()), [] as [&str; 0]);
        assert_eq!(missing(&schema(), &Value::Null), ["spec", "status"]);
    }

    #[test]
    fn the_complaint_names_a_few_fields() {
        let fields: Vec<String> = (1..=7).map(|field| format!("spec.f{field}")).collect();
        let said = complaint(&fields);
        assert!(said.contains("it lacks spec.f1, spec.f2, spec.f3, spec.f4, spec.f5 and 2 more;"));
        assert!(complaint(&fields[..1]).contains("it lacks spec.f1;"));
    }
}
