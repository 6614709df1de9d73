//! What is measured; each case returns its figures.

pub mod fresh;
pub mod handshakes;
pub mod latency;
pub mod memory;
pub mod nova;
pub mod start;
pub mod version;
pub mod workers;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::figure::Figure;
use crate::load::{Client, Done};
use crate::process;
use crate::server::{Cpus, Identity, Server};

/// Runs of each figure.
pub const ROUNDS: usize = 5;
/// How long a run takes.
const RUN: Duration = Duration::from_millis(900);
/// How long a server is asked before the first run.
const WARM_UP: Duration = Duration::from_millis(300);

/// What every case needs.
#[derive(Debug)]
pub struct Bench {
    program: PathBuf,
    nova: Option<PathBuf>,
    identity: Identity,
    files: TempDir,
}

/// A name to choose it by, and the case.
pub type Case = (&'static str, fn(&Bench) -> anyhow::Result<Vec<Figure>>);

/// All of them, in order.
pub const ALL: [Case; 8] = [
    ("version", version::figures),
    ("workers", workers::figures),
    ("nova", nova::figures),
    ("latency", latency::figures),
    ("handshakes", handshakes::figures),
    ("fresh", fresh::figures),
    ("start", start::figures),
    ("memory", memory::figures),
];

impl Bench {
    /// Prepares to measure this program, beside the nova that this script serves, if there is one.
    pub fn new(program: &Path, nova: Option<&Path>) -> anyhow::Result<Self> {
        let bench = Self {
            program: program.to_owned(),
            nova: nova.map(Path::to_owned),
            identity: Identity::new()?,
            files: tempfile::tempdir()?,
        };
        let ours = whole_answer(&bench.kilonova(1, false)?).context("cannot read the answer")?;
        fs::write(bench.answer(), &ours)?;
        let theirs = whole_answer(&bench.bare(false)?)?;
        ensure!(
            undated(&ours) == undated(&theirs),
            "the rival does not answer the same:\n{ours}\n\n{theirs}"
        );
        Ok(bench)
    }

    fn answer(&self) -> PathBuf {
        self.files.path().join("answer")
    }

    fn identity(&self, tls: bool) -> Option<&Identity> {
        tls.then_some(&self.identity)
    }

    fn kilonova(&self, workers: usize, tls: bool) -> anyhow::Result<Server> {
        Server::kilonova(&self.program, workers, self.identity(tls), Cpus::First)
    }

    fn bare(&self, tls: bool) -> anyhow::Result<Server> {
        Server::bare(&self.answer(), self.identity(tls))
    }
}

/// What one run cost.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// CPU time of the server for a request, in microseconds.
    cpu: f64,
    /// Requests a second.
    rate: f64,
}

/// Runs of two servers in turn.
#[derive(Debug, Default)]
struct Pairs {
    ours: Vec<Cost>,
    theirs: Vec<Cost>,
}

impl Pairs {
    fn measure(
        ours: &Server,
        theirs: &Server,
        connections: usize,
        kept: bool,
    ) -> anyhow::Result<Self> {
        let mut pairs = Self::default();
        for server in [ours, theirs] {
            ask(server, connections, kept, WARM_UP)?;
        }
        for _ in 0..ROUNDS {
            pairs.ours.push(ask(ours, connections, kept, RUN)?);
            pairs.theirs.push(ask(theirs, connections, kept, RUN)?);
        }
        Ok(pairs)
    }

    fn of(&self, what: fn(&Cost) -> f64) -> (Vec<f64>, Vec<f64>) {
        let values = |costs: &[Cost]| costs.iter().map(what).collect();
        (values(&self.ours), values(&self.theirs))
    }
}

/// Asks a server as fast as it answers.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
fn ask(server: &Server, connections: usize, kept: bool, time: Duration) -> anyhow::Result<Cost> {
    server.empty_log()?;
    let mut client = Client::open(&server.target(kept), connections)?;
    let before = process::cpu(server.process())?;
    let done: Done = client.ask_for(time)?;
    let cpu = process::cpu(server.process())?.saturating_sub(before);
    Ok(Cost {
        cpu: cpu.as_secs_f64() * 1e6 / done.requests as f64,
        rate: done.rate(),
    })
}

/// An answer as it comes over the wire, but for the word that the connection ends.
fn whole_answer(server: &Server) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(server.target(true).address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: nova.test\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.replacen("connection: close\r\n", "", 1))
}

/// The lines of an answer in any order, without the date.
fn undated(answer: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = answer.lines().collect();
    lines.retain(|line| !line.starts_with("date: "));
    lines.sort_unstable();
    lines
}
