//! The limits of a head and a body, on HTTP/1 byte for byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use kilonova_probe::{Connection, PATIENCE, wait_for};
use rstest::rstest;

use crate::server::Server;

fn start(http: &str) -> Server {
    Server::start(&format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {http}}}],
          admin: {{port: 0, loopback: true}}}}"
    ))
}

fn said(server: &Server, text: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn counted(server: &Server, reason: &str) {
    let metric =
        format!("kilonova_rejected_requests_total{{api=\"osapi_compute\",reason=\"{reason}\"}}");
    wait_for(&format!("{reason} to be counted"), || {
        (server.metric(&metric) == Some(1.0)).then_some(())
    });
}

/// A request whose request line has so many bytes, its end counted.
fn line(length: usize) -> String {
    let path = "x".repeat(length - "GET / HTTP/1.1\r\n".len());
    format!("GET /{path} HTTP/1.1\r\nHost: nova\r\nConnection: close\r\n\r\n")
}

/// A request with so many headers of so many bytes, their ends counted.
fn headers(count: usize, length: usize) -> String {
    let header = format!("A: {}\r\n", "x".repeat(length - "A: \r\n".len()));
    let headers = header.repeat(count);
    format!("GET / HTTP/1.1\r\nHost: nova\r\nConnection: close\r\n{headers}\r\n")
}

const URL: &str =
    "HTTP/1.1 414 Request URI Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const LINE: &str =
    "HTTP/1.1 400 Header Line Too Long\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const HEADERS: &str =
    "HTTP/1.1 400 Headers Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

#[rstest]
#[case::url("{}", line(8191), line(8192), "300 ", URL, "url_too_long")]
#[case::url_set(
    "{maxUrlBytes: 65535}",
    line(65_000),
    line(65_535),
    "300 ",
    URL,
    "url_too_long"
)]
#[case::line(
    "{}",
    headers(1, 16_383),
    headers(1, 16_384),
    "200 ",
    LINE,
    "header_line_too_long"
)]
#[case::line_set(
    "{maxHeaderLineBytes: 300}",
    headers(1, 299),
    headers(1, 300),
    "200 ",
    LINE,
    "header_line_too_long"
)]
#[case::total(
    "{}",
    headers(4, 16_000),
    headers(5, 16_000),
    "200 ",
    HEADERS,
    "headers_too_large"
)]
#[case::count(
    "{}",
    headers(998, 6),
    headers(999, 6),
    "200 ",
    HEADERS,
    "headers_too_large"
)]
fn a_head_has_limits(
    #[case] http: &str,
    #[case] fits: String,
    #[case] does_not: String,
    #[case] fine: &str,
    #[case] refused: &str,
    #[case] reason: &str,
) {
    let server = start(http);
    let answer = said(&server, &fits);
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {fine}")),
        "{}",
        &answer[..200]
    );
    assert_eq!(said(&server, &does_not), refused);
    counted(&server, reason);
}

fn post(length: usize, accept: &str) -> String {
    format!(
        "POST /v2.1/servers HTTP/1.1\r\nHost: nova\r\nAccept: {accept}\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[test]
fn a_body_has_a_limit() {
    let server = start("{maxBodyBytes: 1000}");
    let mut fits = Connection::open(server.address()).unwrap();
    fits.send(&(post(1000, "*/*") + &"x".repeat(1000))).unwrap();
    assert_eq!(fits.answer().unwrap().status, 401);

    // Nobody asks for its rest: the client learns at once, however much it goes on to send.
    let mut long = Connection::open(server.address()).unwrap();
    long.send(&(post(1_000_000, "application/json") + &"x".repeat(100_000)))
        .unwrap();
    let answer = long.answer().unwrap();
    assert_eq!(
        (answer.status, answer.header("connection")),
        (413, Some("close"))
    );
    assert_eq!(
        String::from_utf8(answer.body.clone()).unwrap(),
        r#"{"message": "Request is too large. Larger than max_request_body_size (1000).<br /><br />\n\n\n", "code": "413 Request Entity Too Large", "title": "Request Entity Too Large"}"#
    );
    let id = answer.header("x-openstack-request-id").unwrap();
    assert!(id.starts_with("req-"), "{id}");
    counted(&server, "body_too_large");
    assert!(
        said(&server, &post(1001, "text/html")).contains("<h1>413 Request Entity Too Large</h1>")
    );
    assert!(
        said(&server, &post(1001, "image/png"))
            .ends_with("\r\n\r\n413 Request Entity Too Large\n\nRequest is too large. Larger than max_request_body_size (1000).\n\n   ")
    );
}

#[test]
fn an_expectation_of_too_much_is_not_met() {
    let server = start("{}");
    let text = post(114_689, "*/*").replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    assert!(said(&server, &text).starts_with("HTTP/1.1 413 "));
}

#[test]
fn an_old_connection_is_told_to_go_and_an_idle_one_is_closed() {
    let server = start("{maxConnectionAgeSeconds: 1}");
    let mut busy = Connection::open(server.address()).unwrap();
    let mut idle = Connection::open(server.address()).unwrap();
    idle.get("/").unwrap();
    wait_for("the answer that is the last", || {
        let answer = busy.get("/").unwrap();
        assert_eq!(answer.status, 200);
        (answer.header("connection") == Some("close")).then_some(())
    });
    assert!(busy.closed());
    assert!(idle.closed());
}

#[test]
fn what_the_kernel_knows_follows_the_file() {
    let backlog = |server: &Server| {
        let port = server.address().port();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        assert!(table.contains(&format!("0100007F:{port:04X} 00000000:0000 0A")));
        let listeners = std::process::Command::new("ss")
            .args(["-Hltn", &format!("sport = :{port}")])
            .output();
        let listeners = String::from_utf8(listeners.ok()?.stdout).unwrap();
        listeners.split_whitespace().nth(2)?.parse::<u32>().ok()
    };
    let of = |backlog: u32| {
        format!(
            "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {{backlog: {backlog}}}}}],
              admin: {{port: 0, loopback: true}}}}"
        )
    };
    let server = Server::start(&of(17));
    assert_eq!(backlog(&server), Some(17));
    server.configure(&of(23));
    wait_for("the new backlog", || {
        (backlog(&server) == Some(23)).then_some(())
    });
}

/// An app that answers without the body does not want it: the client keeps it.
#[test]
fn a_body_that_nobody_reads_is_not_asked_for() {
    let server = start("{}");
    let mut polite = Connection::open(server.address()).unwrap();
    let text = post(4, "*/*").replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    polite.send(&text).unwrap();
    assert_eq!(polite.answer().unwrap().status, 401);
}

#[test]
fn the_kernel_asks_after_silent_clients() {
    let server = start("{tcpKeepIdleSeconds: 100}");
    let mut kept = Connection::open(server.address()).unwrap();
    assert_eq!(kept.get("/").unwrap().status, 200);
    let port = format!("sport = :{}", server.address().port());
    let timer = wait_for("the connection's timer", || {
        let sockets = std::process::Command::new("ss")
            .args(["-Htno", "state", "established", &port])
            .output();
        let sockets = String::from_utf8(sockets.ok()?.stdout).unwrap();
        let (_, timer) = sockets.split_once("timer:(keepalive,")?;
        Some(timer.split(',').next()?.to_owned())
    });
    assert!(timer.starts_with("1min"), "{timer}");
}
