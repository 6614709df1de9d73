//! One API's listening socket, and the connections that wait for a worker.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::Socket;

/// A connection and who made it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) peer: SocketAddr,
}

#[derive(Debug)]
struct Listener {
    socket: Socket,
    /// Whether the poll tells of new connections.
    watched: bool,
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    listener: Option<Listener>,
    /// Accepted, or taken back from a dead worker, and not given to anybody.
    pub(super) waiting: VecDeque<Connection>,
    /// New connections are closed at once.
    pub(super) failing: bool,
    /// The system was out of something: no accepting for a moment.
    pub(super) resting: bool,
    /// The last look found the backlog empty.
    pub(super) empty: bool,
}

impl Gate {
    pub(super) fn open(&mut self, listener: Socket) {
        self.listener = Some(Listener {
            socket: listener,
            watched: false,
        });
    }

    pub(super) fn close(&mut self) {
        self.listener = None;
    }

    pub(super) fn closed(&self) -> bool {
        self.listener.is_none() && self.waiting.is_empty()
    }

    pub(super) fn take_back(&mut self, connections: impl DoubleEndedIterator<Item = Connection>) {
        for connection in connections.rev() {
            self.waiting.push_front(connection);
        }
    }

    /// Accepts one connection; false when there is none, or none can be had now.
    pub(super) fn accept(&mut self) -> bool {
        let Some(listener) = &self.listener else {
            self.empty = true;
            return false;
        };
        match acceptfrom_with(
            &listener.socket,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        ) {
            Ok((socket, peer)) => {
                let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
                let peer = peer.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)));
                self.empty = false;
                self.waiting.push_back(Connection { socket, peer });
                true
            }
            Err(Errno::AGAIN) => {
                self.empty = true;
                false
            }
            // The client gave up while it waited.
            Err(Errno::CONNABORTED | Errno::INTR) => true,
            Err(error) => {
                tracing::error!("cannot accept a connection: {error}");
                self.resting = true;
                false
            }
        }
    }

    /// Registers or withdraws interest in new connections.
    pub(super) fn watch(&mut self, poll: &OwnedFd, key: u64, wanted: bool) {
        let wanted = wanted && !self.resting;
        let Some(listener) = &mut self.listener else {
            return;
        };
        if wanted == listener.watched {
            return;
        }
        let changed = if wanted {
            let key = epoll::EventData::new_u64(key);
            epoll::add(poll, &listener.socket, key, epoll::EventFlags::IN)
        } else {
            epoll::delete(poll, &listener.socket)
        };
        match changed {
            Ok(()) => listener.watched = wanted,
            Err(error) => tracing::error!("cannot watch a listening socket: {error}"),
        }
    }
}
