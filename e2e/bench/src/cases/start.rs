//! How soon it is there, and how much memory it then has, with two workers.

use super::Bench;
use crate::figure::{Bar, Figure};
use crate::load::Client;
use crate::process;
use crate::server::{Cpus, Server};

const STARTS: usize = 10;
/// nova takes seconds each time.
const NOVAS_STARTS: usize = 3;
const MEGABYTE: f64 = 1024.0 * 1024.0;

/// From exec to the first 200, and memory once every worker has answered.
pub fn figures(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let ours = repeat(STARTS, || {
        Server::kilonova(&bench.program, 2, None, Cpus::All)
    })?;
    let theirs = match &bench.nova {
        Some(serve) => repeat(NOVAS_STARTS, || Server::nova(serve, 2, Cpus::All))?,
        None => Vec::new(),
    };
    let figure = |what: &str, of: fn(&(f64, f64)) -> f64, most| Figure {
        what: what.to_owned(),
        rival: "nova 34, uWSGI",
        ours: ours.iter().map(of).collect(),
        theirs: theirs.iter().map(of).collect(),
        bar: Bar::AtMost(most),
    };
    Ok(vec![
        figure("exec to first 200, ms", |both| both.0, 100.0),
        figure("memory with 2 workers, MB", |both| both.1, 25.0),
    ])
}

fn repeat(
    times: usize,
    start: impl Fn() -> anyhow::Result<Server>,
) -> anyhow::Result<Vec<(f64, f64)>> {
    (0..times)
        .map(|_| {
            let server = start()?;
            // Enough of them, one after another, that every worker has one.
            drop(Client::open(&server.target(true), 16)?);
            Ok((
                server.first_answer.as_secs_f64() * 1000.0,
                megabytes(&server)?,
            ))
        })
        .collect()
}

/// Memory of a server and all its processes.
#[expect(clippy::cast_precision_loss, reason = "far less than 2^52 bytes")]
pub fn megabytes(server: &Server) -> anyhow::Result<f64> {
    Ok(process::memory(server.process())? as f64 / MEGABYTE)
}
