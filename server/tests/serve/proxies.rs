//! Whom a request comes from, as trusted proxies say and others do not.

use std::io::{Read, Write};
use std::net::TcpStream;

use kilonova_probe::{Authority, Connection, Issued, PATIENCE, TlsConnection, wait_for};
use rstest::rstest;

use crate::server::Server;
use crate::tls::serve;

fn start(http: &str) -> Server {
    Server::start(&format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {http}}}],
          admin: {{port: 0, loopback: true}}}}"
    ))
}

fn links(server: &Server, headers: &str) -> String {
    let mut connection = Connection::open(server.address()).unwrap();
    let text = format!("GET /v2.1/ HTTP/1.1\r\nHost: inside:8774\r\n{headers}\r\n");
    connection.send(&text).unwrap();
    String::from_utf8(connection.answer().unwrap().body).unwrap()
}

const STANDARD: &str = "Forwarded: for=203.0.113.9;proto=http;host=evil, for=192.0.2.1;proto=https;host=nova.example\r\n";
const USUAL: &str = "X-Forwarded-For: 203.0.113.9, 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\
    X-Forwarded-Host: nova.example\r\nX-Forwarded-Prefix: /compute\r\n";

#[rstest]
#[case::standard(STANDARD, "\"https://nova.example/v2.1/\"")]
#[case::usual(USUAL, "\"https://nova.example/compute/v2.1/\"")]
#[case::nothing("", "\"http://inside:8774/v2.1/\"")]
fn links_are_what_a_trusted_proxy_says(#[case] headers: &str, #[case] link: &str) {
    let server = start("{trustedProxies: [127.0.0.0/8]}");
    let answer = links(&server, headers);
    assert!(answer.contains(link), "{answer}");
    let client = if headers.is_empty() { "" } else { "192.0.2.1," };
    server.wait_log(&format!(
        "] {client}127.0.0.1 \"GET /v2.1/ HTTP/1.1\" status: 200"
    ));
}

#[rstest]
#[case::nobody_is_trusted("{}")]
#[case::another_is("{trustedProxies: [10.0.0.0/8]}")]
fn others_are_not_believed(#[case] http: &str) {
    let server = start(http);
    for headers in [STANDARD, USUAL] {
        let answer = links(&server, headers);
        assert!(answer.contains("\"http://inside:8774/v2.1/\""), "{answer}");
    }
    server.wait_log("] 127.0.0.1 \"GET /v2.1/ HTTP/1.1\" status: 200");
}

const TRUSTED: &str =
    "{proxyProtocol: V1V2, trustedProxies: [127.0.0.1/32], headerTimeoutSeconds: 1}";

fn binary(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [
        b"\r\n\r\n\0\r\nQUIT\n",
        &[command, family][..],
        &length,
        payload,
    ]
    .concat()
}

const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x67, 0x22, 0x46];

#[rstest]
#[case::line(b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 8774\r\n".to_vec(), "192.0.2.1")]
#[case::line_of_the_unknown(b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1")]
#[case::binary(binary(0x21, 0x11, &V4), "192.0.2.1")]
#[case::with_extensions(binary(0x21, 0x11, &[&V4[..], &[4, 0, 1, 0]].concat()), "192.0.2.1")]
#[case::local(binary(0x20, 0, &[]), "127.0.0.1")]
fn the_load_balancer_says_whom_a_connection_comes_from(
    #[case] header: Vec<u8>,
    #[case] client: &str,
) {
    let server = start(TRUSTED);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: nova\r\nConnection: close\r\n\r\n";
    stream.write_all(&[&header[..], request].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    server.wait_log(&format!("] {client} \"GET / HTTP/1.1\" status: 200"));
}

#[test]
fn the_header_comes_before_tls() {
    let authority = Authority::new();
    let configuration = format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, tls: {{certificateDirectory: '{{dir}}/tls'}},
           http: {TRUSTED}}}], admin: {{port: 0, loopback: true}}}}"
    );
    let server = serve(&authority, &Issued::valid(&authority), &configuration);
    let mut tcp = TcpStream::connect(server.address()).unwrap();
    tcp.write_all(&binary(0x21, 0x11, &V4)).unwrap();
    let mut connection =
        TlsConnection::handshake_on(tcp, "nova.test", authority.client(None)).unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
    server.wait_log("] 192.0.2.1 \"GET / HTTP/1.1\" status: 200");
}

#[rstest]
#[case::none(TRUSTED, "GET / HTTP/1.1\r\nHost: nova\r\n\r\n", "no PROXY header")]
#[case::unfinished(TRUSTED, "PROXY TCP4 192.0.2.1", "no end of the PROXY header")]
#[case::from_a_stranger(
    "{proxyProtocol: V1V2, trustedProxies: [10.0.0.0/8]}",
    "PROXY UNKNOWN\r\n",
    "it is none of trustedProxies"
)]
fn others_are_closed_without_a_word(#[case] http: &str, #[case] bytes: &str, #[case] why: &str) {
    let server = start(http);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let _ = stream.write_all(bytes.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
    server.wait_log(&format!("127.0.0.1 refused: {why}"));
    let metric = "kilonova_rejected_requests_total{api=\"osapi_compute\",reason=\"proxy_header\"}";
    wait_for("the count", || {
        (server.metric(metric) == Some(1.0)).then_some(())
    });
}
