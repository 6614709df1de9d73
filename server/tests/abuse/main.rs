//! What clients that mean harm cost: each shape is held while honest clients go on, and measured against its bars.
//!
//! Reduced figures by default. `FULL=1`, on a release build, is two minutes, and then every bar counts:
//! no worker busy more than 5 %, at most 64 kB for each connection held, back within 10 MB of the warm baseline
//! afterwards, honest clients' p99 not more than doubled. `SHAPES=RapidReset,Idle` tries only these.

#![cfg(test)]

mod figures;
mod honest;
mod processes;
mod shapes;

use std::time::{Duration, Instant};

use kilonova_probe::{Authority, Issued, server, wait_within};

use figures::{Figures, Scale};
use honest::Honest;
use processes::Processes;
use server::{Server, write_pair};
use shapes::{Shape, Targets};

#[test]
fn abuse_costs_little_and_harms_nobody() {
    let scale = Scale::asked();
    let asked = std::env::var("SHAPES").unwrap_or_default();
    let wanted = |shape: &Shape| asked.is_empty() || asked.contains(&format!("{shape:?}"));
    let shapes = Shape::ALL.into_iter().filter(wanted);
    let all: Vec<_> = shapes.map(|shape| measure(shape, &scale)).collect();
    figures::print(&all);
    let short: Vec<_> = all
        .iter()
        .flat_map(|figures| figures.shortfalls(&scale))
        .collect();
    assert!(short.is_empty(), "{}", short.join("\n"));
}

/// Every shape meets a server of its own: what the system keeps of one would hide what the next one costs.
fn measure(shape: Shape, scale: &Scale) -> Figures {
    let server = start();
    let targets = Targets::of(&server);
    let workers = Processes::of(&server);
    let honest = Honest::start(targets.plain);
    std::thread::park_timeout(scale.warm / 2);
    let _ = honest.take();
    std::thread::park_timeout(scale.warm);
    let mut usual = honest.take();
    let alone = workers.memory();

    // Once for what a connection costs, and so that what is kept for the next one is there already.
    let mut held = shape.hold(&targets, scale.connections);
    held.rush(scale.warm);
    let first = workers.memory();
    drop(held);
    let settled = || {
        let before = workers.memory();
        std::thread::park_timeout(Duration::from_millis(200));
        (workers.memory().abs_diff(before) < 200_000).then(|| workers.memory())
    };
    let baseline = wait_within(Duration::from_secs(20), "the memory to settle", settled);
    let _ = honest.take();

    let busy = workers.busy();
    let began = Instant::now();
    let mut held = shape.hold(&targets, scale.connections);
    let remain = held.pace(scale.hold);
    let busiest = workers.busiest_since(&busy, began.elapsed().as_secs_f64());
    let during = workers.memory();
    let mut waited = honest.take();
    drop(held);
    let after = wait_for_memory(&workers, baseline);
    // What is usual may have changed since, on a machine that does other things too.
    let _ = honest.take();
    std::thread::park_timeout(scale.warm);
    usual.append(&mut honest.take());
    assert_eq!(server.api().worker_restarts, 0, "{}", server.log());
    honest.finish();
    Figures {
        shape,
        held: remain,
        busiest,
        bytes_each: first.max(during).saturating_sub(alone) / scale.connections as u64,
        after: after.saturating_sub(baseline),
        usual: honest::p99(&mut usual),
        p99: honest::p99(&mut waited),
    }
}

/// What is left once connections are gone, as soon as it is little enough.
fn wait_for_memory(workers: &Processes, baseline: u64) -> u64 {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let now = workers.memory();
        if now <= baseline + figures::AFTER || Instant::now() > deadline {
            return now;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn start() -> Server {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    write_pair(directory.path(), &Issued::valid(&authority));
    let server = Server::start_in(
        directory,
        "{apis: [{name: osapi_compute, port: 0, listen: 127.0.0.1, workers: 2},
                 {name: metadata, port: 0, listen: 127.0.0.1, tls: {certificateDirectory: '{dir}/tls'}}],
          logging: {levels: {nova: ERROR}}, admin: {port: 0, loopback: true}}",
    );
    server.wait_started();
    server
}
