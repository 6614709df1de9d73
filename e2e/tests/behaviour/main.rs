//! What Kilonova does on a real cluster.

#![cfg(test)]

mod changes;
mod foreign;
mod refused;
mod secrets;
mod tls;
mod workers;
