//! Request ids (nova: `api/compute_req_id.py` over oslo.middleware's `request_id.py`).

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

/// Both names carry the same value: the old one is part of nova's contract.
const NAMES: [HeaderName; 2] = [
    HeaderName::from_static("x-openstack-request-id"),
    HeaderName::from_static("x-compute-request-id"),
];

/// Gives an answer its id, `req-<uuid4>`: always a new one, whatever id the request carries.
pub fn add(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::try_from(format!("req-{}", new())) {
        for name in NAMES {
            response.headers_mut().insert(name, id.clone());
        }
    }
    response
}

/// Random bytes are asked of the system for so many ids at once: one by one they would be a system call each.
const AHEAD: usize = 64;
const SIZE: usize = 16;

thread_local! {
    static RANDOM: RefCell<Vec<[u8; SIZE]>> = const { RefCell::new(Vec::new()) };
}

fn new() -> Uuid {
    let random = RANDOM.with_borrow_mut(|random| {
        if random.is_empty() {
            *random = draw().unwrap_or_default();
        }
        random.pop()
    });
    random.map_or_else(Uuid::new_v4, |random| {
        Builder::from_random_bytes(random).into_uuid()
    })
}

fn draw() -> io::Result<Vec<[u8; SIZE]>> {
    let mut random = vec![[0; SIZE]; AHEAD];
    File::open("/dev/urandom")?.read_exact(random.as_flattened_mut())?;
    Ok(random)
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
