//! Changed files are taken over by the running server, whole or not at all.

use rustix::process::Signal;

use kilonova_probe::{Authority, Connection, Issued, TlsConnection, client, wait_for};

use crate::server::{Server, signal_process, write, write_pair};
use crate::tls::serve;

const TLS: &str = "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2,
  tls: {certificateDirectory: '{dir}/tls'}}], admin: {port: 0, loopback: true}}";

fn plain(workers: u32, keep_alive: bool) -> String {
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: {workers}, http: {{keepAlive: {keep_alive}}}}}],
          drainDelaySeconds: 0, admin: {{port: 0, loopback: true}}}}"
    )
}

fn shown(server: &Server, authority: &Authority) -> Vec<u8> {
    TlsConnection::handshake(server.address(), authority.client(None))
        .unwrap()
        .certificate()
}

#[test]
fn a_new_certificate_is_served_by_all_workers_and_old_connections_live() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let mut kept = TlsConnection::handshake(server.address(), authority.client(None)).unwrap();
    let before = wait_for("two workers", || {
        let ready = server.ready_workers();
        (ready.len() == 2).then_some(ready)
    });

    let renewed = Issued::valid(&authority);
    write_pair(server.path(), &renewed);
    wait_for("the new certificate", || {
        (shown(&server, &authority) == renewed.der()).then_some(())
    });
    for _ in 0..8 {
        assert_eq!(shown(&server, &authority), renewed.der());
    }
    assert_eq!(kept.get("/").unwrap().status, 200);
    assert_eq!(server.ready_workers(), before);
    assert_eq!(
        server.metric("kilonova_reloads_total{result=\"applied\"}"),
        Some(1.0)
    );
}

#[test]
fn a_bad_pair_changes_nothing_is_said_once_and_heals() {
    let authority = Authority::new();
    let issued = Issued::valid(&authority);
    let server = serve(&authority, &issued, TLS);

    write(server.path(), "tls/tls.key", &Issued::valid(&authority).key);
    server.wait_log("tls.key is not the key of the first certificate in tls.crt");
    assert_eq!(shown(&server, &authority), issued.der());
    let error = server.status().last_reload.unwrap().error.unwrap();
    assert!(error.contains("not the key"), "{error}");
    server.signal(Signal::HUP);
    server.wait_log("Caught SIGHUP");
    server.status();
    assert_eq!(server.log().matches("is not the key").count(), 1);

    let renewed = Issued::valid(&authority);
    write_pair(server.path(), &renewed);
    wait_for("the new certificate", || {
        (shown(&server, &authority) == renewed.der()).then_some(())
    });
    assert_eq!(server.status().last_reload.unwrap().error, None);
}

#[test]
fn the_number_of_workers_follows_the_file() {
    let server = Server::start(&plain(1, true));
    let first = server.ready_workers();
    server.configure(&plain(4, true));
    wait_for("four workers", || {
        (server.ready_workers().len() == 4).then_some(())
    });
    assert!(server.ready_workers().contains(&first[0]));
    server.configure(&plain(1, true));
    wait_for("one worker", || {
        (server.api().workers.len() == 1).then_some(())
    });
    assert_eq!(server.ready_workers(), first);
    assert_eq!(server.api().worker_restarts, 0);
}

#[test]
fn hot_settings_hold_for_new_connections() {
    let server = Server::start(&plain(1, true));
    let mut kept = Connection::open(server.address()).unwrap();
    assert_eq!(kept.get("/").unwrap().header("connection"), None);
    server.configure(&plain(1, false));
    wait_for("keep-alive to end", || {
        let answer = Connection::open(server.address())
            .unwrap()
            .get("/")
            .unwrap();
        answer
            .header("connection")
            .map(|value| assert_eq!(value, "close"))
    });
    assert_eq!(kept.get("/").unwrap().header("connection"), None);
}

#[test]
fn what_needs_another_pod_is_said_and_not_done() {
    let server = Server::start(&plain(1, true));
    let address = server.address();
    server.configure(&plain(2, true).replace("listen: 127.0.0.1", "listen: 127.0.0.2"));
    wait_for("the reload", || server.status().last_reload);
    assert!(server.status().needs_restart);
    assert_eq!(server.address(), address);
    wait_for("two workers", || {
        (server.ready_workers().len() == 2).then_some(())
    });

    // The next hot change does not make it forgotten, and TLS does not come to a running port.
    let tls = "listen: 127.0.0.2, tls: {certificateDirectory: '{dir}/tls'}";
    server.configure(&plain(3, true).replace("listen: 127.0.0.1", tls));
    wait_for("three workers", || {
        (server.ready_workers().len() == 3).then_some(())
    });
    assert!(server.status().needs_restart);
    assert_eq!(client::get(server.address(), "/").status, 200);
    server.configure(&plain(3, true));
    wait_for("the wish to be taken back", || {
        (!server.status().needs_restart).then_some(())
    });
}

#[test]
fn a_worker_that_starts_during_a_reload_serves_the_new_certificate() {
    let authority = Authority::new();
    let server = serve(&authority, &Issued::valid(&authority), TLS);
    let ready = wait_for("two workers", || {
        let ready = server.ready_workers();
        (ready.len() == 2).then_some(ready)
    });
    // One worker hangs, so that the reload waits for it while the other is replaced.
    signal_process(ready[0], Signal::STOP);
    let renewed = Issued::valid(&authority);
    write_pair(server.path(), &renewed);
    signal_process(ready[1], Signal::KILL);
    wait_for("the reload", || server.status().last_reload);
    wait_for("two other workers", || {
        let now = server.ready_workers();
        (now.len() == 2 && !now.contains(&ready[0]) && !now.contains(&ready[1])).then_some(())
    });
    for _ in 0..4 {
        assert_eq!(shown(&server, &authority), renewed.der());
    }
}

#[test]
fn the_revision_is_what_anyone_with_the_nonce_computes() {
    use kilonova_config::revision::{Source, SourceKind, revision};

    let text = |level: &str| {
        format!(
            "{{apis: [{{name: metadata, port: 0, listen: 127.0.0.1}}], nonce: known,
               admin: {{port: 0, loopback: true}}, logging: {{level: {level}}}}}"
        )
    };
    let expected = |text: &str| {
        let source = Source {
            kind: SourceKind::Configuration,
            name: "kilonova.yaml",
            content: text.as_bytes(),
        };
        revision(b"known", &[source])
    };
    let server = Server::start(&text("INFO"));
    let status = server.status();
    assert_eq!(status.revision, expected(&text("INFO")));
    assert_eq!(status.sources.len(), 1);
    assert_eq!(status.sources[0].digest, status.revision);
    server.configure(&text("WARNING"));
    wait_for("the new revision", || {
        (server.status().revision == expected(&text("WARNING"))).then_some(())
    });
    // Something bad is not what it runs with.
    server.configure(&text("LOUD"));
    wait_for("the refusal", || server.status().last_reload?.error);
    assert_eq!(server.status().revision, expected(&text("WARNING")));
}
