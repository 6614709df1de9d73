//! Beside the real nova.

use super::{Bench, Pairs};
use crate::figure::{Bar, Figure};
use crate::server::{Cpus, Server};

/// Requests a second of one worker each.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let Some(serve) = &bench.nova else {
        return Ok(Vec::new());
    };
    let nova = Server::nova(serve, 1, Cpus::First)?;
    let ours = bench.kilonova(1, false)?;
    let pairs = Pairs::measure(&ours, &nova, 64, true)?;
    let (ours, theirs) = pairs.of(|cost| cost.rate);
    Ok(vec![Figure {
        what: "http, 64 connections: requests/s".to_owned(),
        rival: "nova 34, uWSGI",
        ours,
        theirs,
        bar: Bar::RatioAtLeast(100.0),
    }])
}
