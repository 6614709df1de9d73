//! One request and its answer: judged, handed to the app, counted, and written to the access log.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use futures::future::Either;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use http::uri::Scheme;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use kilonova_compute::Origin;
use kilonova_tls::Identity;
use tokio::time::Instant;

use super::activity::Activity;
use super::body::{Overflow, RequestBody, ResponseBody};
use super::context::{Context, Current};
use super::limits;
use super::too_large::{self, Asked};
use crate::access_log::Record;
use crate::forwarded::Forwarded;
use crate::http1::Rejection;
use crate::log;
use crate::reason::Reason;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");
const MICROVERSION: HeaderName = HeaderName::from_static("openstack-api-version");

/// The status that stands in log and metrics when the client left before there was an answer.
const CLIENT_LEFT: u16 = 499;

/// What is known of a request for as long as anything of it is under way.
pub struct Exchange {
    connection: Arc<Connection>,
    method: Method,
    uri: Uri,
    version: Version,
    user_agent: Option<HeaderValue>,
    chain: Vec<String>,
    request_id: Option<HeaderValue>,
    microversion: Option<HeaderValue>,
    began: Instant,
    status: StatusCode,
    length: u64,
}

/// What stays the same for all requests of a connection.
pub struct Connection {
    pub context: Arc<Context>,
    /// What the connection is served with to its end.
    pub current: Arc<Current>,
    pub activity: Arc<Activity>,
    pub peer: SocketAddr,
    /// The peer's address as the log has it.
    pub client: Box<str>,
    /// Whether the peer may say whom it speaks for.
    pub trusted: bool,
    pub scheme: Scheme,
    /// Who the client is, when its certificate was verified.
    pub identity: Option<Arc<Identity>>,
}

/// The answer as hyper takes it: there, or to come.
pub type Answer = Either<Ready<Answered>, Pin<Box<dyn Future<Output = Answered> + Send>>>;
type Answered = Result<Response<ResponseBody>, Infallible>;

/// What becomes of a request.
enum Admission {
    /// The app never sees it.
    Answered(Response<Body>),
    /// The app answers it.
    Admitted {
        request: Request<Body>,
        origin: Origin,
        /// An answer may have to be made of this once the body turns out to be too long.
        overflow: Option<Box<(Asked, Overflow)>>,
    },
}

