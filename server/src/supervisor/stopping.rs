//! The way down: lame duck, close, finish.
//!
//! ```text
//! TERM ─► LameDuck ──drain delay──► Closing ──backlog handed over──► Finishing ──last worker gone──► exit 0
//!                                      └──────── graceful timeout after the delay ──► exit 1
//! ```

use std::time::{Duration, Instant};

use super::child::Farewell;

/// Where a stop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Serving all that comes, and telling everybody to go elsewhere.
    LameDuck,
    /// Accepting what the backlog still holds.
    Closing,
    /// Waiting for the workers.
    Finishing,
}

/// A stop under way.
#[derive(Clone, Debug)]
pub struct Stopping {
    /// Where it stands.
    pub stage: Stage,
    began: Instant,
    farewell: Farewell,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// Close the listening sockets.
    Close,
    /// The time for everything is over.
    GiveUp,
}

impl Stopping {
    /// A stop that begins now.
    pub fn begin(farewell: Farewell, now: Instant) -> Self {
        Self {
            stage: Stage::LameDuck,
            began: now,
            farewell,
        }
    }

    /// What is due at `now`.
    pub fn due(&mut self, now: Instant) -> Next {
        let end_of_delay = self.began + self.farewell.lame_duck;
        if self
            .farewell
            .within
            .is_some_and(|within| now >= end_of_delay + within)
        {
            return Next::GiveUp;
        }
        if self.stage == Stage::LameDuck && now >= end_of_delay {
            self.stage = Stage::Closing;
            return Next::Close;
        }
        Next::Wait
    }

    /// How long until something is due, at the most.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let end_of_delay = self.began + self.farewell.lame_duck;
        match self.stage {
            Stage::LameDuck => Some(end_of_delay.saturating_duration_since(now)),
            Stage::Closing | Stage::Finishing => self
                .farewell
                .within
                .map(|within| (end_of_delay + within).saturating_duration_since(now)),
        }
    }

    /// How long workers have to finish, from `now`.
    pub fn rest(&self, now: Instant) -> Farewell {
        let end = self
            .farewell
            .within
            .map(|within| self.began + self.farewell.lame_duck + within);
        Farewell {
            lame_duck: Duration::ZERO,
            within: end.map(|end| end.saturating_duration_since(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::in_the_delay(4, Some(60), Next::Wait, Stage::LameDuck)]
    #[case::after_it(5, Some(60), Next::Close, Stage::Closing)]
    #[case::timeout_counts_from_its_end(64, Some(60), Next::Close, Stage::Closing)]
    #[case::over(65, Some(60), Next::GiveUp, Stage::LameDuck)]
    #[case::for_ever(100_000, None, Next::Close, Stage::Closing)]
    fn one_number_rules(
        #[case] after: u64,
        #[case] within: Option<u64>,
        #[case] next: Next,
        #[case] stage: Stage,
    ) {
        let zero = Instant::now();
        let farewell = Farewell {
            lame_duck: Duration::from_secs(5),
            within: within.map(Duration::from_secs),
        };
        let mut stopping = Stopping::begin(farewell, zero);
        assert_eq!(stopping.due(zero + Duration::from_secs(after)), next);
        assert_eq!(stopping.stage, stage);
    }

    #[test]
    fn sockets_are_closed_once() {
        let zero = Instant::now();
        let farewell = Farewell {
            lame_duck: Duration::ZERO,
            within: None,
        };
        let mut stopping = Stopping::begin(farewell, zero);
        assert_eq!(
            (stopping.due(zero), stopping.due(zero)),
            (Next::Close, Next::Wait)
        );
        assert_eq!(stopping.wait(zero), None);
    }
}
