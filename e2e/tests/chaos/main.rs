//! What the operator makes of being killed, of a cluster that goes and comes, and of its own other release. One at a time:
//! there is one operator.

#![cfg(test)]

mod kills;
mod outages;
mod release;
mod world;
