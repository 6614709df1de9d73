//! The real program on loopback: what its operator sees of it.

#![cfg(test)]

mod drain;
mod reload;
mod server;
mod start;
mod tls;
mod workers;
