//! What time it is, as lines have it: most lines come within the second of the one before.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A moment as text. UTC, as a container's.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Seconds since 1970 that the texts belong to.
    second: Option<i64>,
    milliseconds: u32,
    /// `2018-06-13 09:12:33`.
    text: String,
    /// `13/Jun/2018 09:12:33`.
    date_time: String,
}

impl Clock {
    /// Goes on to this moment.
    pub fn tick(&mut self) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let second = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.set(second, now.subsec_millis());
    }

    fn set(&mut self, second: i64, milliseconds: u32) {
        self.milliseconds = milliseconds;
        if self.second != Some(second) {
            self.second = Some(second);
            let now = Timestamp::from_second(second).unwrap_or_default();
            let now = Zoned::new(now, TimeZone::UTC);
            self.text = now.strftime("%Y-%m-%d %H:%M:%S").to_string();
            self.date_time = now.strftime("%d/%b/%Y %H:%M:%S").to_string();
        }
    }

    /// `2018-06-13 09:12:33.007`.
    pub fn oslo(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.as_bytes());
        self.fraction(out);
    }

    /// `2018-06-13T09:12:33.007Z`.
    pub fn rfc3339(&self, out: &mut Vec<u8>) {
        if let Some((date, time)) = self.text.split_once(' ') {
            out.extend_from_slice(date.as_bytes());
            out.push(b'T');
            out.extend_from_slice(time.as_bytes());
        }
        self.fraction(out);
        out.push(b'Z');
    }

    /// `13/Jun/2018 09:12:33`, as Python's `log_date_time_string`.
    pub fn date_time(&self) -> &str {
        &self.date_time
    }

    fn fraction(&self, out: &mut Vec<u8>) {
        let digit = |unit| b'0' + u8::try_from(self.milliseconds / unit % 10).unwrap_or(0);
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }

    /// A fixed moment.
    #[cfg(test)]
    pub(crate) fn at(second: i64, milliseconds: u32) -> Self {
        let mut clock = Self::default();
        clock.set(second, milliseconds);
        clock
    }
}
