//! Short names for contents.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Ten hexadecimal digits of the SHA-256 of `bytes`.
pub fn short(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(5)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The same of a value's JSON form.
pub fn of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(short(&serde_json::to_vec(value)?))
}
