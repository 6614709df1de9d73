//! The accepting thread: takes connections and hands each to the least loaded worker.
//!
//! A connection belongs to the supervisor until the worker acknowledges it, which it does before its first read: a
//! worker that dies earlier has read nothing, and the connection goes to another one.

mod gate;
mod handed;
mod roster;
mod thread;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use rustix::event::{EventfdFlags, eventfd};
use socket2::Socket;
use tokio::sync::mpsc::UnboundedSender;

use crate::channel::Channel;
use crate::supervisor::event::Event;
use thread::Accept;

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
        let mut accept = Accept::new(most, Arc::clone(&wake), inbox, events)?;
        std::thread::Builder::new()
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
