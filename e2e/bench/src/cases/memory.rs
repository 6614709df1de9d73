//! What kept connections that do nothing cost in memory.

use super::start::megabytes;
use super::{Bench, ROUNDS};
use crate::figure::{Bar, Figure};
use crate::load::Client;

const IDLE: usize = 1000;

/// Memory with two workers and a thousand connections, each answered once.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (tls, scheme, most) in [(false, "http", 60.0), (true, "https", 90.0)] {
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for _ in 0..ROUNDS {
            for (values, server) in [
                (&mut ours, bench.kilonova(2, tls)?),
                (&mut theirs, bench.bare(tls)?),
            ] {
                let _held = Client::open(&server.target(true), IDLE)?;
                values.push(megabytes(&server)?);
            }
        }
        figures.push(Figure {
            what: format!("{scheme}, {IDLE} idle connections: memory, MB"),
            rival: "bare hyper",
            ours,
            theirs,
            bar: Bar::AtMost(most),
        });
    }
    Ok(figures)
}
