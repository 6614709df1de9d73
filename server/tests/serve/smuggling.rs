//! What could be read in two ways is read in none: the shapes that smuggle requests past a proxy, byte for byte.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use kilonova_probe::{PATIENCE, client};
use rstest::rstest;

use crate::server::Server;

const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// What an attacker would have somebody else's request begin with.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: nova\r\n\r\n";

fn start() -> Server {
    Server::start(
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1}], admin: {port: 0, loopback: true}}",
    )
}

/// Everything the server says before it closes.
fn said(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Sends a request whose head ends with `headers`, and another behind it that must not be seen.
fn refused(server: &Server, headers: &str, body: &str) {
    let text = format!("POST /v2.1/ HTTP/1.1\r\nHost: nova\r\n{headers}\r\n{body}{SMUGGLED}");
    assert_eq!(
        said(server.address(), text.as_bytes()),
        REFUSED,
        "{headers}"
    );
}

#[test]
fn no_shape_smuggles_a_request() {
    let server = start();
    let worker = server.ready_workers();
    for (headers, body) in [
        (
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            "0\r\n\r\n",
        ),
        ("Content-Length: 0\r\nContent-Length: 40\r\n", ""),
        ("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"),
        ("Content-Length: 3, 3\r\n", "abc"),
        ("Content-Length: +3\r\n", "abc"),
        ("Content-Length: -3\r\n", "abc"),
        ("Content-Length: 3 3\r\n", "abc"),
        ("Content-Length: 0x3\r\n", "abc"),
        ("Content-Length: 3 \r\n", "abc"),
        ("Content-Length:\t3\r\n", "abc"),
        ("Content-Length:\r\n", ""),
        ("Content-Length: 18446744073709551619\r\n", "abc"),
        ("Content-Length : 3\r\n", "abc"),
        ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: identity\r\n", ""),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "0\r\n\r\n",
        ),
        ("Transfer-Encoding: chunked \r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\u{b}chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        (" Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        ("A: b\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("A: b\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("A: b\0c\r\n", ""),
        ("A: b\r\n folded\r\n", ""),
        ("A\r\n", ""),
        (": b\r\n", ""),
        ("Host: other\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "1ffffffffffffffff\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1 \r\na\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\na\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
        (
            "Transfer-Encoding: chunked\r\n",
            "0\r\nContent-Length: 40\r\n\r\n",
        ),
        ("Transfer-Encoding: chunked\r\n", "0\r\n\n"),
    ] {
        refused(&server, headers, body);
    }
    assert_eq!(server.ready_workers(), worker);
    assert!(!server.log().contains("smuggled"), "{}", server.log());
}

#[rstest]
#[case::http_09("GET /\r\n\r\n")]
#[case::http_2_without_preface("GET / HTTP/2.0\r\nHost: nova\r\n\r\n")]
#[case::two_spaces("GET  / HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::space_in_target("GET /a b HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::fragment("GET /a#b HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::no_host("GET / HTTP/1.1\r\n\r\n")]
#[case::host_of_another("GET http://other/ HTTP/1.1\r\nHost: nova\r\n\r\n")]
#[case::host_with_path("GET / HTTP/1.1\r\nHost: nova/x\r\n\r\n")]
#[case::tunnel("CONNECT nova:22 HTTP/1.1\r\nHost: nova:22\r\n\r\n")]
#[case::bare_line_feeds("GET / HTTP/1.1\nHost: nova\n\n")]
#[case::old_chunks("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
#[case::binary("\u{16}\u{3}\u{1}\u{2}")]
fn what_is_no_request_is_refused(#[case] text: &str) {
    let server = start();
    assert_eq!(said(server.address(), text.as_bytes()), REFUSED);
    let metric = "kilonova_rejected_requests_total{api=\"osapi_compute\",reason=\"malformed\"}";
    kilonova_probe::wait_for("the count", || {
        (server.metric(metric) == Some(1.0)).then_some(())
    });
    assert!(server.log().contains(" 127.0.0.1 refused: "));
    assert_eq!(client::get(server.address(), "/").status, 200);
}

#[test]
fn a_body_that_breaks_after_its_head_ends_the_connection() {
    let server = start();
    let mut torn = kilonova_probe::Connection::open(server.address()).unwrap();
    torn.send("POST /v2.1/servers HTTP/1.1\r\nHost: nova\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    assert_eq!(torn.answer().unwrap().status, 401);
    let _ = torn.send(&format!("zz\r\n{SMUGGLED}"));
    assert!(torn.closed());
    assert!(!server.log().contains("smuggled"), "{}", server.log());
}

#[test]
fn a_flood_of_extensions_ends_the_connection() {
    let server = start();
    let flood = format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(100);
    let head = "POST /v2.1/servers HTTP/1.1\r\nHost: nova\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = said(
        server.address(),
        format!("{head}{flood}0\r\n\r\n{SMUGGLED}").as_bytes(),
    );
    // What came of the body before the flood may have been enough for an answer.
    assert!(
        answer == REFUSED || answer.starts_with("HTTP/1.1 401 "),
        "{answer}"
    );
    assert_eq!(answer.matches("HTTP/1.1").count(), 1);
    assert!(!server.log().contains("smuggled"), "{}", server.log());
}

#[test]
fn the_target_may_name_the_host_once_more() {
    let server = start();
    let text = "GET http://nova/v2.1/ HTTP/1.1\r\nHost: nova\r\nConnection: close\r\n\r\n";
    let answer = said(server.address(), text.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("http://nova/v2.1/"), "{answer}");
}

#[test]
fn pipelined_requests_are_answered_in_order_up_to_the_bad_one() {
    let server = start();
    let paths = ["/v2.1/", "/nowhere", "/v2.1/servers", "/v2/"];
    let mut text: String = paths
        .map(|path| format!("GET {path} HTTP/1.1\r\nHost: nova\r\n\r\n"))
        .concat();
    text += "POST /v2.1/servers HTTP/1.1\r\nHost: nova\r\nContent-Length: 3\r\n\r\nabc";
    text += "POST /v2.1/ HTTP/1.1\r\nHost: nova\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
    text += "GET / HTTP/1.1\r\nHost: nova\r\nA : b\r\n\r\n";
    text += SMUGGLED;
    let answer = said(server.address(), text.as_bytes());
    let statuses: Vec<_> = answer
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| &answer[..3])
        .collect();
    assert_eq!(statuses[..5], ["200", "300", "401", "200", "401"]);
    assert_eq!(statuses[6..], ["400"], "{answer}");
    assert!(answer.ends_with(REFUSED));
    assert!(!server.log().contains("smuggled"), "{}", server.log());
}

#[test]
fn a_client_that_has_nothing_more_to_say_still_gets_its_answer() {
    let server = start();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(&answer, b"HTTP/1.0 200 OK");
}
