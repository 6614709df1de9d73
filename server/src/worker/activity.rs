//! What happens on a connection, and since when nothing did.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::http1::Rejection;
use crate::http2::Flood;
use crate::reason::Reason;

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
    /// The same for the oldest body that is being read.
    body: AtomicU64,
    /// Bytes read since then.
    received: AtomicU64,
    /// The same as `head` for the time after our last words.
    lingering: AtomicU64,
    in_flight: AtomicU32,
    bodies: AtomicU32,
    /// The last read found nothing: if something is missing, it is the client's turn.
    read_waits: AtomicBool,
    /// Nobody read a request's body to its end.
    leftover: AtomicBool,
    /// A body's framing broke.
    broken: AtomicBool,
    write_stalled: AtomicBool,
    http2: AtomicBool,
    asked: Notify,
    /// It takes no further request.
    retired: AtomicBool,
    /// Why its end is not a good one.
    refused: Mutex<Option<(Reason, &'static str)>>,
    /// Woken when the last request under way is answered.
    answered: Mutex<Option<Waker>>,
}

/// A connection at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Since the last byte in either direction.
    pub idle: Duration,
    /// Since the first byte of a head that is not complete, or the last answer before it.
    pub head: Option<Duration>,
    /// Since the head of the oldest request whose body is not complete, and how many bytes came since; nothing as long
    /// as it is our turn to read.
    pub body: Option<(Duration, u64)>,
    /// Since our last words.
    pub lingering: Option<Duration>,
    /// Requests begun and not answered to the last byte.
    pub in_flight: u32,
    /// Requests whose bodies are not complete.
    pub bodies: u32,
    /// The client takes nothing.
    pub write_stalled: bool,
}

impl Activity {
    pub fn new() -> Self {
        Self {
            opened: Instant::now(),
            progress: AtomicU64::new(0),
            head: AtomicU64::new(0),
            body: AtomicU64::new(0),
            received: AtomicU64::new(0),
            lingering: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            bodies: AtomicU32::new(0),
            read_waits: AtomicBool::new(false),
            leftover: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            write_stalled: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            asked: Notify::new(),
            retired: AtomicBool::new(false),
            refused: Mutex::new(None),
            answered: Mutex::new(None),
        }
    }

    /// So many bytes came.
    pub fn read(&self, bytes: usize) {
        self.read_waits.store(false, Relaxed);
        self.progress.store(self.now(), Relaxed);
        if self.bodies.load(Relaxed) > 0 {
            self.received.fetch_add(bytes as u64, Relaxed);
        }
    }

    /// We would read, and nothing came.
    pub fn read_waits(&self) {
        self.read_waits.store(true, Relaxed);
    }

    /// The head of a request has begun and is not complete; or it is not so.
    pub fn head(&self, begun: bool) {
        if !begun {
            self.head.store(0, Relaxed);
        } else if self.head.load(Relaxed) == 0 {
            self.head.store(self.now() + 1, Relaxed);
        }
    }

    /// Bytes went, or did not because the client takes none.
    pub fn written(&self, stalled: bool) {
        let before = self.write_stalled.swap(stalled, Relaxed);
        // An answer that goes out whole was noted when it was complete.
        if !stalled && (before || self.in_flight.load(Relaxed) > 0) {
            self.progress.store(self.now(), Relaxed);
        }
    }

    /// The head of a request is complete; its body may follow.
    pub fn began(&self, body_follows: bool) {
        self.in_flight.fetch_add(1, Relaxed);
        if body_follows && self.bodies.fetch_add(1, Relaxed) == 0 {
            self.received.store(0, Relaxed);
            self.body.store(self.now() + 1, Relaxed);
        }
    }

    /// Nobody wants the rest of a request's body.
    pub fn body_abandoned(&self) {
        self.leftover.store(true, Relaxed);
        self.body_ended();
    }

    /// A request's body is complete.
    pub fn body_ended(&self) {
        if self.bodies.fetch_sub(1, Relaxed) == 1 {
            self.body.store(0, Relaxed);
        }
    }

    /// What came of a body is not what a body is made of.
    pub fn body_broke(&self) {
        self.broken.store(true, Relaxed);
    }

    /// Whether what came of a body was not what a body is made of.
    pub fn broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// Whether the client may still be sending what nobody reads.
    pub fn leftover(&self) -> bool {
        self.leftover.load(Relaxed)
    }

    /// A request is answered, at the moment `now`.
    pub fn answered(&self, now: Instant) {
        let now = self.at(now);
        self.progress.store(now, Relaxed);
        if self.head.load(Relaxed) > 0 {
            self.head.store(now + 1, Relaxed);
        }
        if self.in_flight.fetch_sub(1, Relaxed) == 1
            && let Some(waker) = self.waker().take()
        {
            waker.wake();
        }
    }

