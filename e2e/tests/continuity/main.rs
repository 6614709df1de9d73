//! What clients see of changes: nothing. Load goes through a Service all the while, and every request is answered.

#![cfg(test)]

mod counts;
mod losses;
mod rollouts;
mod rotations;
mod trust;
