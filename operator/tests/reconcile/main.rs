//! Reconciles against an API server in memory: what is written, what is not, and what is answered.

#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod apiserver;
mod children;
mod extras;
mod permissions;
mod secrets;
mod world;
