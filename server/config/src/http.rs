//! How an API treats HTTP connections: nova's `[wsgi]` group, and what it left to proxies.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::access_log::AccessLog;
use crate::{
    BACKLOG, CLIENT_SOCKET_TIMEOUT_SECONDS, HEADER_TIMEOUT_SECONDS, KEEP_ALIVE, MAX_BODY_BYTES,
    MAX_CONCURRENT_STREAMS, MAX_CONNECTION_AGE_SECONDS, MAX_CONNECTIONS_PER_WORKER,
    MAX_HEADER_LINE_BYTES, MAX_URL_BYTES, TCP_KEEP_IDLE_SECONDS, TLS_HANDSHAKE_TIMEOUT_SECONDS,
};

/// nova's `[wsgi]` options, and ours beside them. All of them hold for connections that begin later; `backlog` and
/// `maxConnectionsPerWorker` at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Http {
    /// `keep_alive`: whether a connection may carry more than one request. Default true.
    pub keep_alive: bool,
    /// `client_socket_timeout`, in seconds: how long the server waits for a client that neither sends what it began
    /// nor takes what it asked for, and for the next request on a kept connection. 0 waits for ever. Default 900.
    pub client_socket_timeout_seconds: u32,
    /// How long a client may take for the head of a request, from its first byte, in seconds, 1 to 3600. Default 30.
    pub header_timeout_seconds: u32,
    /// How long a client may take for a TLS handshake, in seconds, 1 to 600. Default 10.
    pub tls_handshake_timeout_seconds: u32,
    /// Requests a client may have under way on one HTTP/2 connection, 1 to 1000. Default 100.
    pub max_concurrent_streams: u32,
    /// Seconds, give or take a tenth, after which a connection is told to end: its next answer says `Connection: close`,
    /// HTTP/2 gets GOAWAY. At most 604800. Default 0: never.
    pub max_connection_age_seconds: u32,
    /// `tcp_keepidle`, in seconds: when the system begins to ask whether a silent client is still there. At most 32767;
    /// 0 leaves it to the system. Default 600.
    pub tcp_keep_idle_seconds: u32,
    /// `max_header_line`: a header line that long, its end counted, is refused with 400. 256 to 65536. Default 16384.
    pub max_header_line_bytes: u32,
    /// eventlet's `url_length_limit`: a request line that long, its end counted, is refused with 414. 256 to 65535.
    /// Default 8192.
    pub max_url_bytes: u32,
    /// `[oslo_middleware] max_request_body_size`: a longer body is refused with 413. 1 to 1073741824. Default 114688.
    pub max_body_bytes: u32,
    /// Connections the kernel keeps until they are accepted, 1 to 65535; the kernel's `net.core.somaxconn` limits it too.
    /// Default 4096.
    pub backlog: u32,
    /// `default_pool_size`: connections one worker holds, 1 to 100000. Default 1000.
    pub max_connections_per_worker: u32,
    /// `[oslo_middleware] enable_proxy_headers_parsing`, for these addresses alone: whose `Forwarded` and
    /// `X-Forwarded-For`, `-Proto`, `-Host`, `-Prefix` are believed. Default: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether connections begin with a PROXY header. Default `Off`.
    pub proxy_protocol: ProxyProtocol,
    /// `wsgi_log_format`, or JSON.
    pub access_log: AccessLog,
}

/// Whether a load balancer says in a PROXY header whom a connection comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum ProxyProtocol {
    /// No connection begins with one.
    #[default]
    Off,
    /// Every connection must begin with one, of version 1 or 2, and come from one of `trustedProxies`. All others are
    /// closed: whoever may leave the header out, or write it, could otherwise be anybody.
    V1V2,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            keep_alive: KEEP_ALIVE,
            client_socket_timeout_seconds: CLIENT_SOCKET_TIMEOUT_SECONDS,
            header_timeout_seconds: HEADER_TIMEOUT_SECONDS,
            tls_handshake_timeout_seconds: TLS_HANDSHAKE_TIMEOUT_SECONDS,
            max_concurrent_streams: MAX_CONCURRENT_STREAMS,
            max_connection_age_seconds: MAX_CONNECTION_AGE_SECONDS,
            tcp_keep_idle_seconds: TCP_KEEP_IDLE_SECONDS,
            max_header_line_bytes: MAX_HEADER_LINE_BYTES,
            max_url_bytes: MAX_URL_BYTES,
            max_body_bytes: MAX_BODY_BYTES,
            backlog: BACKLOG,
            max_connections_per_worker: MAX_CONNECTIONS_PER_WORKER,
            trusted_proxies: Vec::new(),
            proxy_protocol: ProxyProtocol::Off,
            access_log: AccessLog::default(),
        }
    }
}

