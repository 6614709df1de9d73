//! The real program on loopback under load and over time: what it must hold, counted by its clients.
//!
//! ```text
//! Load (64 clients, each with a habit) ──► Wire ──► Server ──► Tally (answered, lost, closed, refused)
//! ```
//!
//! `FULL=1` asks for the contract's figures.

#![cfg(test)]

mod balance;
mod crash;
mod figures;
mod habit;
mod http2;
mod leaks;
mod load;
mod losses;
mod mount;
mod process;
mod stopping;
mod wire;
