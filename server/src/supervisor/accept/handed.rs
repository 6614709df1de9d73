//! One worker's channel for connections, and what it was given and has not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd;

use super::WorkerId;
use super::gate::Connection;
use crate::channel::Channel;
use crate::channel::handover::{Handover, Report, Shed};
use crate::supervisor::balance::{self, Load};

#[derive(Debug)]
pub(super) struct Handed {
    pub(super) api: usize,
    pub(super) channel: Channel,
    pub(super) load: Load,
    pending: VecDeque<(u64, Connection)>,
}

/// The worker of `api` that gets the next connection.
pub(super) fn choose(
    workers: &BTreeMap<WorkerId, Handed>,
    api: usize,
    most: u64,
) -> Option<WorkerId> {
    let of_api = workers.iter().filter(|(_, handed)| handed.api == api);
    balance::choose(of_api.map(|(id, handed)| (*id, &handed.load)), most)
}

impl Handed {
    pub(super) fn new(api: usize, channel: Channel) -> Self {
        Self {
            api,
            channel,
            load: Load::default(),
            pending: VecDeque::new(),
        }
    }

    /// Sends a connection over; gives it back when the channel takes nothing now.
    pub(super) fn give(&mut self, connection: Connection, turn: u64) -> Result<(), Connection> {
        let number = self.load.given + 1;
        let message = Handover {
            number,
            peer: connection.peer,
        };
        let sent = self
            .channel
            .send(&message.encode(), &[connection.socket.as_fd()]);
        if sent.is_err() {
            // Full, or its worker is gone, which its end of the channel will tell.
            self.load.full = true;
            return Err(connection);
        }
        self.load.given = number;
        self.load.last = turn;
        self.pending.push_back((number, connection));
        Ok(())
    }

    /// Asks it to close what it can do without. A worker that cannot be asked now is asked again soon.
    pub(super) fn shed(&self) {
        let shed = Shed {
            closed: self.load.report.closed,
        };
        let _ = self.channel.send(&shed.encode(), &[]);
    }

    /// Reads what the worker reported; false once it is gone.
    pub(super) fn read_reports(&mut self) -> bool {
        let mut buffer = [0; 64];
        self.load.full = false;
        let alive = loop {
            match self.channel.receive(&mut buffer) {
                Ok(Some(received)) => {
                    if let Some(report) = Report::decode(&buffer[..received.length]) {
                        self.load.note(report);
                    }
                }
                Ok(None) => break false,
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        let acknowledged = self.load.report.acknowledged;
        while self
            .pending
            .front()
            .is_some_and(|(number, _)| *number <= acknowledged)
        {
            self.pending.pop_front();
        }
        alive
    }

    /// Whether the worker has taken charge of all it was given.
    pub(super) fn nothing_pending(&self) -> bool {
        self.pending.is_empty()
    }

    /// What nobody has taken charge of, in the order of arrival.
    pub(super) fn unacknowledged(self) -> impl DoubleEndedIterator<Item = Connection> {
        let acknowledged = self.load.report.acknowledged;
        self.pending
            .into_iter()
            .filter(move |(number, _)| *number > acknowledged)
            .map(|(_, connection)| connection)
    }
}
