//! What trusted proxies say of a request: `Forwarded` (RFC 7239), else `X-Forwarded-*`, as oslo.middleware's
//! `http_proxy_to_wsgi` reads them, from those alone who may say it.
//!
//! A chain of proxies appends: the right end is what the nearest one saw, the left end what the client claims. So we go from
//! the right past every address we trust; the first one we do not is the client. oslo takes the left end.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use ipnet::IpNet;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What a request's proxies say, as far as it can be believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// The client, then the trusted proxies after it, without the one that connected.
    pub chain: Vec<String>,
    /// What the client asked with.
    pub scheme: Option<Scheme>,
    /// What the client asked.
    pub host: Option<HeaderValue>,
    /// What a proxy took off the path.
    pub prefix: String,
}

/// Whether an address is one of these.
pub fn trusts(trusted: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|net| net.contains(&address))
}

impl Forwarded {
    /// Reads the headers of a request that a trusted proxy passed on.
    pub fn of(headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut found = if headers.contains_key(FORWARDED) {
            Self::standard(headers, trusted)
        } else {
            Self::usual(headers, trusted)
        };
        if let Some(prefix) = list(headers, &PREFIX).pop()
            && prefix.starts_with('/')
            && !prefix.contains("//")
        {
            prefix.trim_end_matches('/').clone_into(&mut found.prefix);
        }
        found
    }

    fn standard(headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let elements = list(headers, &FORWARDED);
        let elements: Vec<_> = elements
            .iter()
            .map(|element| Element::of(element))
            .collect();
        let nodes = elements
            .iter()
            .map(|element| element.node.as_deref().unwrap_or("unknown"));
        let nodes: Vec<_> = nodes.collect();
        let client = client(&nodes, trusted);
        let said = elements.get(client);
        Self {
            chain: nodes[client..].iter().map(|node| name(node)).collect(),
            scheme: said.and_then(|said| scheme(said.proto.as_deref()?)),
            host: said.and_then(|said| host(said.host.as_deref()?)),
            prefix: String::new(),
        }
    }

    fn usual(headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let nodes = list(headers, &FOR);
        let nodes: Vec<_> = nodes.iter().map(AsRef::as_ref).collect();
        let client = client(&nodes, trusted);
        // Who writes one value for each proxy writes as many as there are addresses; else the nearest one's counts.
        let pick = |header: &HeaderName| {
            let values = list(headers, header);
            let place = if values.len() == nodes.len() {
                client
            } else {
                values.len().wrapping_sub(1)
            };
            values.get(place).map(ToString::to_string)
        };
        Self {
            chain: nodes[client..].iter().map(|node| name(node)).collect(),
            scheme: pick(&PROTO).and_then(|proto| scheme(&proto)),
            host: pick(&HOST).and_then(|asked| host(&asked)),
            prefix: String::new(),
        }
    }
}

/// Place of the rightmost node that is not trusted; the leftmost if all are.
fn client(nodes: &[&str], trusted: &[IpNet]) -> usize {
    let stranger = |node: &&str| address(node).is_none_or(|address| !trusts(trusted, address));
    nodes.iter().rposition(stranger).unwrap_or(0)
}

/// One proxy's element of a `Forwarded` header.
#[derive(Debug, Default)]
struct Element {
    node: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

impl Element {
    fn of(text: &str) -> Self {
        let mut element = Self::default();
        for pair in cut(text, b';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches('"').to_owned();
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => element.node = Some(value),
                "proto" => element.proto = Some(value),
                "host" => element.host = Some(value),
                _ => {}
            }
        }
        element
    }
}

/// All values of a list header. A value that is no text ends what can be read to its left.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<Cow<'a, str>> {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| cut(value.to_str().unwrap_or("unknown"), b','))
        .map(|value| Cow::Borrowed(value.trim()))
        .filter(|value| !value.is_empty())
        .collect()
}

