//! What ends one day: said in the log, in the metrics and on `/status`.

use kilonova_probe::{Authority, Issued, TlsConnection};
use rcgen::{BasicConstraints, IsCa, date_time_ymd};

use super::{TLS, mutual, serve};
use crate::server::{Server, write, write_pair};

#[test]
fn a_certificate_that_is_not_valid_yet_is_served_loudly() {
    let authority = Authority::new();
    let issued = authority.issue(&["nova.test"], (2098, 2099));
    let server = serve(&authority, &issued, TLS);
    server.wait_log("is not valid yet: clients will refuse it");
    let refused = TlsConnection::handshake(server.address(), authority.client(None));
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("not valid yet"), "{error}");
}

#[test]
fn an_expired_authority_is_said_and_its_clients_are_let_in() {
    let authority = Authority::made(|wanted| wanted.not_after = date_time_ymd(2021, 1, 1));
    let server = serve(&authority, &Issued::valid(&authority), &mutual("Required"));
    server.wait_log("has expired: its clients are still let in");
    let not_after = "kilonova_tls_client_ca_not_after_timestamp_seconds{api=\"osapi_compute\"}";
    assert_eq!(server.metric(not_after), Some(1_609_459_200.0));
    let clients = server.api().tls.unwrap().client_auth.unwrap();
    assert_eq!(clients.ca_not_after, Some(1_609_459_200));
    let client = Issued::valid(&authority);
    let mut connection =
        TlsConnection::handshake(server.address(), authority.client(Some(&client))).unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
}

#[test]
fn the_certificate_stands_in_the_metrics() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let tls = server.api().tls.unwrap();
    let info = format!(
        "kilonova_tls_serial_info{{api=\"osapi_compute\",fingerprint=\"{}\",serial=\"{}\"}}",
        tls.fingerprint, tls.serial
    );
    assert_eq!(server.metric(&info), Some(1.0));
}

#[test]
fn what_strict_clients_refuse_is_served_and_said() {
    let authority = Authority::named("ours");
    let issued = authority.issue_with(&[], |wanted| {
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let leaf = Issued::valid(&authority);
    let directory = tempfile::tempdir().unwrap();
    let chain = Issued {
        certificate: issued.certificate + &leaf.certificate,
        ..issued
    };
    write_pair(directory.path(), &chain);
    write(
        directory.path(),
        "ca.crt",
        &(authority.pem() + &leaf.certificate),
    );
    let server = Server::start_in(directory, &mutual("Optional"));
    server.wait_started();
    let warnings = server.api().tls.unwrap().warnings;
    let expected = [
        "the server's certificate is a CA certificate",
        "the server's certificate has no subject alternative name",
        "certificate 2 in tls.crt did not sign the one before it",
        "certificate 2 of the CA bundle (",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
        assert_eq!(server.log().matches(warning.as_str()).count(), 1);
    }
}
