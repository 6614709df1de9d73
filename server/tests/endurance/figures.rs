//! The contract's figures with `FULL=1`, reduced ones without, and how they are shown.

use std::env;
use std::fmt::Display;

/// Whether the contract's figures are asked for.
pub fn full() -> bool {
    env::var("FULL").is_ok_and(|full| !full.is_empty())
}

/// The contract's figure, or the reduced one.
pub fn figure<T>(contract: T, reduced: T) -> T {
    if full() { contract } else { reduced }
}

/// Prints what was measured beside its bar: `--nocapture` shows it.
pub fn show(case: &str, figures: &[(&str, &dyn Display, &str)]) {
    println!("{case}");
    for (name, value, bar) in figures {
        println!("  {name:<44} {value:>12}   {bar}");
    }
}
