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
//! [`answer`] holds what nova's own pipelines hold (request ids, faults, microversions); access log, metrics, limits and
//! TLS belong to the server around it. The server tells it what it cannot see by an [`Origin`] beside each request; the
//! request id of an answer is its `x-openstack-request-id` header.
//!
//! Tested byte for byte against answers recorded from the real nova 34 (`tests/nova34/`).

mod accept;
mod fault;
mod header;
mod identity;
pub mod json;
mod microversion;
mod origin;
pub mod request_id;
mod resource;
mod url;
mod urlmap;
mod versions;

use std::future::{self, Ready};
use std::pin::Pin;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures::future::Either;
use http::request::Parts;

pub use microversion::{MAX_MICROVERSION, MIN_MICROVERSION, Microversion};
pub use origin::Origin;

use fault::Fault;
use urlmap::{App, Mount};

/// An answer that is there, or one that has to wait for something. Most are there: to carry a future around for them costs
/// more than to make them.
pub type Answer = Either<Ready<Response>, Pin<Box<dyn Future<Output = Response> + Send>>>;

/// The application: answers every path and method. One arm per pipeline of nova's api-paste.ini, `[composite:osapi_compute]`.
///
/// nova's `cors` filter has no counterpart: without `[cors] allowed_origin` all it does is to turn every OPTIONS answer
/// that is not 2xx into an empty 200. No client can use that (it carries none of the headers a browser asks for; haproxy's
/// `option httpchk` asks `OPTIONS /`, which is a document), and it hides a 401. OPTIONS is a method like any other.
pub fn answer(request: Request, origin: Origin) -> Answer {
    let mount = Mount::of(&request);
    let (parts, body) = request.into_parts();
    if mount.app == App::Api {
        return now(request_id::add(identity::unauthorized()));
    }
    if !resource::counts(&parts) {
        return now(finish(&mount, &parts, resource::check(&parts), &origin));
    }
    Either::Right(Box::pin(async move {
        let read = resource::check_body(body).await;
        let checked = read.and_then(|()| resource::check(&parts));
        finish(&mount, &parts, checked, &origin)
    }))
}

fn now(response: Response) -> Answer {
    Either::Left(future::ready(response))
}

fn finish(mount: &Mount, parts: &Parts, checked: Result<(), Fault>, origin: &Origin) -> Response {
    match mount.app {
        App::Document(release) => {
            request_id::add(versions::show(release, mount, parts, checked, origin))
        }
        _ => checked
            .map(|()| versions::list(mount, parts, origin))
            .into_response(),
    }
}
