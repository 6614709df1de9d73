//! Where the client believes to be talking to: the beginning of every link.

use std::net::{Ipv4Addr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::uri::Scheme;

use crate::header;

/// What only the server knows of a request's connection; it inserts one into the request's extensions.
///
/// Behind a trusted proxy the server puts the forwarded scheme here, and the forwarded host into the `Host` header.
/// Without an `Origin`, a request came by `http` to 127.0.0.1:8774.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Stands in for a `Host` header that is not there (HTTP/1.0), as WSGI's `SERVER_NAME` and `SERVER_PORT`.
    pub local: SocketAddr,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            scheme: Scheme::HTTP,
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 8774)),
        }
    }
}

/// `scheme://host[:port]` of a request, without the scheme's default port (webob: `request.py:host_url`).
pub(crate) fn host_url(parts: &Parts) -> String {
    let default = Origin::default();
    let origin = parts.extensions.get::<Origin>().unwrap_or(&default);
    let scheme = &origin.scheme;
    let asked = parts
        .headers
        .get(HOST)
        .map(|host| header::latin1(host.as_bytes()));
    let host = match (&asked, parts.uri.authority()) {
        (Some(host), _) => host.as_ref(),
        (None, Some(authority)) => authority.as_str(),
        (None, None) => &origin.local.to_string(),
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    let usual = if *scheme == Scheme::HTTPS {
        "443"
    } else {
        "80"
    };
    if port.is_empty() || port == usual {
        format!("{scheme}://{name}")
    } else {
        format!("{scheme}://{name}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Request;
    use rstest::rstest;

    #[rstest]
    #[case::host("/", Some("nova.example:8774"), "http://nova.example:8774")]
    #[case::http2("http://nova.example:8774/", None, "http://nova.example:8774")]
    #[case::host_wins("http://other.example/", Some("nova.example"), "http://nova.example")]
    #[case::neither("/", None, "http://[2001:db8::1]:9999")]
    fn host_comes_from_header_then_target_then_socket(
        #[case] target: &str,
        #[case] host: Option<&str>,
        #[case] url: &str,
    ) {
        let origin = Origin {
            local: "[2001:db8::1]:9999".parse().unwrap(),
            ..Origin::default()
        };
        let mut request = Request::get(target).extension(origin);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(host_url(&parts), url);
    }
}
