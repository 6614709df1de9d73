//! Whatever comes from outside is read without a panic, and what is accepted means what it says.
//!
//! One file for each reader of foreign bytes; a new reader gets its own, with its share of the cases. With `FULL=1`
//! there are more than a million in all.

#![cfg(test)]

mod bytes;
mod channel;
mod configuration;
mod pem;
mod texts;
mod wire;

use std::env;

use proptest::test_runner::Config;

/// So many cases with `FULL=1`, and one in two hundred without.
fn cases(contract: u32) -> Config {
    let full = env::var("FULL").is_ok_and(|full| !full.is_empty());
    let cases = if full { contract } else { contract / 200 };
    println!("{cases} cases");
    Config {
        cases,
        // The failing input is printed; it becomes a case of its own beside the code.
        failure_persistence: None,
        ..Config::default()
    }
}
