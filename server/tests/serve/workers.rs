//! Workers live, die and are replaced; connections are spread evenly and never lost to a death.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Instant;

use rustix::process::Signal;

use kilonova_probe::{Connection, PATIENCE, client, wait_for};

use crate::server::{Server, signal_process};

fn workers(count: u32) -> String {
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: {count}}}],
          admin: {{port: 0, loopback: true}}}}"
    )
}

#[test]
fn kept_connections_are_spread_evenly() {
    let server = Server::start(&workers(2));
    wait_for("two workers", || {
        (server.ready_workers().len() == 2).then_some(())
    });
    let mut kept: Vec<_> = (0..16)
        .map(|_| Connection::open(server.address()).unwrap())
        .collect();
    for connection in &mut kept {
        assert_eq!(connection.get("/").unwrap().status, 200);
    }
    wait_for("eight and eight", || {
        let connections: Vec<_> = server
            .api()
            .workers
            .iter()
            .map(|worker| worker.connections)
            .collect();
        (connections == [8, 8]).then_some(())
    });
}

#[test]
fn a_killed_worker_is_replaced_while_the_other_serves() {
    let server = Server::start(&workers(2));
    wait_for("two workers", || {
        (server.ready_workers().len() == 2).then_some(())
    });
    // Five early deaths would make the API failing.
    for round in 1..=4 {
        let before = server.ready_workers();
        let began = Instant::now();
        signal_process(before[0], Signal::KILL);
        let after = wait_for("two workers again", || {
            assert_eq!(client::get(server.address(), "/").status, 200);
            let now = server.ready_workers();
            (now.len() == 2 && !now.contains(&before[0])).then_some(now)
        });
        assert!(after.contains(&before[1]), "the other one stays");
        assert!(began.elapsed().as_secs() < 10);
        let killed = format!("Child {} killed by signal 9", before[0]);
        assert!(server.log().contains(&killed));
        assert_eq!(server.api().worker_restarts, round);
    }
}

#[test]
fn connections_a_dead_worker_had_not_begun_go_to_another() {
    let server = Server::start(&workers(1));
    let first = server.ready_workers()[0];
    // A stopped worker takes charge of nothing: what it is handed waits in its channel.
    signal_process(first, Signal::STOP);
    let before = server.descriptors();
    let mut waiting: Vec<_> = (0..12)
        .map(|_| Connection::open(server.address()).unwrap())
        .collect();
    for connection in &mut waiting {
        connection
            .send("GET / HTTP/1.1\r\nHost: nova.test\r\n\r\n")
            .unwrap();
    }
    // Eight it was handed and has not acknowledged; the others wait in the backlog. The descriptor of an earlier one may
    // have been let go of meanwhile.
    wait_for("the connections to be handed over", || {
        (server.descriptors() >= before + 7).then_some(())
    });
    signal_process(first, Signal::KILL);
    for connection in &mut waiting {
        assert_eq!(connection.answer().unwrap().status, 200);
    }
}

#[test]
fn totals_survive_a_worker() {
    let server = Server::start(&workers(1));
    let total = "kilonova_requests_total{api=\"osapi_compute\",code_class=\"2xx\",method=\"GET\"}";
    for _ in 0..5 {
        client::get(server.address(), "/");
    }
    wait_for("five requests", || {
        (server.metric(total) == Some(5.0)).then_some(())
    });
    signal_process(server.ready_workers()[0], Signal::KILL);
    wait_for("the death", || {
        (server.api().worker_restarts == 1).then_some(())
    });
    assert_eq!(server.metric(total), Some(5.0));
    client::get(server.address(), "/");
    wait_for("the sixth request", || {
        (server.metric(total) == Some(6.0)).then_some(())
    });
}

