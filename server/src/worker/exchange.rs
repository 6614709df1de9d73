//! One request and its answer: handed to the app, counted, and written to the access log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use kilonova_compute::Origin;
use tower::Service;

use super::activity::Activity;
use super::body::{RequestBody, ResponseBody};
use super::context::Context;

/// The status that stands in log and metrics when the client left before there was an answer.
const CLIENT_LEFT: u16 = 499;

/// What is known of a request for as long as anything of it is under way.
pub struct Exchange {
    context: Arc<Context>,
    activity: Arc<Activity>,
    peer: SocketAddr,
    method: Method,
    request_line: String,
    request_id: Option<HeaderValue>,
    began: Instant,
    status: StatusCode,
    length: u64,
}

/// What stays the same for all requests of a connection.
pub struct Connection {
    pub context: Arc<Context>,
    pub activity: Arc<Activity>,
    pub peer: SocketAddr,
    pub origin: Origin,
}

impl Connection {
    /// Has a request answered by the app.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let version = request.version();
        if version == Version::HTTP_2 {
            self.activity.set_http2();
        }
        let mut exchange = Exchange::begin(self, &request);
        let activity = Arc::clone(&self.activity);
        let mut request = request.map(|body| Body::new(RequestBody::new(body, activity)));
        request.extensions_mut().insert(self.origin.clone());

        let mut router = self.context.router.clone();
        let Ok(mut response) = router.call(request).await;

        if version < Version::HTTP_2 && !self.context.keeps_connections() {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        exchange.status = response.status();
        exchange.request_id = response.headers().get("x-openstack-request-id").cloned();
        response.map(|body| ResponseBody::new(body, exchange))
    }
}

impl Exchange {
    fn begin(connection: &Connection, request: &Request<Incoming>) -> Self {
        connection.context.counters.began();
        connection.activity.began(!request.body().is_end_stream());
        let target = request
            .uri()
            .path_and_query()
            .map_or("", |target| target.as_str());
        Self {
            context: Arc::clone(&connection.context),
            activity: Arc::clone(&connection.activity),
            peer: connection.peer,
            method: request.method().clone(),
            request_line: format!("{} {target} {:?}", request.method(), request.version()),
            request_id: None,
            began: Instant::now(),
            status: StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::BAD_REQUEST),
            length: 0,
        }
    }

    /// Bytes of the answer's body went on their way.
    pub fn sent(&mut self, bytes: usize) {
        self.length += bytes as u64;
    }
}

impl Drop for Exchange {
    /// However it ended. nova: `[wsgi] wsgi_log_format`; `len` is the body's.
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.activity.answered();
        self.context
            .counters
            .answered(&self.method, self.status, took);
        tracing::info!(
            logger = self.context.logger(),
            request_id = self.request_id.as_ref().and_then(|id| id.to_str().ok()),
            "{} \"{}\" status: {} len: {} time: {:.7}",
            self.peer.ip(),
            self.request_line,
            self.status.as_u16(),
            self.length,
            took.as_secs_f64()
        );
    }
}
