//! What tests look at a server with.
//!
//! ```text
//! Authority ──► Issued (certificate, key) ──► Server (the real program, its files and its log)
//!     └───────► ClientConfig ──► TlsConnection ──► Answer
//! Database (PostgreSQL, MariaDB) ──► URL ────────► server
//! ```
//!
//! It blocks and panics: it is made for tests, where both are what one wants.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)]

pub mod certificates;
pub mod client;
pub mod database;
pub mod patience;
pub mod server;

pub use certificates::{Authority, Issued};
pub use client::{Answer, Connection, TlsConnection};
pub use database::{Database, Kind};
pub use patience::{PATIENCE, wait_for, wait_within};
pub use server::Server;
