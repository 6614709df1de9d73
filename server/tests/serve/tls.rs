//! TLS and client certificates.

mod clients;
mod dates;
mod faults;
mod handshakes;
mod resumption;
mod revocation;
mod versions;

use crate::server::{Server, write, write_pair};
use kilonova_probe::{Authority, Issued};
use kilonova_probe::{Connection, TlsConnection};

const TLS: &str = "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2,
  tls: {certificateDirectory: '{dir}/tls'}}], admin: {port: 0, loopback: true}}";

pub fn mutual(mode: &str) -> String {
    TLS.replace(
        "'{dir}/tls'}",
        &format!("'{{dir}}/tls', clientAuth: {{mode: {mode}, caFile: '{{dir}}/ca.crt'}}}}"),
    )
}

/// A server with a certificate of `authority`, which also signs clients.
pub fn serve(authority: &Authority, issued: &Issued, configuration: &str) -> Server {
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path(), issued);
    write(directory.path(), "ca.crt", &authority.pem());
    let server = Server::start_in(directory, configuration);
    server.wait_started();
    server
}

#[test]
fn a_client_that_verifies_is_served() {
    let authority = Authority::new();
    let issued = Issued::valid(&authority);
    let server = serve(&authority, &issued, TLS);
    let mut connection =
        TlsConnection::handshake(server.address(), authority.client(None)).unwrap();
    assert_eq!(connection.certificate(), issued.der());
    let answer = connection.get("/v2.1/").unwrap();
    assert_eq!(answer.status, 200);
    let body = String::from_utf8(answer.body).unwrap();
    assert!(
        body.contains("\"href\": \"https://nova.test/v2.1/\""),
        "{body}"
    );
}

#[test]
fn http_2_is_agreed_upon() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let mut client = authority.client(None);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let connection = TlsConnection::handshake(server.address(), client).unwrap();
    assert_eq!(connection.alpn(), Some(b"h2".to_vec()));
}

#[test]
fn plain_http_to_the_tls_port_is_closed_and_harms_nobody() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let mut plain = Connection::open(server.address()).unwrap();
    assert!(plain.get("/").is_err());
    server.wait_log("TLS handshake failed");
    let mut connection =
        TlsConnection::handshake(server.address(), authority.client(None)).unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
}

#[test]
fn required_client_certificates_are_required() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), &mutual("Required"));
    let identity = Issued::valid(&authority);
    let mut known =
        TlsConnection::handshake(server.address(), authority.client(Some(&identity))).unwrap();
    assert_eq!(known.get("/").unwrap().status, 200);

    let stranger = Issued::valid(&Authority::new());
    for identity in [None, Some(&stranger)] {
        // TLS 1.3 tells a client only after its own last word.
        let refused = TlsConnection::handshake(server.address(), authority.client(identity))
            .and_then(|mut connection| connection.get("/"));
        assert!(refused.is_err(), "{refused:?}");
    }
}

#[test]
fn optional_client_certificates_are_optional_and_never_wrong() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), &mutual("Optional"));
    let mut anonymous = TlsConnection::handshake(server.address(), authority.client(None)).unwrap();
    assert_eq!(anonymous.get("/").unwrap().status, 200);
    let stranger = Issued::valid(&Authority::new());
    let refused = TlsConnection::handshake(server.address(), authority.client(Some(&stranger)))
        .and_then(|mut connection| connection.get("/"));
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn an_expired_certificate_is_served_loudly() {
    let authority = Authority::new();
    let server = serve(
        &authority,
        &authority.issue(&["nova.test"], (2020, 2021)),
        TLS,
    );
    assert!(server.log().contains("has EXPIRED"), "{}", server.log());
    let expired = server.metric("kilonova_tls_not_after_timestamp_seconds{api=\"osapi_compute\"}");
    assert_eq!(expired, Some(1_609_459_200.0));
    let error = TlsConnection::handshake(server.address(), authority.client(None))
        .err()
        .unwrap();
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn each_api_has_its_own_certificate() {
    let authority = Authority::new();
    let (compute, metadata) = (Issued::valid(&authority), Issued::valid(&authority));
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path(), &compute);
    write(directory.path(), "other/tls.crt", &metadata.certificate);
    write(directory.path(), "other/tls.key", &metadata.key);
    let server = Server::start_in(
        directory,
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, tls: {certificateDirectory: '{dir}/tls'}},
                 {name: metadata, port: 0, listen: 127.0.0.1, tls: {certificateDirectory: '{dir}/other'}}],
          admin: {port: 0, loopback: true}}",
    );
    server.wait_started();
    for (api, issued) in server.status().apis.iter().zip([compute, metadata]) {
        let address = api.address.strip_prefix("https://").unwrap();
        let client = authority.client(None);
        let connection = TlsConnection::handshake(address.parse().unwrap(), client).unwrap();
        assert_eq!(connection.certificate(), issued.der(), "{}", api.name);
    }
}
