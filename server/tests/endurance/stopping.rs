//! TERM under load: nobody who was there, or came before the sockets closed, goes without an answer.

use std::thread;
use std::time::{Duration, Instant};

use kilonova_probe::server::{Server, write_pair};
use kilonova_probe::{Authority, Issued, wait_for};
use rustix::process::Signal;

use crate::figures::{figure, show};
use crate::habit::{SLOW, slow};
use crate::http2::Streams;
use crate::load::{Load, Tally, list};
use crate::process;
use crate::wire::Target;

fn drain_delay() -> Duration {
    Duration::from_secs(figure(2, 1))
}

/// A server with two workers and how to reach it, over TLS or not.
fn start(tls: bool) -> (Server, Target) {
    if !tls {
        let server = Server::start(&workers(2));
        let target = Target::plain(server.address());
        return (server, target);
    }
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path(), &Issued::valid(&authority));
    let secure = "workers: 2, tls: {certificateDirectory: '{dir}/tls'}";
    let server = Server::start_in(directory, &workers(2).replace("workers: 2", secure));
    server.wait_started();
    let target = Target::secure(server.address(), authority.client(None));
    (server, target)
}

fn workers(count: usize) -> String {
    let delay = drain_delay().as_secs();
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: {count}}}], drainDelaySeconds: {delay},
          gracefulShutdownTimeoutSeconds: 30, admin: {{port: 0, loopback: true}}}}"
    )
}

#[test]
fn a_stop_under_load_loses_nothing() {
    let rounds = figure(20, 2);
    let least: u64 = figure(100_000, 5_000);
    let mut sum = Tally::default();
    let mut longest = Duration::ZERO;
    for round in 1..=rounds {
        let (mut server, target) = start(round % 2 == 0);
        let load = Load::start(&target, &slow());
        load.wait_each(1);
        load.wait_answered((least * round / rounds).saturating_sub(sum.answered));
        server.signal(Signal::TERM);
        let told = Instant::now();
        let tally = load.join();
        assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());
        longest = longest.max(told.elapsed());
        // From then on nobody need be there to connect to.
        let delay_over = told + drain_delay();
        let early = tally.refused.iter();
        let early = early.filter(|failure| failure.at < delay_over);
        let failures = list(told, early.chain(&tally.lost));
        assert!(
            failures.is_empty(),
            "round {round}, since TERM:\n{failures}"
        );
        sum.answered += tally.answered;
        sum.connections += tally.connections;
        sum.closed.extend(tally.closed);
    }
    show(
        &format!("{rounds} times TERM with requests of {SLOW:?}, every second one over TLS"),
        &[
            ("answered", &sum.answered, &format!(">= {least}")),
            ("connections", &sum.connections, ""),
            ("lost", &0, "0"),
            ("refused before the end of the delay", &0, "0"),
            (
                "quiet kept connections closed (repeated)",
                &sum.closed.len(),
                "",
            ),
            ("longest stop, seconds", &longest.as_secs_f32(), ""),
        ],
    );
    assert!(sum.answered >= least);
}

#[test]
fn streams_of_http_2_survive_a_stop_and_other_workers() {
    let rounds = figure(10, 1);
    let mut sum = (0, 0, 0);
    for _ in 0..rounds {
        let mut server = Server::start(&workers(2));
        let streams = Streams::start(server.address());
        streams.wait_each(2);
        for count in [4, 1] {
            server.configure(&workers(count));
            wait_for("the workers", || {
                (server.api().workers.len() == count).then_some(())
            });
            streams.wait_each(2);
        }
        server.signal(Signal::TERM);
        let told = Instant::now();
        let tally = streams.join();
        assert_eq!(server.wait_exit().code(), Some(0), "{}", server.log());
        assert!(tally.lost.is_empty(), "{:#?}", tally.lost);
        let refused = tally.refused.iter().min().unwrap();
        assert!(*refused >= told + drain_delay());
        sum = (
            sum.0 + tally.answered,
            sum.1 + tally.connections,
            sum.2 + tally.turned_away,
        );
    }
    show(
        &format!("{rounds} times HTTP/2 through workers 2, 4, 1 and TERM"),
        &[
            ("answered", &sum.0, ""),
            ("connections", &sum.1, ""),
            ("lost", &0, "0"),
            ("turned away by GOAWAY (repeated)", &sum.2, ""),
        ],
    );
}

#[test]
fn a_second_term_and_an_int_end_at_once_under_load() {
    let cases = [
        (&[Signal::TERM, Signal::TERM][..], 143),
        (&[Signal::INT][..], 1),
        (&[Signal::TERM, Signal::INT][..], 1),
    ];
    let ends = thread::scope(|scope| {
        let ends = cases.map(|(signals, expected)| scope.spawn(move || end(signals, expected)));
        ends.map(|end| end.join().unwrap())
    });
    for ((signals, expected), took) in cases.iter().zip(ends) {
        let case = format!("{signals:?} under load: exit {expected}");
        show(
            &case,
            &[("seconds after the last", &took.as_secs_f32(), "< 1")],
        );
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}

/// How long a server takes to end after the last of these signals.
fn end(signals: &[Signal], expected: i32) -> Duration {
    let mut server = Server::start(&workers(2));
    let processes = server.wait_workers(2);
    let load = Load::start(&Target::plain(server.address()), &slow());
    load.wait_each(1);
    let (last, first) = signals.split_last().unwrap();
    for signal in first {
        server.signal(*signal);
        server.wait_log("Caught SIGTERM, stopping children");
    }
    let told = Instant::now();
    server.signal(*last);
    assert_eq!(server.wait_exit().code(), Some(expected));
    for process in processes {
        wait_for("the workers to be gone", || {
            process::gone(process).then_some(())
        });
    }
    let took = told.elapsed();
    load.join();
    took
}
