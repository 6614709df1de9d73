//! APIs over TLS, reached through their Services.

use kilonova_e2e::{Cluster, Namespace};
use kilonova_probe::{Authority, Issued, TlsConnection};

pub const SERVICE: &str = "nova-osapi-compute";

pub const TLS: &str = "apis: [{name: osapi_compute, workers: 2, tls: {secretName: nova-api-tls}}]";

pub fn write_pair(namespace: &Namespace<'_>, issued: &Issued) {
    let pair = [
        ("tls.crt", issued.certificate.as_str()),
        ("tls.key", issued.key.as_str()),
    ];
    namespace.secret("nova-api-tls", &pair);
}

/// A certificate for the API's Service.
pub fn issue(namespace: &Namespace<'_>, authority: &Authority) -> Issued {
    authority.issue(&[&namespace.host(SERVICE)], (2020, 2099))
}

pub fn handshake(
    namespace: &Namespace<'_>,
    authority: &Authority,
    identity: Option<&Issued>,
) -> std::io::Result<TlsConnection> {
    let client = authority.client(identity);
    TlsConnection::handshake_as(namespace.address(SERVICE), &namespace.host(SERVICE), client)
}

#[test]
fn the_service_is_verified_against_its_authority() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("tls-verified");
    let authority = Authority::new();
    let issued = issue(&namespace, &authority);
    write_pair(&namespace, &issued);
    namespace.apply(TLS);
    namespace.wait_ready();

    let mut connection = handshake(&namespace, &authority, None).unwrap();
    assert_eq!(connection.certificate(), issued.der());
    let answer = connection.get("/v2.1/").unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(connection.get("/v2.1/servers").unwrap().status, 401);

    let status = namespace.nova().status.unwrap();
    let shown = serde_json::to_value(&status).unwrap();
    assert_eq!(
        shown["apis"][0]["url"],
        format!("https://{}:8774", namespace.host(SERVICE))
    );
    assert_eq!(shown["apis"][0]["ready"], "1/1");
    namespace.wait_condition("TLSReady", "True", None);
}

#[test]
fn mutual_tls_refuses_strangers_and_serves_friends() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("tls-mutual");
    let authority = Authority::new();
    write_pair(&namespace, &issue(&namespace, &authority));
    namespace.secret("clients-ca", &[("ca.crt", &authority.pem())]);
    namespace.apply(
        "apis:
         - name: osapi_compute
           tls: {secretName: nova-api-tls, clientAuth: {mode: Required, caSecretName: clients-ca}}",
    );
    namespace.wait_ready();

    let stranger =
        handshake(&namespace, &authority, None).and_then(|mut connection| connection.get("/"));
    assert!(stranger.is_err(), "{stranger:?}");
    let friend = Issued::valid(&authority);
    let mut connection = handshake(&namespace, &authority, Some(&friend)).unwrap();
    assert_eq!(connection.get("/").unwrap().status, 200);
}