/// Cuts a text at a separator that does not stand between quotes.
fn cut(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'"' {
            quoted = !quoted;
        } else if byte == separator && !quoted {
            parts.push(&text[begin..at]);
            begin = at + 1;
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn address(node: &str) -> Option<IpAddr> {
    let bare = node
        .strip_prefix('[')
        .and_then(|node| node.strip_suffix(']'))
        .unwrap_or(node);
    bare.parse()
        .ok()
        .or_else(|| Some(node.parse::<SocketAddr>().ok()?.ip()))
}

/// A node as the log has it: its address, or what it calls itself, without what could be taken for more than one.
fn name(node: &str) -> String {
    match address(node) {
        Some(address) => address.to_string(),
        None => node
            .chars()
            .filter(|it| it.is_ascii_alphanumeric() || "._-:".contains(*it))
            .take(64)
            .collect(),
    }
}

fn scheme(text: &str) -> Option<Scheme> {
    match text.to_ascii_lowercase().as_str() {
        "https" => Some(Scheme::HTTPS),
        "http" => Some(Scheme::HTTP),
        _ => None,
    }
}

fn host(text: &str) -> Option<HeaderValue> {
    let proper = !text.is_empty() && text.bytes().all(crate::http1::is_authority);
    HeaderValue::from_str(text).ok().filter(|_| proper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn of(headers: &[(&str, &str)]) -> Forwarded {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        Forwarded::of(&map, &trusted)
    }

    #[rstest]
    #[case::nothing(&[], &[])]
    #[case::one(&[("x-forwarded-for", "192.0.2.1")], &["192.0.2.1"])]
    #[case::forged(&[("x-forwarded-for", "203.0.113.9, 192.0.2.1")], &["192.0.2.1"])]
    #[case::through_ours(&[("x-forwarded-for", "203.0.113.9, 192.0.2.1,10.1.2.3")], &["192.0.2.1", "10.1.2.3"])]
    #[case::all_ours(&[("x-forwarded-for", "10.1.2.3, 10.4.5.6")], &["10.1.2.3", "10.4.5.6"])]
    #[case::several_headers(&[("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "192.0.2.1")], &["192.0.2.1"])]
    #[case::with_ports(&[("x-forwarded-for", "192.0.2.1:99, [fd00::1]:99")], &["192.0.2.1", "fd00::1"])]
    #[case::no_address(&[("x-forwarded-for", "192.0.2.1, <script>")], &["script"])]
    #[case::standard(&[("forwarded", "for=203.0.113.9, for=\"[2001:db8::1]:47\";proto=https")], &["2001:db8::1"])]
    #[case::standard_first(&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "203.0.113.9")], &["192.0.2.1"])]
    #[case::hidden(&[("forwarded", "for=_hidden, for=10.1.1.1")], &["_hidden", "10.1.1.1"])]
    #[case::mapped(&[("x-forwarded-for", "192.0.2.1, ::ffff:10.1.2.3")], &["192.0.2.1", "::ffff:10.1.2.3"])]
    fn the_client_is_the_last_stranger(#[case] headers: &[(&str, &str)], #[case] chain: &[&str]) {
        assert_eq!(of(headers).chain, chain);
    }

    #[rstest]
    #[case(&[("x-forwarded-proto", "HTTPS")], Some(Scheme::HTTPS))]
    #[case(&[("x-forwarded-proto", "gopher")], None)]
    #[case::nearest(&[("x-forwarded-proto", "https, http")], Some(Scheme::HTTP))]
    #[case::client_s(&[("x-forwarded-for", "192.0.2.1, 10.0.0.1"), ("x-forwarded-proto", "https, http")], Some(Scheme::HTTPS))]
    #[case::forged(&[("forwarded", "proto=https;for=203.0.113.9, proto=http;for=192.0.2.1")], Some(Scheme::HTTP))]
    #[case::ours(&[("forwarded", "for=192.0.2.1;proto=https, for=10.0.0.1;proto=http")], Some(Scheme::HTTPS))]
    fn the_scheme_is_what_the_client_used(
        #[case] headers: &[(&str, &str)],
        #[case] scheme: Option<Scheme>,
    ) {
        assert_eq!(of(headers).scheme, scheme);
    }

    #[rstest]
    #[case(&[("x-forwarded-host", "nova.example:443")], Some("nova.example:443"))]
    #[case(&[("x-forwarded-host", "nova.example/x")], None)]
    #[case(&[("forwarded", "host=\"nova.example:1\"")], Some("nova.example:1"))]
    fn the_host_is_what_the_client_asked(
        #[case] headers: &[(&str, &str)],
        #[case] host: Option<&str>,
    ) {
        assert_eq!(
            of(headers).host.as_ref().map(|host| host.to_str().unwrap()),
            host
        );
    }

    #[rstest]
    #[case("/compute/", "/compute")]
    #[case("/", "")]
    #[case("compute", "")]
    #[case("//evil.example", "")]
    fn a_prefix_is_a_path(#[case] header: &str, #[case] prefix: &str) {
        assert_eq!(of(&[("x-forwarded-prefix", header)]).prefix, prefix);
    }

    #[test]
    fn an_address_of_one_family_in_the_other_is_the_same() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert!(trusts(&trusted, "::ffff:10.1.2.3".parse().unwrap()));
        assert!(!trusts(&trusted, "192.0.2.1".parse().unwrap()));
    }
}
