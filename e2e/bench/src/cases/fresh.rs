//! A new connection for each request: what it costs that a supervisor accepts and hands over.

use super::{Bench, Pairs};
use crate::figure::{Bar, Figure};

/// Requests a second, and their CPU, beside a bare server that accepts for itself. Ours cannot accept for itself, so the
/// ratio holds what a request costs us more besides.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (ours, theirs) = (bench.kilonova(1, false)?, bench.bare(false)?);
    let pairs = Pairs::measure(&ours, &theirs, 16, false)?;
    let (ours, theirs) = pairs.of(|cost| cost.rate);
    let rate = Figure {
        what: "http, new connection each: requests/s".to_owned(),
        rival: "bare hyper",
        ours,
        theirs,
        bar: Bar::RatioAtLeast(0.7),
    };
    let (ours, theirs) = pairs.of(|cost| cost.cpu);
    let cpu = Figure {
        what: "http, new connection each: CPU of a request, µs".to_owned(),
        rival: "bare hyper",
        ours,
        theirs,
        bar: Bar::Stated,
    };
    Ok(vec![rate, cpu])
}