/// The least and the most that a number of [`Http`] may be, by the name of its field.
pub const RANGES: [(&str, u32, u32); 10] = [
    ("headerTimeoutSeconds", 1, 3_600),
    ("tlsHandshakeTimeoutSeconds", 1, 600),
    ("maxConcurrentStreams", 1, 1_000),
    ("maxConnectionAgeSeconds", 0, 604_800),
    ("tcpKeepIdleSeconds", 0, 32_767),
    ("maxHeaderLineBytes", 256, 65_536),
    ("maxUrlBytes", 256, 65_535),
    ("maxBodyBytes", 1, 1_073_741_824),
    ("backlog", 1, 65_535),
    ("maxConnectionsPerWorker", 1, 100_000),
];

impl Http {
    /// The numbers, in the order of [`RANGES`].
    fn numbers(&self) -> [u32; RANGES.len()] {
        [
            self.header_timeout_seconds,
            self.tls_handshake_timeout_seconds,
            self.max_concurrent_streams,
            self.max_connection_age_seconds,
            self.tcp_keep_idle_seconds,
            self.max_header_line_bytes,
            self.max_url_bytes,
            self.max_body_bytes,
            self.backlog,
            self.max_connections_per_worker,
        ]
    }

    /// Everything wrong with these settings: the field, what is wrong and what to do.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let ranges = RANGES.into_iter().zip(self.numbers());
        let mut problems: Vec<_> = ranges
            .filter(|((_, least, most), value)| !(least..=most).contains(&value))
            .map(|((field, least, most), value)| {
                (
                    field,
                    format!("{value} is out of range: choose {least} to {most}"),
                )
            })
            .collect();
        if self.proxy_protocol == ProxyProtocol::V1V2 && self.trusted_proxies.is_empty() {
            problems.push((
                "proxyProtocol",
                "anyone could claim any address: name in trustedProxies who may send the header"
                    .to_owned(),
            ));
        }
        if let Err(error) = self.access_log.parts() {
            problems.push(("accessLog.format", error.to_string()));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn of(yaml: &str) -> Vec<String> {
        let http: Http = serde_yaml::from_str(yaml).unwrap();
        let problems = http.problems();
        problems
            .iter()
            .map(|(field, message)| format!("{field}: {message}"))
            .collect()
    }

    #[rstest]
    #[case("{}", &[])]
    #[case("{maxConnectionAgeSeconds: 0, tcpKeepIdleSeconds: 0, clientSocketTimeoutSeconds: 0}", &[])]
    #[case("{headerTimeoutSeconds: 0}", &["headerTimeoutSeconds: 0 is out of range: choose 1 to 3600"])]
    #[case("{tlsHandshakeTimeoutSeconds: 601}", &["tlsHandshakeTimeoutSeconds: 601 is out of range: choose 1 to 600"])]
    #[case("{maxConcurrentStreams: 0}", &["maxConcurrentStreams: 0 is out of range: choose 1 to 1000"])]
    #[case("{maxConnectionAgeSeconds: 604801}", &["maxConnectionAgeSeconds: 604801 is out of range: choose 0 to 604800"])]
    #[case("{tcpKeepIdleSeconds: 32768}", &["tcpKeepIdleSeconds: 32768 is out of range: choose 0 to 32767"])]
    #[case("{maxHeaderLineBytes: 255}", &["maxHeaderLineBytes: 255 is out of range: choose 256 to 65536"])]
    #[case("{maxUrlBytes: 65536}", &["maxUrlBytes: 65536 is out of range: choose 256 to 65535"])]
    #[case("{maxBodyBytes: 0}", &["maxBodyBytes: 0 is out of range: choose 1 to 1073741824"])]
    #[case("{backlog: 0}", &["backlog: 0 is out of range: choose 1 to 65535"])]
    #[case("{maxConnectionsPerWorker: 0}", &["maxConnectionsPerWorker: 0 is out of range: choose 1 to 100000"])]
    #[case("{proxyProtocol: V1V2, trustedProxies: [10.0.0.0/8]}", &[])]
    #[case("{proxyProtocol: V1V2}",
        &["proxyProtocol: anyone could claim any address: name in trustedProxies who may send the header"])]
    #[case("{accessLog: {format: '%(client_ip)s'}}", &[])]
    fn values_have_their_ranges(#[case] yaml: &str, #[case] problems: &[&str]) {
        assert_eq!(of(yaml), problems);
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let http: Http = serde_yaml::from_str("{keepAlive: false}").unwrap();
        assert_eq!(
            http,
            Http {
                keep_alive: false,
                ..Http::default()
            }
        );
    }
}
