//! The `osapi_compute` application.
//!
//! ```text
//!            urlmap              versions
//! request ───────────► mount ─┬─► "/"       list, or 300 choices
//!  path, Content-Type,        ├─► "/v2"     document ──────────┐
//!  Accept                     ├─► "/v2.1"   document ──────────┼─► request id ─► answer
//!                             └─► "/v2.1/…" 401 (identity) ────┘
//! ```
//!
//! [`router`] holds what nova's own pipelines hold (request ids, faults, microversions); access log, metrics, limits and
//! TLS belong to the server around it. The server tells it what it cannot see by inserting an [`Origin`] into each
//! request's extensions; the request id of an answer is its `x-openstack-request-id` header.
//!
//! Tested byte for byte against answers recorded from the real nova 34 (`tests/nova34/`).

mod accept;
mod fault;
mod header;
mod identity;
pub mod json;
mod microversion;
mod origin;
mod request_id;
mod resource;
mod url;
mod urlmap;
mod versions;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

pub use microversion::{MAX_MICROVERSION, MIN_MICROVERSION, Microversion};
pub use origin::Origin;

use urlmap::{App, Mount};

/// The application: answers every path and method.
pub fn router() -> Router {
    Router::new().fallback(answer)
}

/// One arm per pipeline of nova's api-paste.ini, `[composite:osapi_compute]`.
///
/// nova's `cors` filter has no counterpart: without `[cors] allowed_origin` all it does is to turn every OPTIONS answer
/// that is not 2xx into an empty 200. No client can use that (it carries none of the headers a browser asks for; haproxy's
/// `option httpchk` asks `OPTIONS /`, which is a document), and it hides a 401. OPTIONS is a method like any other.
async fn answer(request: Request) -> Response {
    let mount = Mount::of(&request);
    match mount.app {
        App::Versions => versions::list(mount, request).await.into_response(),
        App::Document(release) => request_id::add(versions::show(release, mount, request).await),
        App::Api => request_id::add(identity::unauthorized()),
    }
}
