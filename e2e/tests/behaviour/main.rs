//! What Kilonova does on a real cluster.

#![cfg(test)]

mod changes;
mod deadline;
mod effects;
mod foreign;
mod refused;
mod secrets;
mod tls;
mod workers;
