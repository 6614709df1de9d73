//! The real program on loopback: what its operator sees of it.

#![cfg(test)]

mod database;
mod drain;
mod limits;
mod logs;
mod metrics;
mod numbers;
mod proxies;
mod reload;
mod report;
mod slow;
mod smuggling;
mod start;
mod tls;
mod workers;

use kilonova_probe::server;
