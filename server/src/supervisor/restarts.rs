//! When a dead worker is replaced: oslo.service's throttle, and an end to restarting what cannot live.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Deaths before ready, or this soon after, count against the API.
const EARLY: Duration = Duration::from_secs(10);
/// So many early deaths within [`WINDOW`] make the API failing.
const DEATHS: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
/// The longest wait between two attempts of a failing API.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The history of one API's workers, as far as it bears on the next start.
#[derive(Clone, Debug, Default)]
pub struct Restarts {
    starts: VecDeque<Instant>,
    early_deaths: VecDeque<Instant>,
    attempts_while_failing: u32,
}

impl Restarts {
    /// How long to wait before another worker is started, of `workers` in all; notes the start as made then.
    ///
    /// oslo.service `ProcessLauncher._start_child`: more than `workers` starts within `workers` seconds wait 1 s.
    /// A failing API waits 1, 2, 4 … 30 s instead.
    pub fn start(&mut self, workers: u32, now: Instant) -> Duration {
        let mut wait = Duration::ZERO;
        if self.starts.len() > workers as usize
            && let Some(first) = self.starts.pop_front()
            && now.duration_since(first) < Duration::from_secs(u64::from(workers))
        {
            wait = Duration::from_secs(1);
        }
        if self.failing(now) {
            wait = Duration::from_secs(1 << self.attempts_while_failing.min(5)).min(LONGEST_WAIT);
            self.attempts_while_failing += 1;
        }
        self.starts.push_back(now + wait);
        wait
    }

    /// Notes a death. `served` is how long the worker had been ready, `None` when it never was. A worker that was
    /// killed from outside after it had lived a while says nothing about the API.
    pub fn died(&mut self, served: Option<Duration>, now: Instant) {
        if served.is_none_or(|served| served < EARLY) {
            self.early_deaths.push_back(now);
            if self.early_deaths.len() > DEATHS {
                self.early_deaths.pop_front();
            }
        }
    }

    /// Notes that a worker has lived long enough to believe in it.
    pub fn settled(&mut self) {
        self.early_deaths.clear();
        self.attempts_while_failing = 0;
    }

    /// How long a worker must have served before [`Restarts::settled`].
    pub fn settles_after() -> Duration {
        EARLY
    }

    /// Whether the API's workers do not stay alive. Stays so until all that there should be have settled.
    pub fn failing(&self, now: Instant) -> bool {
        self.attempts_while_failing > 0
            || (self.early_deaths.len() >= DEATHS
                && self
                    .early_deaths
                    .front()
                    .is_some_and(|first| now.duration_since(*first) < WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts and deaths at given tenths of a second; the waits that follow, in seconds.
    fn waits(workers: u32, deaths: &[(u64, Option<u64>)]) -> Vec<u64> {
        let zero = Instant::now();
        let at = |tenths: u64| zero + Duration::from_millis(tenths * 100);
        let mut restarts = Restarts::default();
        for _ in 0..workers {
            restarts.start(workers, zero);
        }
        deaths
            .iter()
            .map(|(tenths, served)| {
                restarts.died(served.map(Duration::from_secs), at(*tenths));
                restarts.start(workers, at(*tenths)).as_secs()
            })
            .collect()
    }

    #[test]
    fn the_first_replacement_is_at_once_and_a_burst_is_throttled() {
        // oslo with two workers: three starts at once, then a second between most of them.
        assert_eq!(
            waits(2, &[(1, Some(60)), (2, Some(60)), (3, Some(60))]),
            [0, 1, 1]
        );
    }

    #[test]
    fn deaths_far_apart_are_never_throttled() {
        assert_eq!(
            waits(
                2,
                &[
                    (100, Some(60)),
                    (200, Some(60)),
                    (300, Some(60)),
                    (400, Some(60))
                ]
            ),
            [0, 0, 0, 0]
        );
    }

    #[test]
    fn five_early_deaths_make_it_fail_and_the_waits_grow() {
        let deaths: Vec<_> = (1..=11).map(|n| (n * 20, None)).collect();
        assert_eq!(waits(1, &deaths), [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn late_deaths_do_not_count() {
        let deaths: Vec<_> = (1..=8).map(|n| (n * 20, Some(11))).collect();
        assert_eq!(waits(1, &deaths), [0; 8]);
    }

    #[test]
    fn a_settled_worker_heals() {
        let now = Instant::now();
        let mut restarts = Restarts::default();
        for _ in 0..5 {
            restarts.died(None, now);
        }
        assert!(restarts.failing(now));
        restarts.start(1, now);
        assert!(restarts.failing(now + WINDOW));
        restarts.settled();
        assert!(!restarts.failing(now + WINDOW));
    }
}
