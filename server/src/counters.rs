//! What a worker counts, and the sums the supervisor keeps of it: totals per pod that survive workers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::reason::{REASONS, Reason};
use crate::{handshake, log};

/// Values of the label `method`, a bounded set: whatever a client invents is `other`.
pub const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "other",
];
/// Values of the label `code_class`.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Upper bounds of the duration histogram, in seconds.
pub const BOUNDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Values of the label `kind` of TLS handshakes.
pub const HANDSHAKES: [&str; 2] = ["full", "resumed"];

/// A worker's counters.
#[derive(Debug, Default)]
pub struct Counters {
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    durations: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
    in_flight: AtomicU64,
    accepted: AtomicU64,
    closed: AtomicU64,
    handshakes: [AtomicU64; HANDSHAKES.len()],
    handshake_errors: [AtomicU64; handshake::Reason::ALL.len()],
    refused: [AtomicU64; REASONS.len()],
}

/// Counters at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Snapshot {
    /// Answered requests by method and class of status.
    pub requests: [[u64; CLASSES.len()]; METHODS.len()],
    /// Answered requests by duration; each stands in one bucket, the last is beyond all bounds.
    pub durations: [u64; BOUNDS.len() + 1],
    /// Sum of the durations.
    pub microseconds: u64,
    /// Requests begun and not finished.
    pub in_flight: u64,
    /// Connections taken charge of.
    pub accepted: u64,
    /// Connections closed.
    pub closed: u64,
    /// TLS handshakes that succeeded, by kind.
    pub handshakes: [u64; HANDSHAKES.len()],
    /// TLS handshakes that failed, by reason.
    pub handshake_errors: [u64; handshake::Reason::ALL.len()],
    /// Lines of the log that were dropped.
    pub log_lines_dropped: u64,
    /// Requests and connections refused or given up, by reason.
    pub refused: [u64; REASONS.len()],
}

impl Counters {
    /// A connection was taken charge of.
    pub fn accepted(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    /// A connection was closed.
    pub fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    /// A TLS handshake succeeded.
    pub fn handshake_succeeded(&self, resumed: bool) {
        self.handshakes[usize::from(resumed)].fetch_add(1, Relaxed);
    }

    /// A TLS handshake failed.
    pub fn handshake_failed(&self, reason: handshake::Reason) {
        self.handshake_errors[reason as usize].fetch_add(1, Relaxed);
    }

    /// A request or a connection was refused or given up.
    pub fn refused(&self, reason: Reason) {
        self.refused[reason.place()].fetch_add(1, Relaxed);
    }

    /// A request began.
    pub fn began(&self) {
        self.in_flight.fetch_add(1, Relaxed);
    }

    /// A request was answered, or its client left before it was.
    pub fn answered(&self, method: &Method, status: StatusCode, took: Duration) {
        self.in_flight.fetch_sub(1, Relaxed);
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.requests[place(method)][class].fetch_add(1, Relaxed);
        let bucket = BOUNDS.partition_point(|bound| *bound < took.as_secs_f64());
        self.durations[bucket].fetch_add(1, Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Relaxed);
    }

    /// Connections closed so far, and requests in flight.
    pub fn progress(&self) -> (u64, u64) {
        (self.closed.load(Relaxed), self.in_flight.load(Relaxed))
    }

    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.accepted
            .load(Relaxed)
            .saturating_sub(self.closed.load(Relaxed))
    }

    /// Everything at this moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            requests: std::array::from_fn(|method| {
                std::array::from_fn(|class| self.requests[method][class].load(Relaxed))
            }),
            durations: std::array::from_fn(|bucket| self.durations[bucket].load(Relaxed)),
            microseconds: self.microseconds.load(Relaxed),
            in_flight: self.in_flight.load(Relaxed),
            closed: self.closed.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
            log_lines_dropped: log::dropped(),
            handshakes: std::array::from_fn(|kind| self.handshakes[kind].load(Relaxed)),
            handshake_errors: std::array::from_fn(|reason| {
                self.handshake_errors[reason].load(Relaxed)
            }),
            refused: std::array::from_fn(|reason| self.refused[reason].load(Relaxed)),
        }
    }
}

impl Snapshot {
    /// Connections that are open.
    pub fn connections(&self) -> u64 {
        self.accepted.saturating_sub(self.closed)
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.requests.iter().flatten().sum()
    }

    /// Adds another worker's counters.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self
            .requests
            .iter_mut()
            .flatten()
            .zip(other.requests.iter().flatten())
        {
            *mine += theirs;
        }
        for (mine, theirs) in self.durations.iter_mut().zip(other.durations) {
            *mine += theirs;
        }
        self.microseconds += other.microseconds;
        self.in_flight += other.in_flight;
        self.accepted += other.accepted;
        self.closed += other.closed;
        self.log_lines_dropped += other.log_lines_dropped;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
        for (mine, theirs) in self.handshakes.iter_mut().zip(other.handshakes) {
            *mine += theirs;
        }
        for (mine, theirs) in self.handshake_errors.iter_mut().zip(other.handshake_errors) {
            *mine += theirs;
        }
    }

    /// What remains of a worker that is gone: it holds nothing any more.
    #[must_use]
    pub fn of_the_dead(mut self) -> Self {
        self.in_flight = 0;
        self.closed = self.accepted;
        self
    }
}

fn place(method: &Method) -> usize {
    METHODS
        .iter()
        .position(|name| *name == method.as_str())
        .unwrap_or(METHODS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_once_in_its_place() {
        let counters = Counters::default();
        counters.began();
        assert_eq!(counters.snapshot().in_flight, 1);
        counters.answered(
            &Method::GET,
            StatusCode::NOT_FOUND,
            Duration::from_millis(1),
        );
        let snapshot = counters.snapshot();
        assert_eq!(
            (
                snapshot.requests[0][3],
                snapshot.answered(),
                snapshot.in_flight
            ),
            (1, 1, 0)
        );
        assert_eq!((snapshot.durations[0], snapshot.microseconds), (1, 1000));
    }

    #[test]
    fn invented_methods_share_one_label() {
        let counters = Counters::default();
        counters.began();
        let method = Method::from_bytes(b"BREW").unwrap();
        counters.answered(&method, StatusCode::OK, Duration::from_secs(11));
        let snapshot = counters.snapshot();
        assert_eq!(
            (snapshot.requests[7][1], snapshot.durations[BOUNDS.len()]),
            (1, 1)
        );
    }

    #[test]
    fn the_dead_hold_nothing_and_keep_their_totals() {
        let counters = Counters::default();
        counters.accepted();
        counters.began();
        let rest = counters.snapshot().of_the_dead();
        assert_eq!(
            (rest.connections(), rest.in_flight, rest.accepted),
            (0, 0, 1)
        );
    }
}
