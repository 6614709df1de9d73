//! The clients' authority is exchanged under load, as one does: both are trusted for a while.

use kilonova_e2e::namespace::PATIENCE;
use kilonova_e2e::{Cluster, Load, Namespace, Target};
use kilonova_probe::{Authority, Issued, TlsConnection, wait_within};

use crate::rotations::issue;

const SERVICE: &str = "nova-osapi-compute";

fn trust(namespace: &Namespace<'_>, authorities: &[&Authority]) {
    let bundle: String = authorities
        .iter()
        .map(|authority| authority.pem())
        .collect();
    namespace.secret("clients-ca", &[("ca.crt", &bundle)]);
}

/// Whether every one of many connections is accepted, or refused: the Service spreads them over the pods.
fn all_are(accepted: bool, namespace: &Namespace<'_>, server: &Authority, who: &Issued) -> bool {
    (0..10).all(|_| {
        let (address, host) = (namespace.address(SERVICE), namespace.host(SERVICE));
        let opened = TlsConnection::handshake_as(address, &host, server.client(Some(who)));
        // A server that speaks TLS 1.3 refuses a client after the handshake.
        opened.and_then(|mut opened| opened.get("/")).is_ok() == accepted
    })
}

#[test]
fn the_clients_authority_is_replaced_without_a_lost_request() {
    let cluster = Cluster::connect();
    let namespace = cluster.namespace("client-authority");
    namespace.database();
    let (server, old, new) = (Authority::new(), Authority::new(), Authority::new());
    issue(&namespace, &server);
    trust(&namespace, &[&old]);
    namespace.apply(
        "{database: {secretName: nova-db}, replicas: 2, apis: [{name: osapi_compute, workers: 2,
          tls: {secretName: nova-api-tls, clientAuth: {mode: Required, caSecretName: clients-ca}}}]}",
    );
    namespace.wait_ready();
    let before = namespace.uids();
    let [former, latter] = [Issued::valid(&old), Issued::valid(&new)];
    let load = |identity| {
        let target = Target::tls(&namespace, SERVICE, &server, Some(identity));
        Load::start(&target)
    };

    let first = load(&former);
    trust(&namespace, &[&old, &new]);
    wait_within(PATIENCE, "the new authority to be trusted", || {
        all_are(true, &namespace, &server, &latter).then_some(())
    });
    namespace.wait_ready();
    first.end("clients of the old authority, until both were trusted");
    let second = load(&latter);
    trust(&namespace, &[&new]);
    wait_within(PATIENCE, "the old authority to be refused", || {
        all_are(false, &namespace, &server, &former).then_some(())
    });
    namespace.wait_ready();
    second.end("clients of the new authority, until the old one was not");
    assert_eq!(namespace.uids(), before, "no pod was replaced");
}
