//! Certificates as Kilonova judges them.
//!
//! ```text
//! tls.crt + tls.key ──► Pair ──► Facts (serial, fingerprint, validity, names) ──► status, conditions, metrics
//!            ca.crt ──► Authorities                    └─────────────┐
//!                            └──────────── server_config(pair, authorities) ──► handshakes
//! ```
//!
//! The operator looks at a Secret with the same code the server loads it with, so the two never disagree about
//! whether it can be served. Nothing here reads a file or the clock.

pub mod authorities;
pub mod facts;
pub mod pair;
pub mod server;

pub use authorities::{Authorities, AuthoritiesError};
pub use facts::{Facts, Validity};
pub use pair::{Pair, PairError};
pub use server::{ClientAuth, ServerConfigError, server_config};
