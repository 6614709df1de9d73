//! What was measured, and the bars.

use std::time::Duration;

use crate::shapes::Shape;

/// Percent of a processor a worker may be busy.
const BUSY: f64 = 5.0;
/// Bytes a held connection may cost.
const EACH: u64 = 64_000;
/// Bytes by which the memory afterwards may be more than before.
pub const AFTER: u64 = 10_000_000;
/// What a scheduler that shares two processors with the test may add to any p99.
const NOISE: Duration = Duration::from_millis(2);

/// How much is tried.
pub struct Scale {
    pub full: bool,
    pub connections: usize,
    /// How long honest clients have the server for themselves, before and after, and how long a shape is tried first.
    pub warm: Duration,
    pub hold: Duration,
}

impl Scale {
    pub fn asked() -> Self {
        let full = std::env::var_os("FULL").is_some_and(|value| !value.is_empty());
        assert!(
            !full || !cfg!(debug_assertions),
            "the full figures are those of a release build: cargo test --release"
        );
        Self {
            full,
            connections: if full { 400 } else { 50 },
            warm: Duration::from_millis(if full { 1_500 } else { 300 }),
            hold: Duration::from_millis(if full { 7_000 } else { 700 }),
        }
    }
}

/// One shape's.
pub struct Figures {
    pub shape: Shape,
    pub held: usize,
    pub busiest: f64,
    pub bytes_each: u64,
    pub after: u64,
    pub usual: Duration,
    pub p99: Duration,
}

impl Figures {
    /// Every bar that was missed. At reduced figures, and with the larger state of a debug
    /// build, only that which neither can move.
    pub fn shortfalls(&self, scale: &Scale) -> Vec<String> {
        let p99 = (2 * self.usual).max(self.usual + NOISE);
        let bars = [
            (self.busiest > BUSY && scale.full, "a worker is too busy"),
            (
                self.bytes_each > EACH && scale.full,
                "a connection costs too much",
            ),
            (self.after > AFTER, "too much memory is kept"),
            (self.p99 > p99 && scale.full, "honest clients wait too long"),
        ];
        bars.into_iter()
            .filter(|(missed, _)| *missed)
            .map(|(_, what)| format!("{:?}: {what}", self.shape))
            .collect()
    }
}

pub fn print(all: &[Figures]) {
    println!(
        "{:<20} {:>6} {:>14} {:>18} {:>18} {:>22}",
        "shape",
        "held",
        "busiest (<5 %)",
        "each (<64000 B)",
        "after (<10 MB)",
        "honest p99 (<2x usual)"
    );
    for figures in all {
        println!(
            "{:<20} {:>6} {:>12.2} % {:>16} B {:>15} kB {:>9.0} us / {:.0} us",
            format!("{:?}", figures.shape),
            figures.held,
            figures.busiest,
            figures.bytes_each,
            figures.after / 1000,
            figures.p99.as_secs_f64() * 1e6,
            figures.usual.as_secs_f64() * 1e6,
        );
    }
}
