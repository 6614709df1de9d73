//! Reading what the schema does not look into, and taking nothing that would silently get lost.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The value as `T`; or everything that is wrong with it.
pub(super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Vec<String>> {
    let mut unknown = Vec::new();
    let read = serde_ignored::deserialize(value, |path| {
        unknown.push(format!("there is no field {}", plain(&path.to_string())));
    });
    match read {
        Err(error) => Err(vec![error.to_string()]),
        Ok(_) if !unknown.is_empty() => Err(unknown),
        Ok(read) => Ok(read),
    }
}

/// A path without the `?` that stand for optional things.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').filter(|part| *part != "?").collect();
    parts.join(".")
}
