use super::*;
use Rejection::{HeaderLineTooLong, HeadersTooLarge, Malformed, UrlTooLong};
use rstest::rstest;

const LIMITS: Limits = Limits {
    request_line: 8192,
    header_line: 16_384,
};

fn advance(text: &str) -> Advance {
    Framing::new(LIMITS).advance(text.as_bytes())
}

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: nova\r\n{headers}\r\n")
}

fn passes(text: &str) {
    assert_eq!(
        advance(text),
        Advance {
            pass: text.len(),
            rejected: None
        }
    );
}

#[rstest]
#[case::plain(&get(""))]
#[case::pipelined(&(get("") + &get("Accept: */*\r\n")))]
#[case::blank_line_first(&format!("\r\n{}", get("")))]
#[case::body(&(get("Content-Length: 4\r\n") + "GET ok" + ""))]
#[case::chunks(&(get("Transfer-Encoding: Chunked\r\n") + "3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\n\r\n"))]
#[case::trailers(&(get("transfer-encoding: chunked\r\n") + "0\r\nETag: x\r\n\r\n" + &get("")))]
#[case::old("GET / HTTP/1.0\r\n\r\n")]
#[case::absolute("GET http://nova/v2 HTTP/1.1\r\nHost: NOVA\r\n\r\n")]
#[case::asterisk("OPTIONS * HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::tab_in_value(&get("A: b\tc\r\n"))]
#[case::empty_value(&get("A:\r\n"))]
#[case::not_ascii(&get("User-Agent: café\r\n"))]
#[case::ipv6("GET / HTTP/1.1\r\nHost: [::1]:8774\r\n\r\n")]
fn good_requests_pass(#[case] text: &str) {
    let text = text.replace("GET ok", "abcd");
    passes(&text);
    // Byte by byte the same is true, and no byte of a head passes before its last.
    let mut framing = Framing::new(LIMITS);
    let (mut held, mut passed) = (Vec::new(), Vec::new());
    for byte in text.bytes() {
        held.push(byte);
        let advance = framing.advance(&held);
        assert_eq!(advance.rejected, None);
        passed.extend(held.drain(..advance.pass));
    }
    assert_eq!(passed, text.as_bytes());
    assert!(framing.in_head());
}

#[rstest]
#[case::two_encodings_of_length("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")]
#[case::the_other_way_round("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")]
#[case::lengths_differ("Content-Length: 4\r\nContent-Length: 5\r\n")]
#[case::lengths_agree("Content-Length: 4\r\nContent-Length: 4\r\n")]
#[case::list_of_lengths("Content-Length: 4, 4\r\n")]
#[case::signed("Content-Length: +4\r\n")]
#[case::negative("Content-Length: -4\r\n")]
#[case::inner_space("Content-Length: 4 4\r\n")]
#[case::trailing_space("Content-Length: 4 \r\n")]
#[case::tab("Content-Length:\t4\r\n")]
#[case::hexadecimal("Content-Length: 0x4\r\n")]
#[case::no_number("Content-Length: \r\n")]
#[case::overflow("Content-Length: 18446744073709551617\r\n")]
#[case::xchunked("Transfer-Encoding: xchunked\r\n")]
#[case::identity("Transfer-Encoding: identity\r\n")]
#[case::two_codings("Transfer-Encoding: gzip, chunked\r\n")]
#[case::twice("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")]
#[case::after_a_tab("Transfer-Encoding:\tchunked\r\n")]
#[case::before_a_space("Transfer-Encoding: chunked \r\n")]
#[case::quoted("Transfer-Encoding: \"chunked\"\r\n")]
#[case::vertical_tab("Transfer-Encoding: \u{b}chunked\r\n")]
#[case::folded("A: b\r\n c\r\n")]
#[case::folded_encoding("Transfer-Encoding:\r\n chunked\r\n")]
#[case::space_before_the_colon("Transfer-Encoding : chunked\r\n")]
#[case::space_before_the_name(" Transfer-Encoding: chunked\r\n")]
#[case::no_colon("Transfer-Encoding\r\n")]
#[case::no_name(": chunked\r\n")]
#[case::nul("A: b\0c\r\n")]
#[case::delete("A: b\u{7f}c\r\n")]
#[case::bare_return("A: b\rc\r\n")]
#[case::bare_line_feed("A: b\nTransfer-Encoding: chunked\r\n")]
#[case::two_hosts("Host: other\r\n")]
fn what_could_be_read_in_two_ways_is_refused(#[case] headers: &str) {
    let Advance {
        pass: 0,
        rejected: Some(Rejected::Request(Malformed(_))),
    } = advance(&get(headers))
    else {
        panic!("{:?}", advance(&get(headers)));
    };
}

