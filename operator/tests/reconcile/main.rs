//! Reconciles against an API server in memory: what is written, what is not, and what is answered.

#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod apiserver;
mod changes;
mod children;
mod extras;
mod lease;
mod operator;
mod permissions;
mod pods;
mod policies;
mod scale;
mod secrets;
mod trouble;
mod world;
