//! Request ids (nova: `api/compute_req_id.py` over oslo.middleware's `request_id.py`).

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use uuid::Uuid;

/// Both names carry the same value: the old one is part of nova's contract.
const NAMES: [HeaderName; 2] = [
    HeaderName::from_static("x-openstack-request-id"),
    HeaderName::from_static("x-compute-request-id"),
];

/// Gives an answer its id, `req-<uuid4>`: always a new one, whatever id the request carries.
pub(crate) fn add(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::try_from(format!("req-{}", Uuid::new_v4())) {
        for name in NAMES {
            response.headers_mut().insert(name, id.clone());
        }
    }
    response
}
