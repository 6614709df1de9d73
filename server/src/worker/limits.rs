//! The limits of a head that HTTP/2 has parsed already: the same as those HTTP/1 heads meet before.

use http::request::Parts;
use http::{Method, header};
use kilonova_config::{Http, MAX_HEAD_BYTES, MAX_HEADERS};

use crate::http1::{Rejection, is_authority};

/// Bytes of a request line besides method and target: two spaces, the version, the end.
const REQUEST_LINE: usize = 2 + "HTTP/1.1".len() + 2;
/// Bytes of a header line besides name and value: colon, space, the end.
const HEADER_LINE: usize = 4;

/// Why a request is refused, if it is.
pub fn refuse(parts: &Parts, http: &Http) -> Option<Rejection> {
    let target = parts.uri.path_and_query().map_or(0, |it| it.as_str().len());
    let line = parts.method.as_str().len() + target + REQUEST_LINE;
    if line >= http.max_url_bytes as usize {
        return Some(Rejection::UrlTooLong);
    }
    let mut total = 0;
    for (name, value) in &parts.headers {
        let line = name.as_str().len() + value.len() + HEADER_LINE;
        if line >= http.max_header_line_bytes as usize {
            return Some(Rejection::HeaderLineTooLong);
        }
        total += line;
    }
    if total > MAX_HEAD_BYTES as usize || parts.headers.len() > MAX_HEADERS as usize {
        return Some(Rejection::HeadersTooLarge);
    }
    if parts.method == Method::CONNECT {
        return Some(Rejection::Malformed("CONNECT: this is no proxy"));
    }
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let authority = parts.uri.authority();
    let differ = host.zip(authority).is_some_and(|(host, authority)| {
        !host
            .as_bytes()
            .eq_ignore_ascii_case(authority.as_str().as_bytes())
    });
    let odd = authority.is_some_and(|it| !it.as_str().bytes().all(is_authority))
        || host.is_some_and(|it| !it.as_bytes().iter().all(|byte| is_authority(*byte)));
    if second.is_some() || differ || odd || (host.is_none() && authority.is_none()) {
        return Some(Rejection::Malformed("no host, or more than one"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::extract::Request;
    use rstest::rstest;

    fn of(target: &str, headers: &[(&str, String)]) -> Option<Rejection> {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        refuse(&request.body(()).unwrap().into_parts().0, &Http::default())
    }

    #[rstest]
    #[case::fits(8191, None)]
    #[case::too_long(8192, Some(Rejection::UrlTooLong))]
    fn the_request_line_counts_as_on_http_1(
        #[case] line: usize,
        #[case] refused: Option<Rejection>,
    ) {
        let path = "x".repeat(line - "GET / HTTP/1.1\r\n".len());
        assert_eq!(of(&format!("http://nova/{path}"), &[]), refused);
    }

    #[rstest]
    #[case::fits(16_383, 1, None)]
    #[case::too_long(16_384, 1, Some(Rejection::HeaderLineTooLong))]
    #[case::too_large(16_383, 5, Some(Rejection::HeadersTooLarge))]
    #[case::most(6, 1000, None)]
    #[case::too_many(6, 1001, Some(Rejection::HeadersTooLarge))]
    fn headers_count_as_on_http_1(
        #[case] line: usize,
        #[case] count: usize,
        #[case] refused: Option<Rejection>,
    ) {
        let value = "x".repeat(line - "a: \r\n".len());
        let headers = vec![("a", value); count];
        assert_eq!(of("http://nova/", &headers), refused);
    }

    #[rstest]
    #[case::of_the_target("http://nova/", &[], true)]
    #[case::of_the_header("/", &["nova"], true)]
    #[case::the_same("http://nova/", &["NOVA"], true)]
    #[case::another("http://nova/", &["other"], false)]
    #[case::two("/", &["nova", "nova"], false)]
    #[case::none("/", &[], false)]
    #[case::with_user("http://a@nova/", &[], false)]
    fn there_is_one_host(#[case] target: &str, #[case] hosts: &[&str], #[case] fine: bool) {
        let headers: Vec<_> = hosts
            .iter()
            .map(|host| ("host", (*host).to_owned()))
            .collect();
        assert_eq!(of(target, &headers).is_none(), fine);
    }
}
