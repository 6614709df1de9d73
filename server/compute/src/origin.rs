//! Where the client believes to be talking to: the beginning of every link.

use std::net::{Ipv4Addr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::uri::Scheme;

use crate::header;

/// What only the server knows of a request's connection.
///
/// Behind a trusted proxy the server puts the forwarded scheme here, and the forwarded host into the `Host` header.
/// By default a request came by `http` to 127.0.0.1:8774.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Stands in for a `Host` header that is not there (HTTP/1.0), as WSGI's `SERVER_NAME` and `SERVER_PORT`.
    pub local: SocketAddr,
    /// What a trusted proxy took off the path, such as `/compute`; WSGI's `SCRIPT_NAME` begins with it.
    pub prefix: String,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            scheme: Scheme::HTTP,
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 8774)),
            prefix: String::new(),
        }
    }
}

/// `scheme://host[:port]` of a request, without the scheme's default port, and the prefix that its path once had (webob:
/// `request.py:host_url`, and `application_url` as far as a proxy knows it).
pub(crate) fn host_url(parts: &Parts, origin: &Origin) -> String {
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
    let port = Some(port).filter(|port| !port.is_empty() && *port != usual);
    let mut url = String::with_capacity(64);
    for part in [scheme.as_str(), "://", name] {
        url.push_str(part);
    }
    if let Some(port) = port {
        url.push(':');
        url.push_str(port);
    }
    url.push_str(&origin.prefix);
    url
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
        let mut request = Request::get(target);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(host_url(&parts, &origin), url);
    }

    #[test]
    fn what_a_proxy_took_off_is_part_of_every_link() {
        let origin = Origin {
            prefix: "/compute".to_owned(),
            ..Origin::default()
        };
        let request = Request::get("/").header(HOST, "nova");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(host_url(&parts, &origin), "http://nova/compute");
    }
}
