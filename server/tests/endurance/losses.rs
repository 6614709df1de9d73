//! What clients lose when files change, workers come and go, or die: nothing, or only what a dead one was answering.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kilonova_probe::server::{Server, signal_process};
use kilonova_probe::{Authority, Issued, wait_for};
use rustix::process::Signal;

use crate::figures::{figure, show};
use crate::habit::steady;
use crate::load::{Load, Tally, list};
use crate::mount::{Mount, files};
use crate::process;
use crate::wire::Target;

/// Requests a case must see.
fn requests() -> u64 {
    figure(100_000, 5_000)
}

fn plain(workers: u32, more: &str) -> String {
    format!(
        "{{apis: [{{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: {workers}{more}}}],
          drainDelaySeconds: 1, admin: {{port: 0, loopback: true}}}}"
    )
}

/// Prints what the clients saw, and holds it against the bar: nothing lost, nobody refused.
fn nothing_lost(case: &str, began: Instant, least: u64, tally: &Tally) {
    show(
        case,
        &[
            ("answered", &tally.answered, &format!(">= {least}")),
            ("connections", &tally.connections, ""),
            ("lost", &tally.lost.len(), "0"),
            ("refused connections", &tally.refused.len(), "0"),
            (
                "quiet kept connections closed (repeated)",
                &tally.closed.len(),
                "",
            ),
        ],
    );
    let failures = list(began, tally.lost.iter().chain(&tally.refused));
    assert!(failures.is_empty(), "{failures}");
    assert!(tally.answered >= least);
}

#[test]
fn rotations_lose_nothing() {
    let rounds = figure(50, 4);
    let (old, new) = (Authority::new(), Authority::new());
    let (identity, next_identity) = (Issued::valid(&old), Issued::valid(&new));
    let directory = tempfile::tempdir().unwrap();
    let first = Issued::valid(&old);
    let mount = Mount::create(&directory.path().join("tls"), &files(&first, &old.pem()));
    let server = Server::start_in(
        directory,
        &plain(
            2,
            ", tls: {certificateDirectory: '{dir}/tls', clientAuth: {mode: Required, caFile: '{dir}/tls/ca.crt'}}",
        ),
    );
    server.wait_started();
    let both = |identity| Authority::client_of(&[&old, &new], Some(identity));
    let target = Target::secure(server.address(), both(&identity));
    let began = Instant::now();
    let load = Load::start(&target, &steady());
    load.wait_each(1);

    let rotate = |authority, authorities: &str| {
        let issued = Issued::valid(authority);
        mount.swap_pair(&issued, authorities);
        wait_for("the new certificate", || {
            let shown = target.connect().unwrap().stream().certificate();
            (shown == issued.der()).then_some(())
        });
    };
    for round in 1..=rounds {
        match round.cmp(&(rounds / 2)) {
            Ordering::Less => rotate(&old, &old.pem()),
            // The overlap: both are trusted on both sides until everybody has moved.
            Ordering::Equal => {
                rotate(&old, &(old.pem() + &new.pem()));
                rotate(&new, &(old.pem() + &new.pem()));
                target.use_config(both(&next_identity));
                load.wait_each(2);
                target.use_config(new.client(Some(&next_identity)));
            }
            Ordering::Greater => rotate(&new, &new.pem()),
        }
    }
    load.wait_answered(requests());
    let tally = load.stop();
    nothing_lost(
        &format!("{} rotations with a change of CA", rounds + 1),
        began,
        requests(),
        &tally,
    );
    assert_eq!(server.api().worker_restarts, 0);
    let applied = server.metric("kilonova_reloads_total{result=\"applied\"}");
    assert_eq!(applied, Some(f64::from(rounds + 1)));
}

