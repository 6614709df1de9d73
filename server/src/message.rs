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
//!     ├─ LameDuck ──────────────────────────────────────►│ every answer says: do not come back here
//!     ├─ Finish(milliseconds) ──────────────────────────►│ close what is quiet, then exit 0
//!     │◄────────────────────────── Finished(counters) ───┤
//! ```

use kilonova_config::{Http, Logging};
use serde::{Deserialize, Serialize};

use crate::counters::Snapshot;

/// Said to a worker.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum ToWorker {
    /// The first message. With it travel the channel for connections and sealed [`Settings`].
    Start {
        /// Name of the API to serve.
        api: String,
        /// Where the API listens, as its log lines and links give it.
        local: std::net::SocketAddr,
    },
    /// Build what these settings need, and change nothing yet. Sealed [`Settings`] travel with it.
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
    /// It has served its last request.
    Finished {
        /// Its counters.
        counters: Box<Snapshot>,
        /// Connections it gave up at the deadline.
        abandoned: u64,
    },
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

/// PEM texts that the supervisor has read and checked.
#[derive(Clone, PartialEq, Deserialize, Serialize)]
pub struct TlsMaterial {
    /// The certificate chain.
    pub certificate: String,
    /// The private key.
    pub key: String,
    /// Who signs clients' certificates, and whether a client must have one.
    pub clients: Option<(String, bool)>,
}

impl std::fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsMaterial(***)")
    }
}
