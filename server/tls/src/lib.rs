//! Certificates as Kilonova judges them.
//!
//! ```text
//! tls.crt + tls.key ──► Pair ──► Facts (serial, fingerprint, validity, names) ──► status, conditions, metrics
//!            ca.crt ──► Authorities ───────┐         └─────────────┐
//!           crl.pem ──► RevocationLists ───┴─► ClientAuth ─────────┤
//!                                   TicketSeed ──► SharedTickets ──┴─► server_config(…) ──► handshakes ──► Identity
//! ```
//!
//! The operator looks at a Secret with the same code the server loads it with, so the two never disagree about
//! whether it can be served. Nothing here reads a file; only tickets look at the clock.

pub mod authorities;
pub mod facts;
pub mod identity;
pub mod pair;
mod pem;
mod purpose;
pub mod revocation;
pub mod server;
pub mod tickets;

pub use authorities::{Authorities, AuthoritiesError};
pub use facts::{Facts, Validity};
pub use identity::Identity;
pub use pair::{Pair, PairError};
pub use revocation::{RevocationError, RevocationLists};
pub use server::{ClientAuth, ServerConfigError, Versions, server_config};
pub use tickets::{SharedTickets, TicketSeed, TicketsError};