#[test]
fn reloads_lose_nothing() {
    let rounds = figure(20, 5);
    let server = Server::start(&plain(2, ""));
    let began = Instant::now();
    let load = Load::start(&Target::plain(server.address()), &steady());
    for round in 1..=rounds {
        load.wait_answered(requests() * round / rounds);
        let timeout = 900 + round;
        server.configure(&plain(
            2,
            &format!(", http: {{clientSocketTimeoutSeconds: {timeout}}}"),
        ));
        server.signal(Signal::HUP);
        wait_for("the reload", || {
            let applied = server.metric("kilonova_reloads_total{result=\"applied\"}")?;
            (applied >= f64::from(u32::try_from(round).unwrap())).then_some(())
        });
    }
    let tally = load.stop();
    nothing_lost(&format!("{rounds} HUPs"), began, requests(), &tally);
    assert_eq!(server.api().worker_restarts, 0);
}

#[test]
fn changing_the_number_of_workers_loses_nothing() {
    let rounds = figure(3, 1);
    // With and without a time in which a worker only says that it will go.
    for delay in [0, 1] {
        let workers = |count| {
            let delay = format!("drainDelaySeconds: {delay}");
            plain(count, "").replace("drainDelaySeconds: 1", &delay)
        };
        let server = Server::start(&workers(2));
        let load = Load::start(&Target::plain(server.address()), &steady());
        let began = Instant::now();
        load.wait_each(1);
        for _ in 0..rounds {
            for count in [8, 1, 4, 2] {
                server.configure(&workers(count));
                wait_for(&format!("{count} workers"), || {
                    let all = server.api().workers.len();
                    let ready = server.ready_workers().len();
                    (all == ready && ready == count as usize).then_some(())
                });
            }
        }
        load.wait_answered(requests());
        let tally = load.stop();
        let case = format!("workers 2, 8, 1, 4, 2: {rounds} times, drain delay {delay} s");
        nothing_lost(&case, began, requests(), &tally);
        assert_eq!(server.api().worker_restarts, 0);
    }
}

/// Kills workers that have lived long enough for their death to say nothing about the API.
#[test]
fn a_killed_worker_takes_only_its_own_requests_with_it() {
    let rounds = figure(20, 3);
    let server = Server::start(&plain(4, ""));
    server.wait_workers(4);
    let began = Instant::now();
    let load = Load::start(&Target::plain(server.address()), &steady());
    load.wait_each(1);
    let mut killed: Vec<(Instant, BTreeSet<u16>)> = Vec::new();
    for round in 1..=rounds {
        load.wait_answered(requests() * round / rounds);
        let workers = wait_for("four workers, the oldest long enough", || {
            let workers = server.ready_workers();
            let settled = killed
                .last()
                .is_none_or(|(at, _)| at.elapsed() >= Duration::from_secs(figure(3, 0)));
            (workers.len() == 4 && settled).then_some(workers)
        });
        // Stopped for a moment, so that what it holds is known.
        signal_process(workers[0], Signal::STOP);
        wait_for("the worker to stop", || {
            process::stopped(workers[0]).then_some(())
        });
        killed.push((Instant::now(), process::client_ports(workers[0])));
        signal_process(workers[0], Signal::KILL);
        wait_for("the death to be seen", || {
            (server.api().worker_restarts >= round).then_some(())
        });
    }
    load.wait_each(1);
    let tally = load.stop();
    let held: usize = killed.iter().map(|(_, ports)| ports.len()).sum();
    show(
        &format!("{rounds} times kill -9 of one of four workers"),
        &[
            ("answered", &tally.answered, &format!(">= {}", requests())),
            ("connections the dead held", &held, ""),
            (
                "lost, all on those connections",
                &tally.lost.len(),
                &format!("<= {held}"),
            ),
            (
                "kept connections closed before an answer",
                &tally.closed.len(),
                "repeated",
            ),
            ("refused connections", &tally.refused.len(), "0"),
        ],
    );
    assert_eq!(list(began, &tally.refused), "");
    for failure in tally.lost.iter().chain(&tally.closed) {
        // A client notices at the latest when it asks again.
        let noticed = Duration::from_secs(5);
        let of_a_dead = killed.iter().any(|(at, ports)| {
            ports.contains(&failure.port) && failure.at.saturating_duration_since(*at) < noticed
        });
        assert!(of_a_dead, "{}", list(began, [failure]));
    }
    assert!(tally.lost.len() + tally.closed.len() <= held);
    assert!(tally.answered >= requests());
    assert_eq!(server.api().failing, None);
}
