//! A cluster with Kilonova in it, as tests use it.
//!
//! ```text
//! e2e/in-cluster ──► Cluster ──► Namespace (one a test) ──► ApiService, Secrets
//!                                    └──► Service address, pods, their /status, their processes
//! ```
//!
//! It blocks and panics: it is made for tests, where both are what one wants.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

pub mod audit;
pub mod cluster;
pub mod namespace;
pub mod processes;

pub use cluster::{Cluster, full};
pub use namespace::Namespace;
