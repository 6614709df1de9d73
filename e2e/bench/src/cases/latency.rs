//! How long answers take when the server has half of what it can bear.

use std::time::Duration;

use super::{Bench, ROUNDS, RUN, ask};
use crate::figure::{Bar, Figure};
use crate::load::Client;
use crate::server::Server;
use crate::statistics::{median, per_mille};

const CONNECTIONS: usize = 64;
const LONG: Duration = Duration::from_millis(1500);

/// The 50th and 99th percentile at half of the rate at which ours is saturated, from when a request was due.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (ours, theirs) = (bench.kilonova(1, false)?, bench.bare(false)?);
    let mut saturated = Vec::new();
    for _ in 0..3 {
        saturated.push(ask(&ours, CONNECTIONS, true, RUN)?.rate);
    }
    let half = median(&saturated) / 2.0;
    let mut of_ours = Vec::new();
    let mut of_theirs = Vec::new();
    for _ in 0..ROUNDS {
        of_ours.push(percentiles(&ours, half)?);
        of_theirs.push(percentiles(&theirs, half)?);
    }
    let figure = |name: &str, of: fn(&(f64, f64)) -> f64| Figure {
        what: format!("http, {CONNECTIONS} connections at {half:.0}/s: {name}, µs"),
        rival: "bare hyper",
        ours: of_ours.iter().map(of).collect(),
        theirs: of_theirs.iter().map(of).collect(),
        bar: Bar::Stated,
    };
    Ok(vec![
        figure("p50", |both| both.0),
        figure("p99", |both| both.1),
    ])
}

fn percentiles(server: &Server, rate: f64) -> anyhow::Result<(f64, f64)> {
    server.empty_log()?;
    let mut done = Client::open(&server.target(true), CONNECTIONS)?.ask_at(rate, LONG)?;
    let mut at = |rank| f64::from(per_mille(&mut done.latencies, rank));
    Ok((at(500), at(990)))
}
