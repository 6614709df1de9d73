//! A request for the version document through the whole stack, on kept connections.

use super::{Bench, Pairs};
use crate::figure::{Bar, Figure};

/// CPU of a request beside a bare server's, and requests a second.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (tls, scheme) in [(false, "http"), (true, "https")] {
        let (ours, theirs) = (bench.kilonova(1, tls)?, bench.bare(tls)?);
        for (connections, name) in [(1, "1 connection"), (64, "64 connections")] {
            let pairs = Pairs::measure(&ours, &theirs, connections, true)?;
            let (ours, theirs) = pairs.of(|cost| cost.cpu);
            figures.push(Figure {
                what: format!("{scheme}, {name}: CPU of a request, µs"),
                rival: "bare hyper",
                ours,
                theirs,
                bar: Bar::RatioAtMost(1.25),
            });
            let (ours, theirs) = pairs.of(|cost| cost.rate);
            figures.push(Figure {
                what: format!("{scheme}, {name}: requests/s"),
                rival: "bare hyper",
                ours,
                theirs,
                bar: Bar::Stated,
            });
        }
    }
    Ok(figures)
}
