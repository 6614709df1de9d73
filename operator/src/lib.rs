//! Turns `ApiService` resources into Deployments that serve nova's APIs.
//!
//! ```text
//!            watch                          Release
//! ApiService ─────► controller ─► reconcile ───┐
//!                                    │         ▼
//!                                    ├─ desired ─────► Desired ──┐
//!                                    ├─ observed ────► Observed ─┼─► plan ─► Course ─► apply ─► children, Report
//!                                    ├─ verdict ─────► Verdicts ─┘             │                       │
//!                                    ├─ confirm ─────► what the pods say ◄─────┘                       │
//!                                    └─ status, events ◄───────────────────────────────────────────────┘
//! ```
//!
//! Everything but [`cluster`], [`apply`], [`observed`] and [`confirm::ask`] is a pure function; those do all input and
//! output. Around them stand [`controller`] (when), [`lease`] (whether) and [`permissions`] (what at most).

pub mod api;
pub mod apply;
pub mod cluster;
pub mod confirm;
pub mod controller;
pub mod definition;
pub mod desired;
pub mod error;
pub mod events;
pub mod hash;
pub mod history;
pub mod kinds;
pub mod lease;
pub mod memory;
pub mod metrics;
pub mod names;
pub mod observed;
pub mod permissions;
pub mod plan;
pub mod probes;
pub mod reconcile;
pub mod rollout;
pub mod signals;
pub mod status;
pub mod tls;
pub mod verdict;

pub use error::Error;
pub use signals::Signals;
