//! Versions of TLS, and the protocols above it.

use kilonova_config::TlsVersion;
use kilonova_probe::{Authority, Issued, TlsConnection, wait_for};
use rustls::version::{TLS12, TLS13};

use super::{TLS, serve};

#[test]
fn the_oldest_version_is_taken_over_while_running() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let old = || {
        let client = authority.client_speaking(&[&TLS12], None);
        TlsConnection::handshake(server.address(), client)
    };
    let mut kept = old().unwrap();
    assert_eq!(server.api().tls.unwrap().min_version, TlsVersion::Tls12);

    server.configure(&TLS.replace("{dir}/tls'", "{dir}/tls', minVersion: '1.3'"));
    server.wait_log("taken over");
    assert!(old().is_err());
    let new = authority.client_speaking(&[&TLS13], None);
    TlsConnection::handshake(server.address(), new).unwrap();
    assert_eq!(kept.get("/").unwrap().status, 200);
    let status = server.status();
    assert!(!status.needs_restart);
    assert_eq!(
        status.apis[0].tls.as_ref().unwrap().min_version,
        TlsVersion::Tls13
    );
    let refused =
        "kilonova_tls_handshake_errors_total{api=\"osapi_compute\",reason=\"no_shared_protocol\"}";
    wait_for("the count", || {
        server.metric(refused).filter(|count| *count >= 1.0)
    });

    server.configure(TLS);
    wait_for("the old version", || old().ok());
}

#[test]
fn a_version_that_is_not_spoken_is_a_setting_s_error() {
    let configuration = TLS.replace("{dir}/tls'", "{dir}/tls', minVersion: '1.1'");
    let mut server = crate::server::Server::start_in(tempfile::tempdir().unwrap(), &configuration);
    assert_eq!(server.wait_exit().code(), Some(1));
    let log = server.log();
    assert!(
        log.contains("apis[0].tls.minVersion: unknown variant `1.1`, expected `1.2` or `1.3`"),
        "{log}"
    );
}

#[test]
fn each_client_gets_the_protocol_it_asks_for() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let cases = [
        (vec!["h2", "http/1.1"], Some("h2")),
        (vec!["http/1.1", "h2"], Some("h2")),
        (vec!["http/1.1"], Some("http/1.1")),
        (vec![], None),
    ];
    for (offered, expected) in cases {
        let mut client = authority.client(None);
        client.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let mut connection = TlsConnection::handshake(server.address(), client).unwrap();
        assert_eq!(connection.alpn().as_deref(), expected.map(str::as_bytes));
        if expected != Some("h2") {
            assert_eq!(connection.get("/").unwrap().status, 200);
        }
    }
}