#[test]
fn workers_that_do_not_stay_alive_make_the_api_failing_until_they_do() {
    let server = Server::start(&workers(1));
    let reason = wait_for("the API to be failing", || {
        for worker in server.ready_workers() {
            signal_process(worker, Signal::KILL);
        }
        server.api().failing
    });
    assert!(reason.contains("killed by signal 9"), "{reason}");
    assert_eq!(client::get(server.admin(), "/readyz").status, 503);
    assert_eq!(client::get(server.admin(), "/livez").status, 200);
    let mut refused = TcpStream::connect(server.address()).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    match refused.read(&mut [0]) {
        Ok(bytes) => assert_eq!(bytes, 0, "closed at once"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }

    wait_for("the API to heal", || {
        server.api().failing.is_none().then_some(())
    });
    assert_eq!(client::get(server.address(), "/").status, 200);
}

#[test]
fn orphans_leave() {
    let mut server = Server::start(&workers(2));
    let orphans = wait_for("two workers", || {
        let ready = server.ready_workers();
        (ready.len() == 2).then_some(ready)
    });
    server.signal(Signal::KILL);
    server.wait_exit();
    for orphan in orphans {
        let stat = format!("/proc/{orphan}/stat");
        wait_for("the orphan to leave", || {
            match std::fs::read_to_string(&stat) {
                Err(_) => Some(()),
                Ok(stat) => stat.contains(") Z ").then_some(()),
            }
        });
    }
    assert!(
        server
            .log()
            .contains("Parent process has died unexpectedly, exiting")
    );
}

#[test]
fn a_client_that_keeps_us_waiting_is_let_go() {
    let server = Server::start(
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, http: {clientSocketTimeoutSeconds: 1}}],
          logging: {level: DEBUG}, admin: {port: 0, loopback: true}}",
    );
    let mut kept = Connection::open(server.address()).unwrap();
    assert_eq!(kept.get("/").unwrap().status, 200);
    let began = Instant::now();
    assert!(kept.closed());
    assert!(began.elapsed().as_millis() >= 900);
    let worker = server.ready_workers()[0];
    server.wait_log(&format!(
        " DEBUG nova.osapi_compute.wsgi.server [-] ({worker}) timed out\n"
    ));
    let mut torn = Connection::open(server.address()).unwrap();
    torn.send("POST /v2.1/servers HTTP/1.1\r\nHost: x\r\nContent-Le")
        .unwrap();
    assert!(torn.closed());
}

#[test]
fn connections_one_after_another_are_shared() {
    let server = Server::start(&workers(2));
    wait_for("two workers", || {
        (server.ready_workers().len() == 2).then_some(())
    });
    for _ in 0..20 {
        assert_eq!(client::get(server.address(), "/").status, 200);
    }
    wait_for("both to have answered", || {
        let answered: Vec<_> = server
            .api()
            .workers
            .iter()
            .map(|worker| worker.requests)
            .collect();
        (answered.iter().sum::<u64>() == 20)
            .then(|| assert!(answered.iter().all(|count| *count >= 5), "{answered:?}"))
    });
}

#[test]
fn a_worker_that_cannot_be_started_harms_nobody() {
    let server = Server::start(&workers(2));
    wait_for("two workers", || {
        (server.ready_workers().len() == 2).then_some(())
    });
    let mut kept = Connection::open(server.address()).unwrap();
    kept.get("/").unwrap();
    let idle = wait_for("the kept connection", || {
        let workers = server.api().workers;
        let held: u64 = workers.iter().map(|worker| worker.connections).sum();
        let idle = workers.iter().find(|worker| worker.connections == 0)?;
        (held == 1).then_some(idle.pid)
    });
    // The supervisor may open nothing more: neither channels for another worker nor connections.
    let before = server.limit_descriptors(Some(8));
    signal_process(idle, Signal::KILL);
    server.wait_log("cannot start a worker: Too many open files");
    assert_eq!(kept.get("/").unwrap().status, 200);
    server.limit_descriptors(before);
    wait_for("two workers again", || {
        (server.ready_workers().len() == 2).then_some(())
    });
    assert_eq!(client::get(server.address(), "/").status, 200);
}

/// A terminal, or somebody who means the server, may signal a worker: only its supervisor ends it.
#[test]
fn a_worker_obeys_its_supervisor_alone() {
    let server = Server::start(&workers(1));
    let worker = server.ready_workers();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        signal_process(worker[0], signal);
        // Whoever answers has had its signals.
        assert_eq!(client::get(server.address(), "/").status, 200);
    }
    assert_eq!(server.ready_workers(), worker);
    assert_eq!(server.api().worker_restarts, 0);
}
