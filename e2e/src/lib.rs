//! A cluster with Kilonova in it, as tests use it.
//!
//! ```text
//! e2e/in-cluster ──► Cluster ──► Namespace (one a test) ──► ApiService, Secrets, a database
//!                       │            ├──► Service address, pods, their /status, their processes
//!                       │            └──► Load: requests all the while, every answer checked
//!                       └──► Operator: the program outside the cluster, started and killed at will
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
pub mod chance;
pub mod cluster;
pub mod components;
pub mod database;
pub mod load;
pub mod namespace;
pub mod nova;
pub mod operator;
pub mod processes;

pub use chance::Chance;
pub use cluster::{Cluster, full};
pub use load::{Load, Target};
pub use namespace::Namespace;
pub use operator::Operator;