#[rstest]
#[case::ninth("GET /\r\n")]
#[case::tenth_of_two("GET / HTTP/2.0\r\n\r\n")]
#[case::lower_case("GET / http/1.1\r\n\r\n")]
#[case::two_spaces("GET  / HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::space_in_target("GET /a b HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::tab_in_target("GET /a\tb HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::fragment("GET /a#b HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::no_path("GET nova HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::no_options("GET * HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::tunnel("CONNECT nova:22 HTTP/1.1\r\nHost: nova:22\r\n\r\n")]
#[case::odd_method("GE(T / HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::no_host("GET / HTTP/1.1\r\n\r\n")]
#[case::host_of_another("GET http://nova/ HTTP/1.1\r\nHost: other\r\n\r\n")]
#[case::host_with_path("GET / HTTP/1.1\r\nHost: nova/x\r\n\r\n")]
#[case::host_with_user("GET / HTTP/1.1\r\nHost: a@nova\r\n\r\n")]
#[case::chunks_in_the_old_version("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")]
#[case::many_empty_lines("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::bare_line_feeds("GET / HTTP/1.1\nHost: nova\n\n")]
#[case::a_handshake("\u{16}\u{3}\u{1}")]
fn what_is_no_request_is_refused(#[case] text: &str) {
    let Some(Rejected::Request(Malformed(_))) = advance(text).rejected else {
        panic!("{:?}", advance(text));
    };
}

#[rstest]
#[case::overflow("1ffffffffffffffff\r\n")]
#[case::sign("+1\r\na\r\n")]
#[case::prefix("0x1\r\na\r\n")]
#[case::empty("\r\n")]
#[case::space("1 \r\na\r\n")]
#[case::bare_line_feed("1\na\r\n")]
#[case::longer_than_its_size("1\r\nab\r\n")]
#[case::bare_line_feed_after_data("1\r\na\n")]
#[case::extension_with_return("1;a\rb\r\na\r\n")]
#[case::length_as_trailer("0\r\nContent-Length: 4\r\n\r\n")]
#[case::folded_trailer("0\r\nA: b\r\n c\r\n\r\n")]
#[case::long_extension(&format!("1;{}\r\n", "x".repeat(1100)))]
#[case::flood_of_extensions(&format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(5))]
#[case::flood_of_trailers(&format!("0\r\n{}", "A: b\r\n".repeat(200)))]
fn odd_chunks_are_refused(#[case] chunks: &str) {
    let head = get("Transfer-Encoding: chunked\r\n");
    let Some(Rejected::Request(Malformed(_))) = advance(&(head.clone() + chunks)).rejected else {
        panic!("together");
    };
    let mut framing = Framing::new(LIMITS);
    assert_eq!(framing.advance(head.as_bytes()).pass, head.len());
    let Some(Rejected::Body(Malformed(_))) = framing.advance(chunks.as_bytes()).rejected else {
        panic!("apart");
    };
}

#[test]
fn what_comes_before_a_bad_request_passes() {
    let good = get("") + &get("Content-Length: 2\r\n") + "ab";
    let bad = "GET /\r\n";
    assert_eq!(
        advance(&(good.clone() + bad)),
        Advance {
            pass: good.len(),
            rejected: Some(Rejected::Request(Malformed(
                "a request line that is not method, target, version"
            ))),
        }
    );
}

/// `GET /… HTTP/1.1` and its end, so many bytes in all.
fn line(length: usize) -> String {
    format!("GET /{} HTTP/1.1\r\n", "x".repeat(length - 16))
}

#[rstest]
#[case::longest_line(line(8191) + "Host: nova\r\n\r\n", None)]
#[case::long_line(line(8192) + "Host: nova\r\n\r\n", Some(UrlTooLong))]
#[case::endless_line("x".repeat(8192), Some(UrlTooLong))]
#[case::longest_header(get(&format!("A: {}\r\n", "x".repeat(16_383 - 5))), None)]
#[case::long_header(get(&format!("A: {}\r\n", "x".repeat(16_384 - 5))), Some(HeaderLineTooLong))]
#[case::endless_header(format!("GET / HTTP/1.1\r\n{}", "x".repeat(16_384)), Some(HeaderLineTooLong))]
#[case::many_bytes(get(&format!("A: {}\r\n", "x".repeat(16_000)).repeat(5)), Some(HeadersTooLarge))]
#[case::most_headers(get(&"A: b\r\n".repeat(999)), None)]
#[case::many_headers(get(&"A: b\r\n".repeat(1000)), Some(HeadersTooLarge))]
fn limits_are_eventlet_s(#[case] text: String, #[case] rejection: Option<Rejection>) {
    assert_eq!(advance(&text).rejected, rejection.map(Rejected::Request));
}
