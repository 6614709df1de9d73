//! Whole TLS handshakes, none resumed; one request each proves that hands were shaken.

use super::{Bench, Pairs};
use crate::figure::{Bar, Figure};

/// CPU of a handshake beside a bare server's, which accepts for itself.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (ours, theirs) = (bench.kilonova(1, true)?, bench.bare(true)?);
    let pairs = Pairs::measure(&ours, &theirs, 16, false)?;
    let (ours, theirs) = pairs.of(|cost| cost.cpu);
    let cpu = Figure {
        what: "https, 16 clients: CPU of a handshake and request, µs".to_owned(),
        rival: "bare rustls",
        ours,
        theirs,
        bar: Bar::RatioAtMost(1.15),
    };
    let (ours, theirs) = pairs.of(|cost| cost.rate);
    let rate = Figure {
        what: "https, 16 clients: handshakes/s".to_owned(),
        rival: "bare rustls",
        ours,
        theirs,
        bar: Bar::Stated,
    };
    Ok(vec![cpu, rate])
}
