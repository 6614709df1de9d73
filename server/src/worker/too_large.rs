//! 413 as oslo.middleware's `sizelimit` has it, in webob's words: in the shape the request accepts.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode, Version};
use kilonova_config::api::OSAPI_COMPUTE;
use kilonova_metadata::negotiation::{self, Shape};

/// What the answer depends on.
#[derive(Clone, Debug)]
pub struct Asked {
    pub head: bool,
    pub http1: bool,
    pub shape: Option<Shape>,
}

impl Asked {
    pub fn of(method: &Method, version: Version, headers: &HeaderMap) -> Self {
        let accept = headers.get_all(ACCEPT).iter();
        let accept: Vec<&[u8]> = accept.map(HeaderValue::as_bytes).collect();
        Self {
            head: method == Method::HEAD,
            http1: version < Version::HTTP_2,
            shape: negotiation::best(&accept.join(&b',')),
        }
    }
}

/// The answer; whatever is left of the body is not read.
pub fn answer(api: &str, asked: &Asked, most: u32) -> Response {
    let why = format!("Request is too large. Larger than max_request_body_size ({most}).");
    let (media_type, body) = match asked.shape {
        _ if asked.head => ("text/html; charset=UTF-8", String::new()),
        Some(Shape::Html) => ("text/html; charset=UTF-8", html(&why)),
        Some(Shape::Json) => ("application/json", json(&why)),
        None => (
            "text/plain; charset=UTF-8",
            format!("413 Request Entity Too Large\n\n{why}\n\n   "),
        ),
    };
    let mut response = (
        StatusCode::PAYLOAD_TOO_LARGE,
        [(CONTENT_TYPE, media_type)],
        body,
    )
        .into_response();
    if asked.http1 {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    // In nova's pipeline the filter stands behind the one for request ids; metadata has none of them.
    if api == OSAPI_COMPUTE {
        kilonova_compute::request_id::add(response)
    } else {
        response
    }
}

fn html(why: &str) -> String {
    format!(
        "<html>\n <head>\n  <title>413 Request Entity Too Large</title>\n </head>\n <body>\n  \
         <h1>413 Request Entity Too Large</h1>\n  {why}<br /><br />\n\n\n\n </body>\n</html>"
    )
}

fn json(why: &str) -> String {
    format!(
        r#"{{"message": "{why}<br /><br />\n\n\n", "code": "413 Request Entity Too Large", "title": "Request Entity Too Large"}}"#
    )
}
