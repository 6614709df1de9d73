//! 404 as webob words it (webob: `exc.py:WSGIHTTPException.generate_response`).

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};

use crate::negotiation::{self, Shape};

const TEXT: &str = "404 Not Found\n\nThe resource could not be found.\n\n   ";

const HTML: &str = "\
<html>
 <head>
  <title>404 Not Found</title>
 </head>
 <body>
  <h1>404 Not Found</h1>
  The resource could not be found.<br /><br />



 </body>
</html>";

const JSON: &str = r#"{"message": "The resource could not be found.<br /><br />\n\n\n", "code": "404 Not Found", "title": "Not Found"}"#;

/// In the shape the request accepts. HEAD gets no shape, and no length of one.
pub(crate) fn answer(request: &Request) -> Response {
    let accept: Vec<&[u8]> = request
        .headers()
        .get_all(ACCEPT)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let (media_type, body) = match negotiation::best(&accept.join(&b',')) {
        _ if request.method() == Method::HEAD => ("text/html; charset=UTF-8", ""),
        Some(Shape::Html) => ("text/html; charset=UTF-8", HTML),
        Some(Shape::Json) => ("application/json", JSON),
        None => ("text/plain; charset=UTF-8", TEXT),
    };
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, media_type)], body).into_response()
}
