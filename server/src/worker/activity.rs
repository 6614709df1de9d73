//! What happens on a connection, and whether its client has kept us waiting too long.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// How long a client may take for the head of a request, from its first byte.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection must be quiet to be closed by a worker that finishes.
const QUIET: Duration = Duration::from_secs(1);

/// Shared by a connection's socket, its requests and its watchdog, all of which run on one thread.
#[derive(Debug)]
pub struct Activity {
    opened: Instant,
    /// Milliseconds after `opened`.
    progress: AtomicU64,
    /// Milliseconds after `opened` plus one; 0 while no head is being read.
    head: AtomicU64,
    in_flight: AtomicU32,
    bodies: AtomicU32,
    /// The rest of a body nobody wants is still to come.
    leftover: AtomicBool,
    write_stalled: AtomicBool,
    http2: AtomicBool,
}

/// A connection at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Since the last byte in either direction.
    pub idle: Duration,
    /// Since the first byte of a head that is not complete.
    pub head: Option<Duration>,
    /// Requests begun and not answered to the last byte.
    pub in_flight: u32,
    /// The client owes us something: a request, the rest of a body, or room for our answer.
    pub client_late: bool,
}

impl Activity {
    pub fn new() -> Self {
        Self {
            opened: Instant::now(),
            progress: AtomicU64::new(0),
            head: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            bodies: AtomicU32::new(0),
            leftover: AtomicBool::new(false),
            write_stalled: AtomicBool::new(false),
            http2: AtomicBool::new(false),
        }
    }

    /// Bytes came.
    pub fn read(&self) {
        let now = self.now();
        self.progress.store(now, Relaxed);
        let between = self.in_flight.load(Relaxed) == 0 && !self.leftover.load(Relaxed);
        if between && !self.is_http2() && self.head.load(Relaxed) == 0 {
            self.head.store(now + 1, Relaxed);
        }
    }

    /// Bytes went, or did not because the client takes none.
    pub fn written(&self, stalled: bool) {
        self.write_stalled.store(stalled, Relaxed);
        if !stalled {
            self.progress.store(self.now(), Relaxed);
        }
    }

    /// The head of a request is complete; its body may follow.
    pub fn began(&self, body_follows: bool) {
        self.head.store(0, Relaxed);
        self.leftover.store(false, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        self.bodies.fetch_add(u32::from(body_follows), Relaxed);
    }

    /// Nobody wants the rest of a request's body; what comes of it is not the head of the next one.
    pub fn body_abandoned(&self) {
        self.leftover.store(true, Relaxed);
        self.body_ended();
    }

    /// A request's body is complete.
    pub fn body_ended(&self) {
        self.bodies.fetch_sub(1, Relaxed);
    }

    /// A request is answered.
    pub fn answered(&self) {
        self.in_flight.fetch_sub(1, Relaxed);
        self.progress.store(self.now(), Relaxed);
    }

    /// The connection speaks HTTP/2.
    pub fn set_http2(&self) {
        self.http2.store(true, Relaxed);
        self.head.store(0, Relaxed);
    }

    /// Whether the connection is known to speak HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// The connection now.
    pub fn seen(&self) -> Seen {
        let now = self.now();
        let since = |then: u64| Duration::from_millis(now.saturating_sub(then));
        let head = self.head.load(Relaxed);
        let in_flight = self.in_flight.load(Relaxed);
        Seen {
            idle: since(self.progress.load(Relaxed)),
            head: (head > 0).then(|| since(head - 1)),
            in_flight,
            client_late: in_flight == 0
                || self.bodies.load(Relaxed) > 0
                || self.write_stalled.load(Relaxed),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Seen {
    /// How long until the client has kept us waiting too long, if nothing more happens; zero when it has.
    /// `socket_timeout` is `[wsgi] client_socket_timeout`, `None` for ever.
    pub fn patience(&self, socket_timeout: Option<Duration>) -> Duration {
        let head = self
            .head
            .map_or(HEAD_TIMEOUT, |head| HEAD_TIMEOUT.saturating_sub(head));
        let socket = match socket_timeout {
            Some(timeout) if self.client_late => timeout.saturating_sub(self.idle),
            _ => HEAD_TIMEOUT,
        };
        head.min(socket)
    }

    /// Whether a worker that finishes may close the connection.
    pub fn quiet(&self) -> bool {
        self.in_flight == 0 && self.head.is_none() && self.idle >= QUIET
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[rstest]
    #[case::between_requests(Seen { idle: S(899), client_late: true, ..Seen::default() }, Some(900), 1)]
    #[case::too_long_between_requests(Seen { idle: S(901), client_late: true, ..Seen::default() }, Some(900), 0)]
    #[case::no_limit(Seen { idle: S(9000), client_late: true, ..Seen::default() }, None, 30)]
    #[case::the_app_takes_its_time(Seen { idle: S(9000), in_flight: 1, ..Seen::default() }, Some(900), 30)]
    #[case::a_body_that_stopped(Seen { idle: S(5), in_flight: 1, client_late: true, ..Seen::default() }, Some(5), 0)]
    #[case::a_trickled_head(Seen { head: Some(S(29)), client_late: true, ..Seen::default() }, Some(900), 1)]
    #[case::a_head_that_never_ends(Seen { head: Some(S(31)), client_late: true, ..Seen::default() }, None, 0)]
    fn patience_ends(#[case] seen: Seen, #[case] timeout: Option<u64>, #[case] left: u64) {
        assert_eq!(seen.patience(timeout.map(S)), S(left));
    }

    #[rstest]
    #[case(Seen { idle: S(1), ..Seen::default() }, true)]
    #[case(Seen { idle: Duration::from_millis(999), ..Seen::default() }, false)]
    #[case(Seen { idle: S(5), in_flight: 1, ..Seen::default() }, false)]
    #[case(Seen { idle: S(1), head: Some(S(1)), ..Seen::default() }, false)]
    fn only_quiet_connections_are_closed(#[case] seen: Seen, #[case] quiet: bool) {
        assert_eq!(seen.quiet(), quiet);
    }

    #[tokio::test]
    async fn the_rest_of_an_unwanted_body_is_no_head() {
        let activity = Activity::new();
        activity.began(true);
        activity.body_abandoned();
        activity.answered();
        activity.read();
        assert_eq!(activity.seen().head, None);
        activity.began(false);
        activity.answered();
        activity.read();
        assert!(activity.seen().head.is_some());
    }

    #[tokio::test]
    async fn a_request_is_followed_from_head_to_answer() {
        let activity = Activity::new();
        activity.read();
        assert!(activity.seen().head.is_some());
        activity.began(true);
        let seen = activity.seen();
        assert_eq!(
            (seen.head, seen.in_flight, seen.client_late),
            (None, 1, true)
        );
        activity.body_ended();
        assert!(!activity.seen().client_late);
        activity.written(true);
        assert!(activity.seen().client_late);
        activity.answered();
        assert_eq!(activity.seen().in_flight, 0);
    }
}
