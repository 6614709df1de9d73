//! The records in a real SQLite, PostgreSQL and MariaDB.

#![cfg(test)]

mod enroll;
mod minimum;
mod place;
mod pool;
mod refused;
mod schema;
mod sweep;
mod takeover;

/// A small figure for every day, and the contract's with `FULL=1`.
fn figure(small: usize, full: usize) -> usize {
    if std::env::var("FULL").is_ok_and(|full| !full.is_empty()) {
        full
    } else {
        small
    }
}
