//! Sessions are resumed by any worker, and by none once anything about TLS has changed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kilonova_probe::{Authority, Issued, TlsConnection, wait_for};
use rcgen::date_time_ymd;
use rustix::process::Signal;
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};

use super::{TLS, mutual, serve};
use crate::server::{Server, signal_process, write_pair};

/// A connection of a client that has been here before, with whether it had to begin anew.
fn visit(server: &Server, client: &ClientConfig) -> (TlsConnection, bool) {
    let mut connection = TlsConnection::handshake(server.address(), client.clone()).unwrap();
    // TLS 1.3 gives its tickets with the first answer.
    assert_eq!(connection.get("/").unwrap().status, 200);
    let resumed = connection.resumed();
    (connection, resumed)
}

fn ready(server: &Server, workers: usize) -> Vec<u32> {
    wait_for("the workers", || {
        let ready = server.ready_workers();
        (ready.len() == workers).then_some(ready)
    })
}

#[test]
fn every_worker_resumes_what_another_began() {
    let authority = Authority::new();
    let configuration = TLS.replace("workers: 2", "workers: 4");
    let server = serve(&authority, &Issued::valid(&authority), &configuration);
    ready(&server, 4);
    for version in [&TLS12, &TLS13] {
        let client = authority.client_speaking(&[version], None);
        let mut kept = vec![visit(&server, &client)];
        assert!(!kept[0].1);
        for _ in 0..7 {
            kept.push(visit(&server, &client));
        }
        // The connections are kept, so that each of the four workers has two of them.
        assert!(kept[1..].iter().all(|(_, resumed)| *resumed), "{version:?}");
    }
    let count = |kind| {
        let line =
            format!("kilonova_tls_handshakes_total{{api=\"osapi_compute\",kind=\"{kind}\"}}");
        server.metric(&line)
    };
    wait_for("the counts", || {
        (count("full") == Some(2.0) && count("resumed") == Some(14.0)).then_some(())
    });
}

#[test]
fn a_change_that_is_not_about_tls_keeps_sessions_and_so_does_a_new_worker() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let before = ready(&server, 2);
    let client = authority.client(None);
    visit(&server, &client);
    server.configure(&TLS.replace(
        "workers: 2",
        "workers: 2, http: {clientSocketTimeoutSeconds: 60}",
    ));
    server.signal(Signal::HUP);
    server.wait_log("taken over");
    assert!(visit(&server, &client).1);

    for worker in before.iter().copied() {
        signal_process(worker, Signal::KILL);
    }
    wait_for("two other workers", || {
        let now = server.ready_workers();
        (now.len() == 2 && before.iter().all(|old| !now.contains(old))).then_some(())
    });
    assert!(visit(&server, &client).1);
}

#[test]
fn a_new_certificate_ends_all_sessions() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let client = authority.client(None);
    visit(&server, &client);
    assert!(visit(&server, &client).1);
    write_pair(server.path(), &Issued::valid(&authority));
    server.wait_log("taken over");
    assert!(!visit(&server, &client).1);
    assert!(visit(&server, &client).1);
}

#[test]
fn a_client_whose_certificate_has_expired_resumes_nothing() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), &mutual("Required"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let client = authority.issue_with(&["client.test"], |wanted| {
        wanted.not_after = date_time_ymd(1970, 1, 1) + now + Duration::from_secs(3);
    });
    let client = authority.client_speaking(&[&TLS13], Some(&client));
    visit(&server, &client);
    let mut resumed = 0;
    wait_for("the certificate to expire", || {
        let mut connection = TlsConnection::handshake(server.address(), client.clone()).unwrap();
        assert!(connection.resumed(), "after {resumed}");
        resumed += 1;
        connection.get("/").err()
    });
    assert!(resumed > 1, "{resumed}");
    server.wait_log("TLS handshake failed: the client's certificate has expired");
}
