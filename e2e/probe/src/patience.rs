//! Waiting for a condition, never for a time.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `check` gives something; panics with what it waited for when it does not.
pub fn wait_for<T>(what: &str, check: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, check)
}

/// Waits at most so long until `check` gives something; panics with what it waited for when it does not.
pub fn wait_within<T>(most: Duration, what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + most;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {most:?} for {what}");
        park_timeout(Duration::from_millis(5));
    }
}
