//! Clients that keep the server waiting are let go.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use kilonova_probe::{Authority, Issued, PATIENCE, wait_for};
use rstest::rstest;

use crate::server::{Server, write_pair};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn start(http: &str) -> Server {
    Server::start(&format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {http}}}],
          admin: {{port: 0, loopback: true}}}}"
    ))
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn counted(server: &Server, reason: &str) {
    let metric =
        format!("kilonova_rejected_requests_total{{api=\"osapi_compute\",reason=\"{reason}\"}}");
    wait_for(&format!("{reason} to be counted"), || {
        (server.metric(&metric) == Some(1.0)).then_some(())
    });
}

/// Sends a byte whenever a tenth of a second passes, until the server has enough of it.
fn trickle(mut stream: TcpStream, bytes: impl Iterator<Item = u8>) {
    let began = Instant::now();
    for byte in bytes {
        std::thread::park_timeout(std::time::Duration::from_millis(100));
        if stream.write_all(&[byte]).is_err() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nobody minds");
    }
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(ended.is_err() || rest.is_empty() || rest.starts_with(b"HTTP/1.1 401"));
    assert!(
        began.elapsed().as_millis() >= 900,
        "it was given its second"
    );
}

#[test]
fn a_head_that_trickles_in_is_not_waited_for() {
    let server = start("{headerTimeoutSeconds: 1}");
    let head = b"GET / HTTP/1.1\r\nHost: nova\r\nA: ".iter().copied();
    trickle(connect(&server), head.chain(std::iter::repeat(b'x')));
    counted(&server, "head_timeout");
}

#[test]
fn a_preface_that_trickles_in_is_not_waited_for() {
    let server = start("{headerTimeoutSeconds: 1}");
    trickle(connect(&server), PREFACE.iter().copied());
    counted(&server, "head_timeout");
}

#[rstest]
#[case::nothing_more(PREFACE.to_vec())]
#[case::settings([PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat())]
#[case::half_a_head([PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0, 0, 1, 1, 1, 0, 0, 0, 1, 0x82]].concat())]
fn http_2_without_a_request_is_not_waited_for(#[case] bytes: Vec<u8>) {
    let server = start("{headerTimeoutSeconds: 1}");
    let mut stream = connect(&server);
    stream.write_all(&bytes).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    counted(&server, "head_timeout");
}

#[test]
fn http_2_without_another_request_is_closed_as_any_kept_connection() {
    let server = start("{clientSocketTimeoutSeconds: 1}");
    let mut stream = connect(&server);
    // GET / as a head block of static entries: method, scheme, path, and an authority written out.
    let head = [0x82, 0x86, 0x84, 0x41, 4, b'n', b'o', b'v', b'a'];
    let frame = [&[0, 0, 9, 1, 5, 0, 0, 0, 1][..], &head].concat();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    stream
        .write_all(&[PREFACE, &settings, &frame].concat())
        .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let body = String::from_utf8_lossy(&all);
    assert!(body.contains("\"versions\""), "{body}");
}

#[test]
fn a_body_that_trickles_in_is_not_waited_for() {
    let server = start("{headerTimeoutSeconds: 1, maxBodyBytes: 1000}");
    let head = b"POST /v2.1/ HTTP/1.1\r\nHost: nova\r\nContent-Length: 900\r\n\r\n";
    let mut stream = connect(&server);
    stream.write_all(head).unwrap();
    trickle(stream, std::iter::repeat_n(b'x', 900));
}

#[test]
fn an_answer_nobody_reads_is_given_up() {
    let server = start("{clientSocketTimeoutSeconds: 1}");
    let mut stream = connect(&server);
    let requests = b"GET /v2.1/ HTTP/1.1\r\nHost: nova\r\n\r\n".repeat(1000);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // As many as fit into the buffers of both systems; then the server closes.
    while stream.write_all(&requests).is_ok() {}
    counted(&server, "answer_timeout");
}

#[test]
fn a_handshake_that_does_not_end_is_not_waited_for() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("tls")).unwrap();
    write_pair(directory.path(), &Issued::valid(&authority));
    let server = Server::start_in(
        directory,
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, tls: {certificateDirectory: '{dir}/tls'},
           http: {tlsHandshakeTimeoutSeconds: 1}}], admin: {port: 0, loopback: true}}",
    );
    server.wait_started();
    let mut stream = connect(&server);
    stream.write_all(&[0x16, 3, 1, 2, 0]).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let metric = "kilonova_tls_handshake_errors_total{api=\"osapi_compute\",reason=\"timeout\"}";
    wait_for("the handshake to be counted", || {
        (server.metric(metric) == Some(1.0)).then_some(())
    });
}
