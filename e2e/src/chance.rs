//! Moments and choices that differ from run to run, and can be had again.

use std::env;
use std::thread::park_timeout;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of random numbers (`SplitMix64`).
pub struct Chance(u64);

impl Chance {
    /// One that begins where `SEED` says, or anywhere; it prints where.
    pub fn new() -> Self {
        let now = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos())
        };
        let seed = env::var("SEED").map_or_else(|_| now(), |seed| seed.parse().unwrap());
        println!("SEED={seed}");
        Self(seed)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Lets any time up to `most` pass: what happens then happens at a random moment.
    pub fn pass(&mut self, most: Duration) {
        let most = u64::try_from(most.as_millis()).unwrap();
        pass(Duration::from_millis(self.below(most + 1)));
    }
}

impl Default for Chance {
    fn default() -> Self {
        Self::new()
    }
}

/// Lets a time pass that is itself what is tested.
pub fn pass(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        park_timeout(time.saturating_sub(began.elapsed()));
    }
}
