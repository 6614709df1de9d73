//! What the server costs, measured side by side.
//!
//! ```text
//!            cpu 1                          cpu 0
//! cases ──► load ──► connections ──► server: ours | bare hyper, same bytes | the real nova
//!   │                                  │
//!   │     round by round: A B A B …    │
//!   ◄───── process: CPU, memory ───────┘
//!   └──► figure: a line each, median of the rounds
//! ```
//!
//! A figure is judged by the ratio of two servers measured within the same second, so that a busy machine slows both;
//! what is printed is the median over the rounds, and how far they spread.

pub mod cases;
pub mod figure;
pub mod load;
pub mod process;
pub mod rival;
pub mod server;
pub mod statistics;
