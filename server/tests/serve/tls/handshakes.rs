//! Handshakes that fail, each counted under its reason and said in words.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use kilonova_probe::{Authority, Issued, TlsConnection, wait_for};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};
use rustls::{ClientConfig, RootCertStore};

use super::{TLS, mutual, serve};
use crate::server::{Server, write, write_pair};

fn failed(server: &Server, reason: &str) -> f64 {
    let line =
        format!("kilonova_tls_handshake_errors_total{{api=\"osapi_compute\",reason=\"{reason}\"}}");
    server.metric(&line).unwrap()
}

/// Waits until one more handshake has failed for a reason.
fn expect(server: &Server, reason: &str, words: &str, fail: impl FnOnce()) {
    let before = failed(server, reason);
    fail();
    wait_for(&format!("{reason} to be counted"), || {
        (failed(server, reason) > before).then_some(())
    });
    server.wait_log(&format!("127.0.0.1 TLS handshake failed: {words}"));
}

fn refused(server: &Server, client: ClientConfig) {
    let outcome = TlsConnection::handshake(server.address(), client)
        .and_then(|mut connection| connection.get("/"));
    assert!(outcome.is_err(), "{outcome:?}");
}

/// Sends bytes and reads to the end; how many came back.
fn send(server: &Server, bytes: &[u8]) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(kilonova_probe::PATIENCE))?;
    stream.write_all(bytes)?;
    stream.read_to_end(&mut Vec::new())
}

#[test]
fn client_certificates_that_are_refused() {
    let authority = Authority::named("ours");
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path(), &Issued::valid(&authority));
    write(directory.path(), "ca.crt", &authority.pem());
    let server = Server::start_in(directory, &mutual("Required"));
    server.wait_started();

    expect(
        &server,
        "no_certificate",
        "the client has no certificate, and one is required",
        || refused(&server, authority.client(None)),
    );
    let stranger = Issued::valid(&Authority::named("theirs"));
    expect(
        &server,
        "unknown_ca",
        "the client's certificate is not signed by a CA of the CA bundle",
        || refused(&server, authority.client(Some(&stranger))),
    );
    let expired = authority.issue(&["client.test"], (2020, 2021));
    expect(
        &server,
        "expired_certificate",
        "the client's certificate has expired",
        || refused(&server, authority.client(Some(&expired))),
    );
    let wrong = authority.issue_with(&["client.test"], |wanted| {
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    expect(
        &server,
        "bad_certificate",
        "the client's certificate is not valid (",
        || refused(&server, authority.client(Some(&wrong))),
    );
}

#[test]
fn clients_that_do_not_fit() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);

    expect(
        &server,
        "refused_by_client",
        "the client does not accept this server's certificate or choice (",
        || refused(&server, Authority::new().client(None)),
    );
    let mut other = authority.client(None);
    other.alpn_protocols = vec![b"spdy/3".to_vec()];
    expect(
        &server,
        "no_shared_alpn",
        "the client wants neither HTTP/2 nor HTTP/1.1",
        || refused(&server, other),
    );
    // The server's key is not RSA.
    let mut provider = default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    let rsa = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    expect(
        &server,
        "no_shared_cipher",
        "the client knows no cipher suite, key exchange or signature that is known here (",
        || refused(&server, rsa),
    );
}

#[test]
fn what_is_not_tls() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    // A record of TLS that never ends.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(&[22, 3, 1]).unwrap();

    expect(
        &server,
        "plain_http",
        "the client speaks HTTP without TLS",
        || {
            // As nova: no byte and a clean end, which curl calls an empty reply.
            let answer = send(&server, b"GET / HTTP/1.1\r\nHost: nova.test\r\n\r\n");
            assert_eq!(answer.unwrap(), 0);
        },
    );
    expect(
        &server,
        "not_tls",
        "the client does not speak TLS (",
        || {
            drop(send(&server, &[0; 64]));
        },
    );
    expect(
        &server,
        "closed",
        "the client closed the connection",
        || {
            let mut gone = TcpStream::connect(server.address()).unwrap();
            gone.write_all(&[22, 3, 1]).unwrap();
        },
    );
    // Somebody who only looks whether the port is open is counted, not logged.
    let lines = server.log().matches("TLS handshake failed").count();
    let before = failed(&server, "closed");
    drop(TcpStream::connect(server.address()).unwrap());
    wait_for("the look to be counted", || {
        (failed(&server, "closed") > before).then_some(())
    });
    assert_eq!(server.log().matches("TLS handshake failed").count(), lines);

    expect(&server, "timeout", "the client took too long", || {
        assert_eq!(slow.read_to_end(&mut Vec::new()).unwrap(), 0);
    });
}
