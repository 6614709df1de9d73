//! Connections are spread evenly, and what a dead worker had not begun goes to another.

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use kilonova_probe::server::{Server, signal_process};
use kilonova_probe::{Connection, wait_for, wait_within};
use rustix::process::Signal;

use crate::figures::{figure, full, show};
use crate::process;

fn workers(count: u32) -> Server {
    let server = Server::start(&format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: {count}}}],
          admin: {{port: 0, loopback: true}}}}"
    ));
    server.wait_workers(count as usize);
    server
}

/// Connections of each worker, once they are so many in all.
fn spread(server: &Server, all: u64) -> Vec<u64> {
    wait_for(&format!("{all} connections"), || {
        let workers = server.api().workers;
        let held: Vec<_> = workers.iter().map(|worker| worker.connections).collect();
        (held.iter().sum::<u64>() == all).then_some(held)
    })
}

/// How far the fullest or emptiest worker is from its even share, at the worst of all runs.
fn worst(server: &Server, connections: u64, runs: u32) -> f64 {
    let address = server.address();
    let open = || {
        let mut kept = Connection::open(address).unwrap();
        assert_eq!(kept.get("/").unwrap().status, 200);
        kept
    };
    let mut worst: f64 = 0.0;
    for run in 0..runs {
        // One after another, and all at once.
        let kept: Vec<_> = if run % 2 == 0 {
            (0..connections).map(|_| open()).collect()
        } else {
            thread::scope(|scope| {
                let opening: Vec<_> = (0..connections).map(|_| scope.spawn(open)).collect();
                opening
                    .into_iter()
                    .map(|opening| opening.join().unwrap())
                    .collect()
            })
        };
        let held = spread(server, connections);
        let count = |number: usize| f64::from(u32::try_from(number).unwrap());
        let even = count(usize::try_from(connections).unwrap()) / count(held.len());
        for held in held {
            let far = (count(usize::try_from(held).unwrap()) - even).abs();
            worst = worst.max(far);
        }
        drop(kept);
        spread(server, 0);
    }
    worst
}

#[test]
fn kept_connections_are_never_more_than_one_from_even() {
    let runs = figure(20, 4);
    for (connections, count) in [(16, 2), (30, 4)] {
        let worst = worst(&workers(count), connections, runs);
        show(
            &format!("{connections} kept connections over {count} workers, {runs} runs"),
            &[("from even, at the worst", &worst, "<= 1")],
        );
        assert!(worst <= 1.0);
    }
}

#[test]
fn what_a_stopped_worker_was_handed_is_answered_by_another() {
    let rounds = figure(20, 2);
    let mut waited = 0;
    for _ in 0..rounds {
        let server = workers(2);
        let stopped = server.ready_workers()[0];
        signal_process(stopped, Signal::STOP);
        let mut asked: Vec<_> = (0..24)
            .map(|_| Connection::open(server.address()).unwrap())
            .collect();
        for connection in &mut asked {
            let request = "GET / HTTP/1.1\r\nHost: nova.test\r\n\r\n";
            connection.send(request).unwrap();
        }
        // The supervisor holds each connection that nobody has taken charge of.
        let port =
            |connection: &Connection<TcpStream>| connection.stream().local_addr().unwrap().port();
        let ports: BTreeSet<_> = asked.iter().map(port).collect();
        let waiting = wait_for("eight hand-overs to wait", || {
            let held = process::client_ports(server.process());
            let waiting = held.intersection(&ports).count();
            (waiting == 8).then_some(waiting)
        });
        signal_process(stopped, Signal::KILL);
        for connection in &mut asked {
            assert_eq!(connection.answer().unwrap().status, 200);
        }
        waited += waiting;
    }
    show(
        &format!("{rounds} times a worker stopped, then killed, with hand-overs waiting"),
        &[
            ("hand-overs that waited", &waited, ""),
            ("not answered by another", &0, "0"),
        ],
    );
}

/// Thirty pings take half a minute.
#[test]
fn a_stopped_worker_is_replaced() {
    if !full() {
        return;
    }
    let server = workers(2);
    let before = server.ready_workers();
    signal_process(before[0], Signal::STOP);
    let began = Instant::now();
    let after = wait_within(Duration::from_secs(60), "the worker to be replaced", || {
        let now = server.ready_workers();
        (now.len() == 2 && !now.contains(&before[0])).then_some(now)
    });
    assert!(after.contains(&before[1]));
    assert!(
        server
            .log()
            .contains("has not answered for 30 pings, killing it")
    );
    show(
        "a stopped worker",
        &[(
            "replaced after seconds",
            &began.elapsed().as_secs_f32(),
            "30 pings",
        )],
    );
}
