//! Transformations of the generated schema.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// Takes every `null` out: an absent field is absent, and nobody owns it.
pub fn not_null(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        let mut whole = Value::Object(std::mem::take(object));
        strip_null(&mut whole);
        if let Value::Object(stripped) = whole {
            *object = stripped;
        }
    }
}

/// Drops the descriptions inside `conditions`: they are Kubernetes' own and known.
pub fn terse_conditions(schema: &mut Schema) {
    let condition = schema.pointer_mut("/properties/conditions/items/properties");
    for property in condition
        .and_then(Value::as_object_mut)
        .into_iter()
        .flatten()
    {
        if let Some(property) = property.1.as_object_mut() {
            property.remove("description");
        }
    }
    if let Some(items) = schema
        .pointer_mut("/properties/conditions/items")
        .and_then(Value::as_object_mut)
    {
        items.remove("description");
    }
}

/// A map of quantities, without the essay that describes each.
pub fn quantities(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "x-kubernetes-int-or-string": true,
            "pattern": "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$",
        },
    })
}

/// Any object, which is not looked into.
pub fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Metrics of a `HorizontalPodAutoscaler`, which are not looked into.
pub fn metrics(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}

/// Networks such as 10.0.0.0/8.
pub fn networks(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {
            "type": "string",
            "maxLength": 49,
            "x-kubernetes-validations": [super::rules::is_network()],
        },
    })
}

/// Peers of a `NetworkPolicy`, without their descriptions: they are Kubernetes' own and known.
pub fn peers(generator: &mut SchemaGenerator) -> Schema {
    let mut peer = generator
        .subschema_for::<k8s_openapi::api::networking::v1::NetworkPolicyPeer>()
        .to_value();
    strip_descriptions(&mut peer);
    json_schema!({"type": "array", "maxItems": 32, "items": peer})
}

fn strip_descriptions(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            if schema.get("description").is_some_and(Value::is_string) {
                schema.remove("description");
            }
            schema.values_mut().for_each(strip_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        _ => {}
    }
}

fn strip_null(value: &mut Value) {
    match value {
        Value::Object(schema) => {
            schema.remove("nullable");
            if schema.get("default") == Some(&Value::Null) {
                schema.remove("default");
            }
            if let Some(Value::Array(types)) = schema.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    schema.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
                if let [Value::Object(one)] = choices.as_slice() {
                    let one = one.clone();
                    schema.remove("anyOf");
                    for (key, inner) in one {
                        schema.entry(key).or_insert(inner);
                    }
                }
            }
            for (key, inner) in schema.iter_mut() {
                if key != "default" && key != "x-kubernetes-validations" {
                    strip_null(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_null),
        _ => {}
    }
}
