//! The thread itself: what it waits for, in which order it does what, and how it ends.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use rustix::event::epoll;
use tokio::sync::mpsc::UnboundedSender;

use super::gate::Gate;
use super::handed::Handed;
use super::roster::{Roster, WORKERS};
use super::{Command, WorkerId};
use crate::supervisor::event::Event;

const WAKE: u64 = 0;

/// How long a gate rests after the system refused a connection for want of memory or descriptors.
const REST: Duration = Duration::from_millis(100);
pub(super) struct Accept {
    poll: OwnedFd,
    wake: Arc<OwnedFd>,
    inbox: Receiver<Command>,
    events: UnboundedSender<Event>,
    gates: Vec<Gate>,
    roster: Roster,
    closing: bool,
    turn: u64,
}

impl Accept {
    /// For so many APIs as there are limits of connections for each worker.
    pub(super) fn new(
        most: &[u64],
        wake: Arc<OwnedFd>,
        inbox: Receiver<Command>,
        events: UnboundedSender<Event>,
    ) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &poll,
            &wake,
            epoll::EventData::new_u64(WAKE),
            epoll::EventFlags::IN,
        )?;
        Ok(Self {
            poll,
            wake,
            inbox,
            events,
            gates: most.iter().map(|most| Gate::new(*most)).collect(),
            roster: Roster::default(),
            closing: false,
            turn: 0,
        })
    }

    pub(super) fn run(&mut self) {
        let mut ready = Vec::with_capacity(64);
        loop {
            self.set_interest();
            let timeout = self.timeout().map(|timeout| rustix::time::Timespec {
                tv_sec: 0,
                tv_nsec: timeout.subsec_nanos().into(),
            });
            ready.clear();
            let waited = epoll::wait(
                &self.poll,
                rustix::buffer::spare_capacity(&mut ready),
                timeout.as_ref(),
            );
            if let Err(error) = waited
                && error != rustix::io::Errno::INTR
            {
                tracing::error!("cannot wait for connections: {error}");
                std::thread::sleep(REST);
            }
            for gate in &mut self.gates {
                gate.resting = false;
            }
            // In this order: the counter before the commands it stands for; what workers report before somebody is chosen,
            // or asked to make room.
            let keys = || ready.iter().map(|event| event.data.u64());
            if keys().any(|key| key == WAKE) {
                self.read_wake();
            }
            self.obey_all();
            for worker in self.roster.read_reports(&self.poll) {
                self.gone(worker);
            }
            for key in keys().filter(|key| (WAKE + 1..WORKERS).contains(key)) {
                self.fill(usize::try_from(key - 1).unwrap_or(usize::MAX));
            }
            for api in 0..self.gates.len() {
                self.dispatch(api);
            }
            self.close_when_drained();
        }
    }

    fn read_wake(&self) {
        let mut counter = [0; 8];
        let _ = rustix::io::read(&*self.wake, &mut counter);
    }

    fn obey_all(&mut self) {
        while let Ok(command) = self.inbox.try_recv() {
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen { api, listener } => {
                if let Some(gate) = self.gates.get_mut(api) {
                    gate.open(listener);
                }
            }
            Command::Backlog(api, backlog) => {
                if let Some(gate) = self.gates.get(api) {
                    gate.set_backlog(backlog);
                }
            }
            Command::Worker {
                api,
                worker,
                channel,
            } => {
                self.roster
                    .add(&self.poll, worker, Handed::new(api, channel));
            }
            Command::Retire(worker) => {
                self.roster
                    .change(worker, |handed| handed.load.retiring = true);
            }
            Command::Silent(worker, silent) => {
                self.roster
                    .change(worker, |handed| handed.load.silent = silent);
            }
            Command::Gone(worker) => self.gone(worker),
            Command::Most(api, most) => {
                if let Some(gate) = self.gates.get_mut(api) {
                    gate.most = most;
                }
            }
            Command::Failing(api, failing) => {
                if let Some(gate) = self.gates.get_mut(api) {
                    gate.failing = failing;
                }
            }
            Command::Close => self.closing = true,
        }
    }

    /// Takes back what a dead worker had not acknowledged.
    fn gone(&mut self, worker: WorkerId) {
        if let Some(handed) = self.roster.remove(&self.poll, worker)
            && let Some(gate) = self.gates.get_mut(handed.api)
        {
            gate.take_back(handed.unacknowledged());
        }
    }

    /// Accepts while somebody can be given a connection.
    fn fill(&mut self, api: usize) {
        let mut accepted = false;
        while self
            .gates
            .get(api)
            .is_some_and(|gate| gate.waiting.is_empty())
        {
            if !self.wanted(api) {
                // After one was accepted nobody knows whether another waits; the next look tells.
                if !accepted {
                    self.make_room(api);
                }
                return;
            }
            if !self.gates[api].accept() {
                return;
            }
            accepted = true;
            self.dispatch(api);
        }
    }

    /// Hands waiting connections over.
    fn dispatch(&mut self, api: usize) {
        if self.gates[api].failing && !self.gates[api].waiting.is_empty() {
            // Who connects once the API is said to serve again must find it so: that may have been said just now.
            self.obey_all();
            if self.gates[api].failing {
                self.gates[api].waiting.clear();
            }
        }
        while let Some(connection) = self.gates[api].waiting.pop_front() {
            let Some(worker) = self.roster.choose(api, self.most(api)) else {
                self.gates[api].waiting.push_front(connection);
                return;
            };
            match self
                .roster
                .give(&self.poll, worker, connection, self.turn + 1)
            {
                Ok(()) => self.turn += 1,
                Err(connection) => self.gates[api].waiting.push_front(connection),
            }
        }
    }

    fn wanted(&self, api: usize) -> bool {
        let gate = &self.gates[api];
        gate.failing
            || (gate.waiting.is_empty() && self.roster.choose(api, self.most(api)).is_some())
    }

    /// The last of the backlog is served whatever there is already: it is the workers' end, not their day.
    fn most(&self, api: usize) -> u64 {
        if self.closing {
            u64::MAX
        } else {
            self.gates[api].most
        }
    }

    /// Somebody waits and all are full: each time another worker closes what it can do without. Until one has, nobody
    /// is accepted.
    fn make_room(&mut self, api: usize) {
        let full: Vec<_> = self.roster.saturated(api, self.most(api)).collect();
        if let Some(turn) = self.turn.checked_rem(full.len() as u64) {
            full[usize::try_from(turn).unwrap_or_default()].shed();
            self.turn += 1;
            self.gates[api].resting = true;
        }
    }

    /// Listens only where a connection could be handed over, or room be made for it: the backlog holds the others. As long
    /// as some wait for a worker, what the workers report is waited for too.
    fn set_interest(&mut self) {
        let mut attentive = self.closing;
        for api in 0..self.gates.len() {
            let full = self.gates[api].waiting.is_empty()
                && self.roster.saturated(api, self.most(api)).next().is_some();
            let wanted = self.wanted(api);
            attentive |= !wanted;
            self.gates[api].watch(&self.poll, api as u64 + 1, wanted || full);
        }
        self.roster.attend(&self.poll, attentive);
    }

    /// When to look again although nothing happened.
    fn timeout(&self) -> Option<Duration> {
        let resting = self.closing || self.gates.iter().any(|gate| gate.resting);
        if resting {
            Some(REST)
        } else {
            self.roster.due()
        }
    }

    fn close_when_drained(&mut self) {
        if !self.closing {
            return;
        }
        for api in 0..self.gates.len() {
            self.gates[api].shut();
            // What an earlier look found says nothing about the backlog of now.
            self.gates[api].empty = false;
            self.fill(api);
            self.gates[api].close_if_empty();
        }
        // A worker that is told to finish must not leave with a connection it has not looked at yet.
        let taken = self.roster.nothing_pending();
        if taken && self.gates.iter().all(Gate::closed) {
            self.closing = false;
            let _ = self.events.send(Event::Drained);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gate::Connection;
    use super::*;
    use rstest::rstest;
    use rustix::event::{EventfdFlags, eventfd};
    use std::net::SocketAddr;
    use std::sync::mpsc::channel;

    #[rstest]
    #[case::still(true, 0)]
    #[case::not_any_more(false, 1)]
    fn a_connection_is_not_closed_for_what_is_over(#[case] failing: bool, #[case] left: usize) {
        let wake = || eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let (commands, inbox) = channel();
        let (events, _events) = tokio::sync::mpsc::unbounded_channel();
        let mut accept = Accept::new(&[10], Arc::new(wake()), inbox, events).unwrap();
        accept.gates[0].failing = true;
        accept.gates[0].waiting.push_back(Connection {
            socket: wake(),
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        });
        commands.send(Command::Failing(0, failing)).unwrap();
        accept.dispatch(0);
        assert_eq!(accept.gates[0].waiting.len(), left);
    }
}