impl Connection {
    /// Has a request answered by the app.
    pub fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        // On the heap: it goes from hand to hand.
        let mut exchange = Box::new(Exchange::begin(self, &request));
        let (request, origin, overflow) = match self.admit(request, &mut exchange) {
            Admission::Answered(answer) => return self.now(answer, exchange),
            Admission::Admitted {
                request,
                origin,
                overflow,
            } => (request, origin, overflow),
        };
        match self.context.routes.answer(request, origin) {
            Either::Left(answer) => {
                let answer = self.judge(answer.into_inner(), &exchange.method, overflow.as_deref());
                self.now(answer, exchange)
            }
            Either::Right(later) => {
                let connection = Arc::clone(self);
                Either::Right(Box::pin(async move {
                    let answer = later.await;
                    let answer = connection.judge(answer, &exchange.method, overflow.as_deref());
                    Ok(connection.finish(answer, exchange))
                }))
            }
        }
    }

    fn now(&self, answer: Response<Body>, exchange: Box<Exchange>) -> Answer {
        Either::Left(ready(Ok(self.finish(answer, exchange))))
    }

    fn finish(
        &self,
        mut response: Response<Body>,
        mut exchange: Box<Exchange>,
    ) -> Response<ResponseBody> {
        if exchange.version < Version::HTTP_2
            && (!self.context.keeps_connections() || self.activity.retired())
        {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        exchange.answered(&response);
        response.map(|body| ResponseBody::new(body, exchange))
    }

    /// Judges what can be judged before the app: what it gets, or the answer of a request it never sees.
    fn admit(&self, request: Request<Incoming>, exchange: &mut Exchange) -> Admission {
        let http = &self.current.settings.http;
        let (mut parts, body) = request.into_parts();
        let body = RequestBody::new(body, Arc::clone(&self.activity));
        if parts.version == Version::HTTP_2
            && let Some(rejection) = limits::refuse(&parts, http)
        {
            return Admission::Answered(self.refuse(rejection));
        }
        let mut overflow = None;
        let body = if body.is_end_stream() {
            Body::empty()
        } else {
            let asked = Asked::of(&parts.method, parts.version, &parts.headers);
            if length(&parts.headers) > u64::from(http.max_body_bytes) {
                return Admission::Answered(self.too_large(&asked));
            }
            let (body, seen) = body.limited(u64::from(http.max_body_bytes));
            overflow = Some(Box::new((asked, seen)));
            Body::new(body)
        };
        let origin = self.origin(&mut parts.headers, exchange);
        if let Some(identity) = &self.identity {
            parts.extensions.insert(Arc::clone(identity));
        }
        Admission::Admitted {
            request: Request::from_parts(parts, body),
            origin,
            overflow,
        }
    }

    /// The app's answer, unless the body turned out to be none while it read it.
    fn judge(
        &self,
        response: Response<Body>,
        method: &Method,
        overflow: Option<&(Asked, Overflow)>,
    ) -> Response<Body> {
        match overflow {
            Some((asked, seen)) if seen.happened() => self.too_large(asked),
            Some(_) if self.activity.broken() => self.malformed_body(),
            _ if method == Method::HEAD => without_body(response),
            _ => response,
        }
    }

    /// What the app cannot see of the connection. A trusted proxy's word for the host goes into its header.
    fn origin(&self, headers: &mut HeaderMap, exchange: &mut Exchange) -> Origin {
        let mut origin = Origin {
            scheme: self.scheme.clone(),
            local: self.context.local,
            prefix: String::new(),
        };
        if self.trusted {
            let http = &self.current.settings.http;
            let forwarded = Forwarded::of(headers, &http.trusted_proxies);
            if let Some(host) = forwarded.host {
                headers.insert(HOST, host);
            }
            if let Some(scheme) = forwarded.scheme {
                origin.scheme = scheme;
            }
            origin.prefix = forwarded.prefix;
            exchange.chain = forwarded.chain;
        }
        origin
    }

    fn refuse(&self, rejection: Rejection) -> Response<Body> {
        self.context
            .refuse(self.peer.ip(), rejection.into(), rejection.why());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = match rejection {
            Rejection::UrlTooLong => StatusCode::URI_TOO_LONG,
            _ => StatusCode::BAD_REQUEST,
        };
        response
    }

    fn malformed_body(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        if !self.activity.is_http2() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    fn too_large(&self, asked: &Asked) -> Response<Body> {
        self.context.counters.refused(Reason::BodyTooLarge);
        let most = self.current.settings.http.max_body_bytes;
        too_large::answer(self.context.api(), asked, most)
    }
}

/// HEAD is answered as GET, but for the body; its length is told.
fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact() {
        let headers = response.headers_mut();
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
    *response.body_mut() = Body::empty();
    response
}

/// What the request says its body's length is; 0 if it says nothing.
fn length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0)
}

fn text(header: Option<&HeaderValue>) -> Option<&str> {
    header?.to_str().ok()
}

impl Exchange {
    fn begin(connection: &Arc<Connection>, request: &Request<Incoming>) -> Self {
        connection.context.counters.began();
        connection.activity.began(!request.body().is_end_stream());
        let user_agent = request
            .headers()
            .get(USER_AGENT)
            .filter(|_| connection.current.access_log.user_agent);
        Self {
            connection: Arc::clone(connection),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            user_agent: user_agent.cloned(),
            chain: Vec::new(),
            request_id: None,
            microversion: None,
            began: Instant::now(),
            status: StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::BAD_REQUEST),
            length: 0,
        }
    }

    /// The head of the answer is there.
    fn answered<B>(&mut self, response: &Response<B>) {
        self.status = response.status();
        let header = |name: &HeaderName| response.headers().get(name).cloned();
        self.request_id = header(&REQUEST_ID);
        let said = self.connection.current.access_log.microversion;
        self.microversion = said.then(|| header(&MICROVERSION)).flatten();
    }

    /// Bytes of the answer's body went on their way.
    pub fn sent(&mut self, bytes: usize) {
        self.length += bytes as u64;
    }
}

impl Drop for Exchange {
    /// However it ended. nova: `[wsgi] wsgi_log_format`; `len` is the body's.
    fn drop(&mut self) {
        let connection = &self.connection;
        let now = Instant::now();
        let took = now.duration_since(self.began);
        connection.activity.answered(now);
        connection
            .context
            .counters
            .answered(&self.method, self.status, took);
        log::access(
            connection.context.logger(),
            &connection.current.access_log,
            &Record {
                chain: &self.chain,
                peer: connection.peer,
                client: &connection.client,
                method: self.method.as_str(),
                uri: &self.uri,
                version: self.version,
                status: self.status.as_u16(),
                length: self.length,
                took,
                request_id: text(self.request_id.as_ref()),
                microversion: text(self.microversion.as_ref())
                    .and_then(|version| version.rsplit(' ').next()),
                identity: connection.identity.as_deref().map(Identity::name),
                user_agent: self.user_agent.as_ref(),
            },
        );
    }
}
