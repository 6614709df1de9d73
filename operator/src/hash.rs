//! Short names for contents.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Ten hexadecimal digits of the SHA-256 of `bytes`.
pub fn short(bytes: &[u8]) -> String {
    digits(&Sha256::digest(bytes)[..5])
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Thirty-two hexadecimal digits that nobody can guess; empty where the system has no randomness, which a keyed digest
/// survives.
pub fn random() -> String {
    let mut bytes = [0_u8; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => digits(&bytes),
        Err(_) => String::new(),
    }
}

/// The same of a value's JSON form.
pub fn of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(short(&serde_json::to_vec(value)?))
}
