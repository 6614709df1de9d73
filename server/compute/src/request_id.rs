//! Request ids (nova: `api/compute_req_id.py` over oslo.middleware's `request_id.py`).

use std::cell::RefCell;

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use uuid::{Builder, Uuid, fmt::Hyphenated};

/// Both names carry the same value: the old one is part of nova's contract.
const NAMES: [HeaderName; 2] = [
    HeaderName::from_static("x-openstack-request-id"),
    HeaderName::from_static("x-compute-request-id"),
];

/// Gives an answer its id, `req-<uuid4>`: always a new one, whatever id the request carries.
pub fn add(mut response: Response) -> Response {
    let mut text = [0; PREFIX.len() + Hyphenated::LENGTH];
    let (prefix, id) = text.split_at_mut(PREFIX.len());
    prefix.copy_from_slice(PREFIX);
    new().hyphenated().encode_lower(id);
    if let Ok(id) = HeaderValue::from_bytes(&text) {
        for name in NAMES {
            response.headers_mut().insert(name, id.clone());
        }
    }
    response
}

const PREFIX: &[u8] = b"req-";
/// Random bytes are asked of the system for so many ids at once: one by one they would be a system call each.
const AHEAD: usize = 128;
const SIZE: usize = 16;

/// Drawn, and not used yet: the first `left`.
struct Drawn {
    random: [[u8; SIZE]; AHEAD],
    left: usize,
}

thread_local! {
    static DRAWN: RefCell<Drawn> = const {
        RefCell::new(Drawn { random: [[0; SIZE]; AHEAD], left: 0 })
    };
}

fn new() -> Uuid {
    let random = DRAWN.with_borrow_mut(|drawn| {
        if drawn.left == 0 {
            getrandom::fill(drawn.random.as_flattened_mut()).ok()?;
            drawn.left = AHEAD;
        }
        drawn.left -= 1;
        Some(drawn.random[drawn.left])
    });
    random.map_or_else(Uuid::new_v4, |random| {
        Builder::from_random_bytes(random).into_uuid()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_random_and_never_the_same() {
        let ids: HashSet<_> = (0..3 * AHEAD).map(|_| new()).collect();
        assert_eq!(ids.len(), 3 * AHEAD);
        assert!(ids.iter().all(|id| id.get_version_num() == 4));
    }
}
