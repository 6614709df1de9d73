//! The Kilonova server: what `nova-api`'s launcher did, for pods.
//!
//! ```text
//!                    ┌ supervisor ──────────────────────────────────────────────┐
//! files, signals ──► │ sources ─check─► plan ─prepare, commit─┐                 │ ──► admin: /livez … /status
//!                    │                                        ▼ (control)       │
//! connections ─────► │ accept thread ─balance─► hand-over ─► worker processes   │
//!                    └──────────────────────────────────────────┬───────────────┘
//!                                                               ▼
//!                                TLS ─► HTTP ─► app (osapi_compute, metadata) ─► access log, counters
//! ```
//!
//! The supervisor owns sockets, key material and health and runs no request; a worker is this program started again,
//! with a control socket as its standard input, and runs nothing else. What they say to each other is in [`message`].

pub mod access_log;
pub mod admin;
pub mod app;
pub mod arguments;
pub mod cgroup;
pub mod channel;
pub mod check;
pub mod counters;
pub mod database;
pub mod forwarded;
pub mod handshake;
pub mod http1;
pub mod http2;
pub mod listen;
pub mod log;
pub mod material;
pub mod message;
pub mod metrics;
pub mod proxy_protocol;
pub mod reason;
pub mod report;
pub mod supervisor;
pub mod worker;

/// This release, as logs, `/status` and `version` give it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// nova's `SERVICE_VERSION`, of the nova this release equals (34): what its service records say and are compared by.
pub const SERVICE_VERSION: u32 = 73;
