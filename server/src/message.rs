//! What the supervisor and a worker say to each other on the control channel.
//!
//! ```text
//! supervisor                                          worker
//!     ├─ Start + [connections, settings] ───────────────►│ load app, build TLS
//!     │◄─────────────────────────────────────── Ready ───┤
//!     ├─ Prepare(revision) + [settings] ────────────────►│ build, change nothing
//!     │◄──────────────────────── Prepared(revision) ─────┤
//!     ├─ Commit(revision) ──────────────────────────────►│ new connections use it
//!     ├─ Ping(number) ──────────────────────────────────►│
//!     │◄──────────────────── Pong(number, counters) ─────┤
//!     ├─ Report ────────────────────────────────────────►│
//!     │◄────────────────────────────── Report(…) ────────┤
//!     ├─ LameDuck ──────────────────────────────────────►│ every answer says: do not come back here
//!     ├─ Finish(milliseconds) ──────────────────────────►│ close what is quiet, then exit 0
//!     │◄────────────────────────── Finished(counters) ───┤
//! ```

use kilonova_config::{Http, Logging};
use kilonova_tls::TicketSeed;
use serde::{Deserialize, Serialize};

use crate::counters::Snapshot;
use crate::material::TlsMaterial;
use crate::report::WorkerReport;

/// Said to a worker.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum ToWorker {
    /// The first message. With it travel the channel for connections and [`Sealed`].
    Start {
        /// Name of the API to serve.
        api: String,
        /// Where the API listens, as its log lines and links give it.
        local: std::net::SocketAddr,
    },
    /// Build what these settings need, and change nothing yet. [`Sealed`] travels with it.
    Prepare {
        /// Number of the attempt.
        revision: u64,
    },
    /// Use what was prepared for every connection from now on.
    Commit {
        /// Number of the attempt.
        revision: u64,
    },
    /// Say that you are alive.
    Ping {
        /// Number of the ping.
        number: u64,
    },
    /// Say what you are doing.
    Report,
    /// Tell every client that this connection takes no further request.
    LameDuck,
    /// Close connections after a second of quiet, and exit when there is none left.
    Finish {
        /// Give up on the rest after so many milliseconds; `None` waits for ever.
        within: Option<u64>,
    },
}

/// Said by a worker.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum FromWorker {
    /// It can serve.
    Ready,
    /// It has built what the settings need, or could not.
    Prepared {
        /// Number of the attempt.
        revision: u64,
        /// Why it could not.
        error: Option<String>,
    },
    /// It is alive.
    Pong {
        /// Number of the ping.
        number: u64,
        /// Its counters.
        counters: Box<Snapshot>,
    },
    /// What it is doing.
    Report(WorkerReport),
    /// It has served its last request.
    Finished {
        /// Its counters.
        counters: Box<Snapshot>,
        /// Connections it gave up at the deadline.
        abandoned: u64,
    },
}

/// What travels in sealed memory, since there are secrets in it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Sealed {
    /// What the files ask for.
    pub settings: Settings,
    /// What the supervisor has made for session tickets; another one for every change of [`Settings::tls`].
    pub seed: TicketSeed,
}

/// Everything a worker may be told anew while it runs.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Settings {
    /// `[wsgi]`.
    pub http: Http,
    /// The log.
    pub logging: Logging,
    /// Key material, when the API is served over TLS.
    pub tls: Option<TlsMaterial>,
}
