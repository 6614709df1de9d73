//! The workers that connections are handed to, and when what they report is read.
//!
//! A report wakes the thread only while a connection waits for a worker. Otherwise it is read when something else did, or
//! a little later: to be woken for each would cost more than the connection.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll;

use super::WorkerId;
use super::gate::Connection;
use super::handed::{self, Handed};

/// Keys of workers in the poll begin here.
pub(super) const WORKERS: u64 = 1 << 32;
/// After so long an acknowledgement nobody waits for is read: until then the connection has two owners.
const ACKNOWLEDGED: Duration = Duration::from_millis(10);
/// After so long all other reports are.
const REPORTED: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Roster {
    workers: BTreeMap<WorkerId, Handed>,
    /// Whether a report wakes the thread.
    attentive: bool,
}

impl Roster {
    pub(super) fn add(&mut self, poll: &OwnedFd, worker: WorkerId, handed: Handed) {
        let (key, flags) = self.interest(worker, &handed);
        match epoll::add(poll, &handed.channel, key, flags) {
            Ok(()) => {
                self.workers.insert(worker, handed);
            }
            Err(error) => tracing::error!("cannot watch worker {worker}: {error}"),
        }
    }

    /// Forgets a worker; returns it as its last reports left it.
    pub(super) fn remove(&mut self, poll: &OwnedFd, worker: WorkerId) -> Option<Handed> {
        let mut handed = self.workers.remove(&worker)?;
        handed.read_reports();
        let _ = epoll::delete(poll, &handed.channel);
        Some(handed)
    }

    pub(super) fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut Handed)) {
        if let Some(handed) = self.workers.get_mut(&worker) {
            change(handed);
        }
    }

    /// Reads what all workers reported; returns those that are gone.
    pub(super) fn read_reports(&mut self, poll: &OwnedFd) -> Vec<WorkerId> {
        let (mut gone, mut free) = (Vec::new(), Vec::new());
        for (worker, handed) in &mut self.workers {
            let full = handed.load.full;
            if !handed.read_reports() {
                gone.push(*worker);
            } else if full {
                free.push(*worker);
            }
        }
        for worker in free {
            self.watch(poll, worker);
        }
        gone
    }

    /// The worker that gets the next connection of an API; `None` when all have as many as they may.
    pub(super) fn choose(&self, api: usize, most: u64) -> Option<WorkerId> {
        handed::choose(&self.workers, api, most)
    }

    /// Hands a connection over; gives it back when the worker takes nothing now.
    pub(super) fn give(
        &mut self,
        poll: &OwnedFd,
        worker: WorkerId,
        connection: Connection,
        turn: u64,
    ) -> Result<(), Connection> {
        let Some(handed) = self.workers.get_mut(&worker) else {
            return Err(connection);
        };
        let given = handed.give(connection, turn);
        if given.is_err() {
            self.watch(poll, worker);
        }
        given
    }

    /// The workers of an API that have as many connections as they may.
    pub(super) fn saturated(&self, api: usize, most: u64) -> impl Iterator<Item = &Handed> {
        let all = self.workers.values();
        all.filter(move |handed| handed.api == api && handed.load.saturated(most))
    }

    /// Whether the workers have taken charge of all they were given.
    pub(super) fn nothing_pending(&self) -> bool {
        self.workers.values().all(Handed::nothing_pending)
    }

    /// Has reports wake the thread, or not.
    pub(super) fn attend(&mut self, poll: &OwnedFd, attentive: bool) {
        if attentive != self.attentive {
            self.attentive = attentive;
            for worker in self.workers.keys() {
                self.watch(poll, *worker);
            }
        }
    }

    /// When reports are to be read although nothing wakes the thread for them.
    pub(super) fn due(&self) -> Option<Duration> {
        let open = |handed: &Handed| handed.load.connections() > 0;
        if self.attentive {
            None
        } else if !self.nothing_pending() {
            Some(ACKNOWLEDGED)
        } else {
            self.workers.values().any(open).then_some(REPORTED)
        }
    }

    fn watch(&self, poll: &OwnedFd, worker: WorkerId) {
        if let Some(handed) = self.workers.get(&worker) {
            let (key, flags) = self.interest(worker, handed);
            let _ = epoll::modify(poll, &handed.channel, key, flags);
        }
    }

    /// What is waited for on a worker's channel: always its end.
    fn interest(&self, worker: WorkerId, handed: &Handed) -> (epoll::EventData, epoll::EventFlags) {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, self.attentive);
        flags.set(epoll::EventFlags::OUT, handed.load.full);
        let key = epoll::EventData::new_u64(WORKERS | u64::from(worker));
        (key, flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Channel;
    use crate::channel::handover::Report;
    use rstest::rstest;

    #[rstest]
    #[case::nobody_connected(0, 0, 0, false, None)]
    #[case::not_acknowledged(1, 0, 0, false, Some(ACKNOWLEDGED))]
    #[case::open(1, 1, 0, false, Some(REPORTED))]
    #[case::closed(1, 1, 1, false, None)]
    #[case::waited_for(1, 0, 0, true, None)]
    fn reports_are_read_in_time(
        #[case] given: u64,
        #[case] acknowledged: u64,
        #[case] closed: u64,
        #[case] attentive: bool,
        #[case] due: Option<Duration>,
    ) {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let (ours, theirs) = Channel::pair().unwrap();
        let mut roster = Roster::default();
        roster.add(&poll, 7, Handed::new(0, ours));
        for _ in 0..given {
            let (socket, _) = Channel::pair().unwrap();
            let connection = Connection {
                socket: socket.into(),
                peer: ([127, 0, 0, 1], 1).into(),
            };
            roster.give(&poll, 7, connection, 1).unwrap();
        }
        let report = Report {
            acknowledged,
            closed,
            in_flight: 0,
        };
        theirs.send(&report.encode(), &[]).unwrap();
        assert!(roster.read_reports(&poll).is_empty());
        roster.attend(&poll, attentive);
        assert_eq!(roster.due(), due);
        drop(theirs);
        assert_eq!(roster.read_reports(&poll), [7], "its end is seen");
    }
}
