//! Revocation lists: who is refused, and when.

use kilonova_probe::{Authority, Issued, TlsConnection, wait_for};
use rustix::process::Signal;
use rustls::version::{TLS12, TLS13};

use super::{mutual, serve};
use crate::server::{Server, write};

fn with_list() -> String {
    mutual("Required").replace("ca.crt'", "ca.crt', crlFile: '{dir}/crl.pem'")
}

/// A server whose authority has revoked nobody yet.
fn listed(authority: &Authority) -> Server {
    let directory = tempfile::tempdir().unwrap();
    crate::server::write_pair(directory.path(), &Issued::valid(authority));
    write(directory.path(), "ca.crt", &authority.pem());
    write(
        directory.path(),
        "crl.pem",
        &authority.revoke(&[], (2026, 2099)),
    );
    let server = Server::start_in(directory, &with_list());
    server.wait_started();
    server
}

fn answered(server: &Server, client: rustls::ClientConfig) -> bool {
    TlsConnection::handshake(server.address(), client)
        .and_then(|mut connection| connection.get("/"))
        .is_ok_and(|answer| answer.status == 200)
}

fn replace_list(server: &Server, list: &str) {
    let before = server.log().matches("taken over").count();
    write(server.path(), "crl.pem", list);
    server.signal(Signal::HUP);
    wait_for("the list to be taken over", || {
        (server.log().matches("taken over").count() > before).then_some(())
    });
}

#[test]
fn a_revoked_client_is_refused_from_its_next_handshake_on() {
    let authority = Authority::new();
    let server = listed(&authority);
    let (revoked, other) = (Issued::valid(&authority), Issued::valid(&authority));
    for version in [&TLS12, &TLS13] {
        replace_list(&server, &authority.revoke(&[], (2026, 2099)));
        let client = authority.client_speaking(&[version], Some(&revoked));
        let mut kept = TlsConnection::handshake(server.address(), client.clone()).unwrap();
        assert_eq!(kept.get("/").unwrap().status, 200);
        // It has a ticket, and the ticket is good.
        let mut again = TlsConnection::handshake(server.address(), client.clone()).unwrap();
        assert!(again.resumed(), "{version:?}");
        assert_eq!(again.get("/").unwrap().status, 200);

        replace_list(&server, &authority.revoke(&[&revoked], (2027, 2099)));
        assert!(!answered(&server, client), "{version:?}");
        assert!(!answered(
            &server,
            authority.client_speaking(&[version], Some(&revoked))
        ));
        assert!(answered(&server, authority.client(Some(&other))));
        // What was agreed before goes on.
        assert_eq!(kept.get("/").unwrap().status, 200);
    }
    let refused = "kilonova_tls_handshake_errors_total{api=\"osapi_compute\",reason=\"revoked\"}";
    wait_for("the count", || {
        server.metric(refused).filter(|count| *count >= 4.0)
    });
    server.wait_log("127.0.0.1 TLS handshake failed: the client's certificate is revoked");
}

#[test]
fn an_expired_list_still_counts_and_is_said() {
    let authority = Authority::new();
    let server = listed(&authority);
    let (revoked, other) = (Issued::valid(&authority), Issued::valid(&authority));
    replace_list(&server, &authority.revoke(&[&revoked], (2020, 2021)));
    server.wait_log("should have been replaced at 2021-01-01T00:00:00Z: it still counts");
    assert!(!answered(&server, authority.client(Some(&revoked))));
    assert!(answered(&server, authority.client(Some(&other))));
    let next = "kilonova_tls_crl_next_update_timestamp_seconds{api=\"osapi_compute\"}";
    assert_eq!(server.metric(next), Some(1_609_459_200.0));
    let crl = server.api().tls.unwrap().client_auth.unwrap().crl.unwrap();
    assert_eq!((crl.next_update, crl.revoked), (Some(1_609_459_200), 1));
}

#[test]
fn the_newest_of_an_authority_s_lists_counts() {
    let authority = Authority::new();
    let server = listed(&authority);
    let revoked = Issued::valid(&authority);
    let old = authority.revoke(&[], (2025, 2099));
    let new = authority.revoke(&[&revoked], (2026, 2099));
    for both in [format!("{old}{new}"), format!("{new}{old}")] {
        replace_list(&server, &both);
        assert!(!answered(&server, authority.client(Some(&revoked))));
        replace_list(&server, &authority.revoke(&[], (2026, 2099)));
        assert!(answered(&server, authority.client(Some(&revoked))));
    }
    server.wait_log("there are several CRLs of ");
}

#[test]
fn a_list_of_another_authority_locks_nobody_out() {
    let authority = Authority::named("clients");
    let server = listed(&authority);
    let client = Issued::valid(&authority);
    let other = Authority::named("somebody else");
    replace_list(&server, &other.revoke(&[&client], (2026, 2099)));
    assert!(answered(&server, authority.client(Some(&client))));
    let warnings = server.api().tls.unwrap().warnings.join("\n");
    assert!(
        warnings.contains("no CRL is of a CA of the CA bundle"),
        "{warnings}"
    );
    server.wait_log("no CRL is of a CA of the CA bundle");
}

#[test]
fn only_the_client_s_own_certificate_is_looked_up() {
    let root = Authority::named("root");
    let server = listed(&root);
    let below = root.intermediate("below");
    let (revoked, other) = (Issued::valid(&below), Issued::valid(&below));
    // The root revokes the intermediate: its serial number is not even asked for.
    replace_list(&server, &below.revoke(&[&revoked], (2026, 2099)));
    assert!(answered(&server, root.client(Some(&other))));
    assert!(!answered(&server, root.client(Some(&revoked))));
    replace_list(&server, &root.revoke(&[&revoked, &other], (2026, 2099)));
    assert!(answered(&server, root.client(Some(&revoked))));
}

#[test]
fn a_list_that_goes_away_refuses_the_reload_and_stays_in_force() {
    let authority = Authority::new();
    let server = listed(&authority);
    let revoked = Issued::valid(&authority);
    replace_list(&server, &authority.revoke(&[&revoked], (2026, 2099)));
    std::fs::remove_file(server.path().join("crl.pem")).unwrap();
    server.wait_log("tls.clientAuth.crlFile: Unable to find crl_file : ");
    assert!(!answered(&server, authority.client(Some(&revoked))));
    assert!(answered(
        &server,
        authority.client(Some(&Issued::valid(&authority)))
    ));
}

#[test]
fn without_a_list_nobody_is_revoked() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), &mutual("Required"));
    let client = Issued::valid(&authority);
    assert!(answered(&server, authority.client(Some(&client))));
    assert_eq!(server.api().tls.unwrap().client_auth.unwrap().crl, None);
}
