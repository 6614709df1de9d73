//! When requests are due.

use std::time::Duration;

/// So many requests a second, evenly, for a while.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    nanoseconds: u64,
    total: u64,
}

impl Pace {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are between one and a million a second"
    )]
    pub fn new(rate: f64, time: Duration) -> Self {
        let nanoseconds = (1e9 / rate.max(1.0)) as u64;
        let total = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / nanoseconds.max(1);
        Self { nanoseconds, total }
    }

    /// How many there are.
    pub fn total(self) -> u64 {
        self.total
    }

    /// When, after the beginning, request `number` is to be sent; `None` after the last.
    pub fn due(self, number: u64) -> Option<Duration> {
        (number < self.total).then(|| Duration::from_nanos(number * self.nanoseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(1000.0, 2, 2000, Duration::from_millis(1))]
    #[case(40_000.0, 1, 40_000, Duration::from_micros(25))]
    #[case(0.0, 3, 3, Duration::from_secs(1))]
    fn even(#[case] rate: f64, #[case] seconds: u64, #[case] total: u64, #[case] step: Duration) {
        let pace = Pace::new(rate, Duration::from_secs(seconds));
        assert_eq!(pace.total(), total);
        assert_eq!(pace.due(0), Some(Duration::ZERO));
        assert_eq!(pace.due(2), Some(step * 2));
        assert_eq!(pace.due(total), None);
    }
}