    /// Whether a request is under way; if so, `waker` is woken when there is none any more.
    pub fn busy(&self, waker: &Waker) -> bool {
        let busy = self.in_flight.load(Relaxed) > 0;
        if busy {
            *self.waker() = Some(waker.clone());
        }
        busy
    }

    /// A request was refused unseen.
    pub fn refuse(&self, rejection: Rejection) {
        *self.refusal() = Some((rejection.into(), rejection.why()));
    }

    /// The client sends what brings nothing.
    pub fn flood(&self, flood: Flood) {
        *self.refusal() = Some((Reason::Flood, flood.why()));
    }

    /// Why the connection's end is not a good one, and in words.
    pub fn refused(&self) -> Option<(Reason, &'static str)> {
        *self.refusal()
    }

    /// The connection is to take no further request, and to close once it has none.
    pub fn retire(&self) {
        if !self.retired.swap(true, Relaxed) {
            self.asked.notify_one();
        }
    }

    /// Whether the connection is to take no further request.
    pub fn retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// Our last words are said.
    pub fn linger(&self) {
        if self.lingering.load(Relaxed) == 0 {
            self.lingering.store(self.now() + 1, Relaxed);
        }
    }

    /// The connection speaks HTTP/2. Until its first request, all of it is head.
    pub fn set_http2(&self) {
        self.http2.store(true, Relaxed);
        self.head(true);
    }

    /// Whether the connection is known to speak HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Resolves when the connection is to take no further request.
    pub async fn retirement(&self) {
        self.asked.notified().await;
    }

    /// Since the connection was taken charge of.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// The connection now.
    pub fn seen(&self) -> Seen {
        let now = self.now();
        let since = |then: u64| Duration::from_millis(now.saturating_sub(then));
        let began = |then: &AtomicU64| match then.load(Relaxed) {
            0 => None,
            then => Some(since(then - 1)),
        };
        let in_flight = self.in_flight.load(Relaxed);
        Seen {
            idle: since(self.progress.load(Relaxed)),
            head: began(&self.head).filter(|_| in_flight == 0 || self.is_http2()),
            body: began(&self.body)
                .filter(|_| self.read_waits.load(Relaxed))
                .map(|since| (since, self.received.load(Relaxed))),
            lingering: began(&self.lingering),
            in_flight,
            bodies: self.bodies.load(Relaxed),
            write_stalled: self.write_stalled.load(Relaxed),
        }
    }

    /// Milliseconds since the connection was opened.
    pub fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    fn at(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.opened);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn refusal(&self) -> std::sync::MutexGuard<'_, Option<(Reason, &'static str)>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Whether a worker that finishes may close the connection.
    pub fn quiet(&self) -> bool {
        self.in_flight == 0 && self.head.is_none() && self.idle >= QUIET
    }

    /// The client owes us something: a request, the rest of a body, or room for our answer.
    pub fn client_late(&self) -> bool {
        self.in_flight == 0 || self.bodies > 0 || self.write_stalled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[rstest]
    #[case(Seen { idle: S(1), ..Seen::default() }, true)]
    #[case(Seen { idle: Duration::from_millis(999), ..Seen::default() }, false)]
    #[case(Seen { idle: S(5), in_flight: 1, ..Seen::default() }, false)]
    #[case(Seen { idle: S(1), head: Some(S(1)), ..Seen::default() }, false)]
    fn only_quiet_connections_are_closed(#[case] seen: Seen, #[case] quiet: bool) {
        assert_eq!(seen.quiet(), quiet);
    }

    #[tokio::test]
    async fn a_request_is_followed_from_head_to_answer() {
        let activity = Activity::new();
        activity.head(true);
        assert!(activity.seen().head.is_some());
        activity.head(false);
        activity.began(true);
        activity.read_waits();
        let seen = activity.seen();
        assert_eq!((seen.head, seen.in_flight, seen.bodies), (None, 1, 1));
        assert!(seen.client_late() && seen.body.is_some());
        activity.read(7);
        assert_eq!(activity.seen().body, None, "our turn to read");
        activity.read_waits();
        assert_eq!(activity.seen().body.unwrap().1, 7);
        activity.body_ended();
        assert!(!activity.seen().client_late());
        activity.written(true);
        assert!(activity.seen().client_late());
        activity.answered(Instant::now());
        assert_eq!(activity.seen().in_flight, 0);
    }

    #[tokio::test]
    async fn the_next_head_has_time_from_the_last_answer_on() {
        let activity = Activity::new();
        activity.began(false);
        activity.head(true);
        assert_eq!(activity.seen().head, None);
        activity.answered(Instant::now());
        assert!(activity.seen().head.is_some());
    }
}
