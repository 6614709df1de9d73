//! The documents say what the program does: each row of docs/nova-parity.md has its test, each thing that can be set or
//! measured stands in docs/server.md.

#![cfg(test)]

mod metrics;
mod repository;
mod settings;
mod table;
mod verdicts;
mod words;
