//! The `metadata` application.
//!
//! ```text
//!            path                     versions
//! request ─────────► /, /ec2 ─────► list ──────┐
//!                    /openstack ──► list ──────┼─► answer
//!                    all else ────► 404 ───────┘
//!                                     not_found ◄── negotiation
//! ```
//!
//! No instance is known yet, so whatever is about one is not found. As in nova, every method reads, and there are no
//! request ids. Tested byte for byte against answers recorded from the real nova 34 (`tests/nova34/`).

pub mod negotiation;
mod not_found;
mod path;
mod versions;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The application: answers every path and method.
///
/// nova tells only an instance what stands at `/ec2` and `/openstack`; the lists are the same for all of them, so we tell
/// anyone. nova's `cors` filter has no counterpart (it makes an empty 200 of any 404 to OPTIONS).
pub fn answer(request: &Request) -> Response {
    match path::normal(request.uri().path()).as_slice() {
        b"" | b"ec2" => text(versions::EC2),
        b"openstack" => text(versions::openstack(today())),
        _ => not_found::answer(request),
    }
}

/// The versions below `/openstack` that are not listed yet, by this machine's clock.
pub fn hidden_versions() -> Vec<&'static str> {
    versions::hidden(today())
}

fn text(body: impl Into<Body>) -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=UTF-8")], body.into()).into_response()
}

fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}
