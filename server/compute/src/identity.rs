//! Who asks: nobody is known yet, so everything below a version is refused.

use axum::response::Response;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::json;

#[derive(Serialize)]
struct Refusal {
    error: Details,
}

#[derive(Serialize)]
struct Details {
    code: u16,
    title: &'static str,
    message: &'static str,
}

/// The 401 of Keystone's middleware (keystonemiddleware: `auth_token/__init__.py:BaseAuthProtocol`), not a nova fault.
///
/// The challenge is `Keystone uri="…"` there; without an identity service there is no address to name.
pub(crate) fn unauthorized() -> Response {
    let error = Details {
        code: 401,
        title: "Unauthorized",
        message: "The request you have made requires authentication.",
    };
    let mut response = json::response(
        StatusCode::UNAUTHORIZED,
        "application/json",
        &Refusal { error },
    );
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Keystone"));
    response
}
