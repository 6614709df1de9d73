//! The accepting thread: takes connections and hands each to the least loaded worker.
//!
//! A connection belongs to the supervisor until the worker acknowledges it, which it does before its first read: a
//! worker that dies earlier has read nothing, and the connection goes to another one.

mod gate;
mod handed;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, epoll, eventfd};
use socket2::Socket;
use tokio::sync::mpsc::UnboundedSender;

use crate::channel::Channel;
use crate::supervisor::event::Event;
use gate::Gate;
use handed::Handed;

/// Names a worker for as long as the supervisor lives.
pub type WorkerId = u32;

/// Told to the thread.
#[derive(Debug)]
pub enum Command {
    /// An API's socket listens now: accept from it.
    Listen {
        /// Which API.
        api: usize,
        /// Its listening socket.
        listener: Socket,
    },
    /// So many connections may wait from now on (`backlog`).
    Backlog(usize, u32),
    /// A worker is ready for connections.
    Worker {
        /// Which API it serves.
        api: usize,
        /// Which worker.
        worker: WorkerId,
        /// The supervisor's end of its channel for connections.
        channel: Channel,
    },
    /// A worker is to finish what it has.
    Retire(WorkerId),
    /// A worker has gone quiet, or is heard again.
    Silent(WorkerId, bool),
    /// A worker has died.
    Gone(WorkerId),
    /// The most connections that a worker of an API holds from now on.
    Most(usize, u64),
    /// An API's workers do not stay alive: close its new connections at once. Or they do again.
    Failing(usize, bool),
    /// Hand over what is still in the backlogs, then close the listening sockets.
    Close,
}

/// The way to speak to the thread.
#[derive(Debug)]
pub struct Accepting {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
}

impl Accepting {
    /// Starts the thread for so many APIs as there are limits of connections for each worker.
    pub fn start(most: &[u64], events: UnboundedSender<Event>) -> io::Result<Self> {
        let (commands, inbox) = channel();
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(
            &poll,
            &wake,
            epoll::EventData::new_u64(WAKE),
            epoll::EventFlags::IN,
        )?;
        let mut accept = Accept {
            poll,
            wake: Arc::clone(&wake),
            inbox,
            events,
            gates: most.iter().map(|most| Gate::new(*most)).collect(),
            workers: BTreeMap::new(),
            attentive: false,
            closing: false,
            turn: 0,
        };
        thread::Builder::new()
            .name("accept".to_owned())
            .spawn(move || accept.run())?;
        Ok(Self { commands, wake })
    }

