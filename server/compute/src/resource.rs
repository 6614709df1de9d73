//! What every resource of nova asks of a request, in nova's order (nova: `api/openstack/wsgi.py:Resource.__call__`).

use axum::body::{self, Body};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, StatusCode};
use serde::de::IgnoredAny;

use crate::fault::Fault;
use crate::{header, url};

/// How much of a body is read here; the server's own limit (`maxBodyBytes`) is usually much lower.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// The body's media type must be one of ours, the query string must be UTF-8. Between the two comes the body, if it
/// [`counts`].
pub(crate) fn check(parts: &Parts) -> Result<(), Fault> {
    if !is_supported(parts) {
        return Err(Fault::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported Content-Type",
        ));
    }
    let query = parts.uri.query().unwrap_or_default();
    if std::str::from_utf8(&url::decode(query)).is_err() {
        return Err(Fault::new(
            StatusCode::BAD_REQUEST,
            "Query string is not UTF-8 encoded",
        ));
    }
    Ok(())
}

/// Whether the body is looked at before the answer.
pub(crate) fn counts(parts: &Parts) -> bool {
    has_body(parts) && is_supported(parts)
}

/// A body that counts must be JSON.
pub(crate) async fn check_body(body: Body) -> Result<(), Fault> {
    let malformed = || Fault::new(StatusCode::BAD_REQUEST, "Malformed request body");
    let bytes = body::to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| malformed())?;
    serde_json::from_slice::<IgnoredAny>(&bytes)
        .map(|_| ())
        .map_err(|_| malformed())
}

/// None, empty and `text/plain` pass for JSON (nova: `Request.get_content_type`).
fn is_supported(parts: &Parts) -> bool {
    let content_type = header::text(&parts.headers, CONTENT_TYPE);
    let media_type = content_type
        .as_deref()
        .map_or("", |value| value.split(';').next().unwrap_or_default());
    matches!(
        media_type,
        "" | "text/plain" | "application/json" | "application/vnd.openstack.compute+json"
    )
}

/// Only POST and PUT have a body, and only one of a stated length (nova: `Resource._get_request_content`).
fn has_body(parts: &Parts) -> bool {
    let length = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    matches!(parts.method, Method::POST | Method::PUT) && length.is_some_and(|length| length > 0)
}
