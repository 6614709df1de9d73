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

pub mod admin;
pub mod app;
pub mod arguments;
pub mod channel;
pub mod check;
pub mod counters;
pub mod listen;
pub mod log;
pub mod message;
pub mod metrics;
pub mod supervisor;
pub mod worker;

/// This release, as logs, `/status` and `version` give it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
