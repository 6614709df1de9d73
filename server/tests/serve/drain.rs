//! Stopping: nothing that was begun is lost, and nothing takes longer than it may.

use rustix::process::Signal;

use kilonova_probe::wait_for;
use kilonova_probe::{Connection, client};

use crate::server::Server;

fn drain(delay: u32, timeout: u32) -> Server {
    Server::start(&format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2}}], drainDelaySeconds: {delay},
          gracefulShutdownTimeoutSeconds: {timeout}, admin: {{port: 0, loopback: true}}}}"
    ))
}

#[test]
fn a_lame_duck_serves_all_and_sends_them_elsewhere() {
    let mut server = drain(2, 10);
    let mut kept = Connection::open(server.address()).unwrap();
    assert_eq!(kept.get("/").unwrap().header("connection"), None);
    server.signal(Signal::TERM);
    wait_for("the probe to fail", || {
        (client::get(server.admin(), "/readyz").status == 503).then_some(())
    });
    assert_eq!(client::get(server.admin(), "/livez").status, 200);

    let address = server.address();
    wait_for("every answer to say it", || {
        let answer = client::get(address, "/");
        assert_eq!(answer.status, 200);
        (answer.header("connection") == Some("close")).then_some(())
    });
    let last = kept.get("/").unwrap();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
    assert_eq!(server.wait_exit().code(), Some(0));
    assert!(server.log().contains("WSGI server has stopped."));
    assert!(client::try_get(address, "/").is_err());
}

#[test]
fn an_idle_kept_connection_does_not_hold_the_end_up() {
    let mut server = drain(0, 60);
    let mut kept = Connection::open(server.address()).unwrap();
    kept.get("/").unwrap();
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(0));
    assert!(kept.closed());
}

#[test]
fn the_deadline_ends_what_does_not_end() {
    let mut server = drain(0, 1);
    let mut torn = Connection::open(server.address()).unwrap();
    torn.send("GET / HTTP/1.1\r\nHo").unwrap();
    wait_for("the connection", || {
        let held: u64 = server
            .api()
            .workers
            .iter()
            .map(|worker| worker.connections)
            .sum();
        (held == 1).then_some(())
    });
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(1));
    assert!(
        server
            .log()
            .contains("Graceful shutdown timeout exceeded, instantaneous exiting"),
        "{}",
        server.log()
    );
}

#[test]
fn a_second_term_ends_at_once() {
    let mut server = drain(60, 60);
    server.signal(Signal::TERM);
    server.wait_log("Caught SIGTERM, stopping children");
    server.signal(Signal::TERM);
    assert_eq!(server.wait_exit().code(), Some(143));
}

#[test]
fn int_ends_at_once() {
    let mut server = drain(60, 60);
    server.signal(Signal::INT);
    assert_eq!(server.wait_exit().code(), Some(1));
    assert!(
        server
            .log()
            .contains("Caught SIGINT signal, instantaneous exiting")
    );
}