    /// Tells the thread something.
    pub fn tell(&self, command: Command) {
        // The thread ends only with the process; a full event counter already wakes it.
        let _ = self.commands.send(command);
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

const WAKE: u64 = 0;
const WORKERS: u64 = 1 << 32;

/// How long a gate rests after the system refused a connection for want of memory or descriptors.
const REST: Duration = Duration::from_millis(100);
/// After so long an acknowledgement nobody waits for is read: until then the connection has two owners.
const ACKNOWLEDGED: Duration = Duration::from_millis(10);
/// After so long all other reports are.
const REPORTED: Duration = Duration::from_millis(250);

struct Accept {
    poll: OwnedFd,
    wake: Arc<OwnedFd>,
    inbox: Receiver<Command>,
    events: UnboundedSender<Event>,
    gates: Vec<Gate>,
    workers: BTreeMap<WorkerId, Handed>,
    /// Whether a report of a worker wakes the thread; otherwise it is read when something else did.
    attentive: bool,
    closing: bool,
    turn: u64,
}

impl Accept {
    fn run(&mut self) {
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
                thread::sleep(REST);
            }
            for gate in &mut self.gates {
                gate.resting = false;
            }
            // What workers report first: who has the fewest connections, and which place has become free, must be seen
            // before somebody is chosen, or asked to make room.
            self.read_reports();
            for key in ready.iter().map(|event| event.data.u64()) {
                match key {
                    WAKE => self.read_wake(),
                    key if key >= WORKERS => {}
                    key => self.fill(usize::try_from(key - 1).unwrap_or(usize::MAX)),
                }
            }
            while let Ok(command) = self.inbox.try_recv() {
                self.obey(command);
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
                let handed = Handed::new(api, channel);
                let (key, flags) = interest(worker, &handed, self.attentive);
                match epoll::add(&self.poll, &handed.channel, key, flags) {
                    Ok(()) => {
                        self.workers.insert(worker, handed);
                    }
                    Err(error) => tracing::error!("cannot watch worker {worker}: {error}"),
                }
            }
            Command::Retire(worker) => self.change(worker, |handed| handed.load.retiring = true),
            Command::Silent(worker, silent) => {
                self.change(worker, |handed| handed.load.silent = silent);
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

    fn change(&mut self, worker: WorkerId, change: impl FnOnce(&mut Handed)) {
        if let Some(handed) = self.workers.get_mut(&worker) {
            change(handed);
        }
    }

    fn read_reports(&mut self) {
        let mut dead = Vec::new();
        for (worker, handed) in &mut self.workers {
            let full = handed.load.full;
            if !handed.read_reports() {
                dead.push(*worker);
            } else if full {
                let (key, flags) = interest(*worker, handed, self.attentive);
                let _ = epoll::modify(&self.poll, &handed.channel, key, flags);
            }
        }
        for worker in dead {
            self.gone(worker);
        }
    }

    /// Takes back what a dead worker had not acknowledged.
    fn gone(&mut self, worker: WorkerId) {
        if let Some(mut handed) = self.workers.remove(&worker) {
            handed.read_reports();
            let _ = epoll::delete(&self.poll, &handed.channel);
            if let Some(gate) = self.gates.get_mut(handed.api) {
                gate.take_back(handed.unacknowledged());
            }
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
        if self.gates[api].failing {
            self.gates[api].waiting.clear();
        }
        while let Some(connection) = self.gates[api].waiting.pop_front() {
            let Some(worker) = handed::choose(&self.workers, api, self.most(api)) else {
                self.gates[api].waiting.push_front(connection);
                return;
            };
            let Some(handed) = self.workers.get_mut(&worker) else {
                return;
            };
            match handed.give(connection, self.turn + 1) {
                Ok(()) => self.turn += 1,
                Err(connection) => {
                    self.gates[api].waiting.push_front(connection);
                    let (key, flags) = interest(worker, handed, self.attentive);
                    let _ = epoll::modify(&self.poll, &handed.channel, key, flags);
                }
            }
        }
    }

    fn wanted(&self, api: usize) -> bool {
        let gate = &self.gates[api];
        gate.failing
            || (gate.waiting.is_empty()
                && handed::choose(&self.workers, api, self.most(api)).is_some())
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
        let full: Vec<_> = self.saturated(api).collect();
        if let Some(turn) = self.turn.checked_rem(full.len() as u64) {
            full[usize::try_from(turn).unwrap_or_default()].shed();
            self.turn += 1;
            self.gates[api].resting = true;
        }
    }

    fn saturated(&self, api: usize) -> impl Iterator<Item = &Handed> {
        let most = self.most(api);
        let of_api = self
            .workers
            .values()
            .filter(move |handed| handed.api == api);
        of_api.filter(move |handed| handed.load.saturated(most))
    }

    /// Listens only where a connection could be handed over, or room be made for it: the backlog holds the others. As long
    /// as some wait for a worker, what the workers report is waited for too.
    fn set_interest(&mut self) {
        let mut attentive = self.closing;
        for api in 0..self.gates.len() {
            let full = self.gates[api].waiting.is_empty() && self.saturated(api).next().is_some();
            let wanted = self.wanted(api);
            attentive |= !wanted;
            self.gates[api].watch(&self.poll, api as u64 + 1, wanted || full);
        }
        if attentive != self.attentive {
            self.attentive = attentive;
            for (worker, handed) in &self.workers {
                let (key, flags) = interest(*worker, handed, attentive);
                let _ = epoll::modify(&self.poll, &handed.channel, key, flags);
            }
        }
    }

    /// When to look again although nothing happened.
    fn timeout(&self) -> Option<Duration> {
        let workers = || self.workers.values();
        if self.closing || self.gates.iter().any(|gate| gate.resting) {
            Some(REST)
        } else if self.attentive {
            None
        } else if !workers().all(Handed::nothing_pending) {
            Some(ACKNOWLEDGED)
        } else if workers().any(|handed| handed.load.connections() > 0) {
            Some(REPORTED)
        } else {
            None
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
        let taken = self.workers.values().all(Handed::nothing_pending);
        if taken && self.gates.iter().all(Gate::closed) {
            self.closing = false;
            let _ = self.events.send(Event::Drained);
        }
    }
}

/// What is waited for on a worker's channel: always its end.
fn interest(
    worker: WorkerId,
    handed: &Handed,
    attentive: bool,
) -> (epoll::EventData, epoll::EventFlags) {
    let mut flags = epoll::EventFlags::empty();
    flags.set(epoll::EventFlags::IN, attentive);
    flags.set(epoll::EventFlags::OUT, handed.load.full);
    (
        epoll::EventData::new_u64(WORKERS | u64::from(worker)),
        flags,
    )
}
