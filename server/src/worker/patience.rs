//! How long a client may keep us waiting, and for what.

use std::time::Duration;

use kilonova_config::Http;

use super::activity::Seen;
use crate::reason::Reason;

/// A body's client must send so many bytes a second, after the time it has for a head (as Apache's `MinRate=500`).
const BODY_RATE: u64 = 500;
/// How long we go on reading what nobody wants any more, so that the client can read our last words.
pub const LINGER: Duration = Duration::from_secs(2);
/// The longest time between two looks.
const LOOK: Duration = Duration::from_secs(30);

/// The limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// `headerTimeoutSeconds`.
    pub head: Duration,
    /// `[wsgi] client_socket_timeout`; `None` for ever.
    pub socket: Option<Duration>,
}

/// What a client did not do in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// It owed us something.
    Owing(Reason),
    /// It had nothing to say: the end of a kept connection.
    Idle,
}

impl Patience {
    /// As the configuration has it.
    pub fn of(http: &Http) -> Self {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        Self {
            head: seconds(http.header_timeout_seconds),
            socket: (http.client_socket_timeout_seconds > 0)
                .then(|| seconds(http.client_socket_timeout_seconds)),
        }
    }

    /// How long until the client has kept us waiting too long, if nothing more happens.
    pub fn left(&self, seen: &Seen) -> Result<Duration, Late> {
        let silent = if seen.write_stalled {
            Late::Owing(Reason::AnswerTimeout)
        } else if seen.in_flight == 0 {
            Late::Idle
        } else {
            Late::Owing(Reason::BodyTimeout)
        };
        let body = |body: (Duration, u64)| {
            let (since, bytes) = body;
            (self.head + Duration::from_secs(bytes / BODY_RATE)).checked_sub(since)
        };
        let clocks = [
            (
                seen.head.map(|head| self.head.checked_sub(head)),
                Late::Owing(Reason::HeadTimeout),
            ),
            (seen.body.map(body), Late::Owing(Reason::BodyTimeout)),
            (
                self.socket
                    .filter(|_| seen.client_late())
                    .map(|socket| socket.checked_sub(seen.idle)),
                silent,
            ),
            (
                seen.lingering.map(|since| LINGER.checked_sub(since)),
                Late::Idle,
            ),
        ];
        let mut left = LOOK.min(self.head);
        for (clock, late) in clocks {
            match clock {
                None => {}
                Some(Some(rest)) if !rest.is_zero() => left = left.min(rest),
                Some(_) => return Err(late),
            }
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const HEAD: Late = Late::Owing(Reason::HeadTimeout);
    const BODY: Late = Late::Owing(Reason::BodyTimeout);
    const ANSWER: Late = Late::Owing(Reason::AnswerTimeout);

    fn seen(idle: u64) -> Seen {
        Seen {
            idle: S(idle),
            ..Seen::default()
        }
    }

    #[rstest]
    #[case::between_requests(seen(899), Some(900), Ok(1))]
    #[case::too_long_between_requests(seen(901), Some(900), Err(Late::Idle))]
    #[case::no_limit(seen(9000), None, Ok(30))]
    #[case::the_app_takes_its_time(Seen { in_flight: 1, ..seen(9000) }, Some(900), Ok(30))]
    #[case::a_body_that_stopped(Seen { in_flight: 1, bodies: 1, body: Some((S(1), 0)), ..seen(5) }, Some(5), Err(BODY))]
    #[case::an_answer_nobody_reads(Seen { write_stalled: true, ..seen(5) }, Some(5), Err(ANSWER))]
    #[case::a_trickled_head(Seen { head: Some(S(29)), ..seen(0) }, Some(900), Ok(1))]
    #[case::a_head_that_never_ends(Seen { head: Some(S(31)), ..seen(0) }, None, Err(HEAD))]
    #[case::a_body_at_a_good_pace(Seen { in_flight: 1, bodies: 1, body: Some((S(100), 50_000)), ..seen(0) }, None, Ok(30))]
    #[case::a_trickled_body(Seen { in_flight: 1, bodies: 1, body: Some((S(31), 499)), ..seen(0) }, None, Err(BODY))]
    #[case::after_the_last_words(Seen { lingering: Some(S(1)), ..seen(0) }, None, Ok(1))]
    #[case::long_after_the_last_words(Seen { lingering: Some(S(2)), ..seen(0) }, None, Err(Late::Idle))]
    fn patience_ends(
        #[case] seen: Seen,
        #[case] socket: Option<u64>,
        #[case] left: Result<u64, Late>,
    ) {
        let patience = Patience {
            head: S(30),
            socket: socket.map(S),
        };
        assert_eq!(patience.left(&seen), left.map(S));
    }
}
