//! Whether a second worker makes the first one's work dearer.

use super::{Bench, Pairs};
use crate::figure::{Bar, Figure};

/// CPU of a request with two workers beside one worker's.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (two, one) = (bench.kilonova(2, false)?, bench.kilonova(1, false)?);
    let (ours, theirs) = Pairs::measure(&two, &one, 64, true)?.of(|cost| cost.cpu);
    Ok(vec![Figure {
        what: "http, 64 connections: CPU with 2 workers, µs".to_owned(),
        rival: "1 worker",
        ours,
        theirs,
        bar: Bar::RatioAtMost(1.1),
    }])
}
