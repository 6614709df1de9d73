//! Kilonova's records in SQLite, PostgreSQL and MySQL or MariaDB.
//!
//! ```text
//! Url ──► Store ──► pool (lazy, within a budget) ──► database
//!           ├─ sync: Migration list ─(under a lock)─► tables, kilonova_schema
//!           └─ services() ──► Services (enroll, seen, remove, sweep, list) ──► rows of `services`
//!                └──────────► MinimumVersions (cached)
//! ```
//!
//! The rows are nova's: a nova that shares the database reads them. Errors say whether trying again helps, and never
//! hold a password.

pub mod error;
pub mod migration;
pub mod schema;
pub mod services;
pub mod store;
pub mod url;

mod clock;
mod connect;

pub use error::StoreError;
pub use migration::{Migration, SCHEMA};
pub use schema::{Schema, Synced};
pub use services::minimum::MinimumVersions;
pub use services::record::Service;
pub use services::{Enrolled, LIVE_FOR, Services};
pub use store::Store;
pub use url::{Dialect, Url, UrlError};

/// What migrations are written with.
pub use sea_orm::sea_query;
