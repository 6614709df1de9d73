//! One API's listening socket, and the connections that wait for a worker.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{SockFilter, Socket};

/// How long a client whose first packet was answered may take to complete its connection: a long way and back.
const HALF_OPEN: Duration = Duration::from_millis(200);

/// A connection and who made it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: OwnedFd,
    pub(super) peer: SocketAddr,
}

/// Drops a segment whose only flag of SYN and ACK is SYN, and lets all others through (Linux: `bpf_common.h`).
const NO_FIRST_PACKETS: [SockFilter; 5] = [
    SockFilter::new(LOAD_BYTE, 0, 0, 13),
    SockFilter::new(AND, 0, 0, 0x12),
    SockFilter::new(JUMP_IF_EQUAL, 0, 1, 0x02),
    SockFilter::new(RETURN, 0, 0, 0),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
];
const LOAD_BYTE: u16 = 0x30;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

#[derive(Debug)]
struct Listener {
    socket: Socket,
    /// Whether the poll tells of new connections.
    watched: bool,
    /// Since when the kernel begins no connection any more.
    shut: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Gate {
    /// Accepted, or taken back from a dead worker, and not given to anybody.
    pub(super) waiting: VecDeque<Connection>,
    /// New connections are closed at once.
    pub(super) failing: bool,
    /// The system was out of something: no accepting for a moment.
    pub(super) resting: bool,
    /// The last look found the backlog empty.
    pub(super) empty: bool,
    /// The most connections one worker holds (`maxConnectionsPerWorker`).
    pub(super) most: u64,
    listener: Option<Listener>,
}

impl Gate {
    pub(super) fn new(most: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            failing: false,
            resting: false,
            empty: false,
            most,
            listener: None,
        }
    }

    pub(super) fn open(&mut self, listener: Socket) {
        self.listener = Some(Listener {
            socket: listener,
            watched: false,
            shut: None,
        });
    }

    /// Has the kernel begin no further connection: whoever completed one between our last look and the closing of the
    /// socket would be cut off. A client that comes now is not answered; it asks again, and the closed socket refuses it.
    pub(super) fn shut(&mut self) {
        if let Some(listener) = &mut self.listener
            && listener.shut.is_none()
        {
            listener.shut = Some(Instant::now());
            if let Err(error) = listener.socket.attach_filter(&NO_FIRST_PACKETS) {
                tracing::debug!("cannot filter a listening socket: {error}");
            }
        }
    }

    /// Closes the socket once it is shut and nothing can be in it any more.
    pub(super) fn close_if_empty(&mut self) {
        let shut = self.listener.as_ref().and_then(|listener| listener.shut);
        if self.empty && shut.is_some_and(|shut| shut.elapsed() >= HALF_OPEN) {
            self.listener = None;
        }
    }

    /// Linux takes another `listen` on a listening socket for a change of its backlog.
    pub(super) fn set_backlog(&self, backlog: u32) {
        if let Some(listener) = &self.listener
            && let Err(error) = listener.socket.listen(backlog.cast_signed())
        {
            tracing::error!("cannot change the backlog: {error}");
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen;
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, TcpStream};

    #[test]
    fn a_shut_gate_lets_out_who_was_in_and_nobody_else_in() {
        let socket = listen::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        socket.listen(8).unwrap();
        let address = listen::local_address(&socket).unwrap();
        let mut gate = Gate::new(1000);
        gate.open(socket);
        let _early = TcpStream::connect(address).unwrap();
        gate.shut();
        let late = TcpStream::connect_timeout(&address, HALF_OPEN / 2).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);

        assert!(gate.accept());
        assert!(gate.waiting.pop_front().is_some());
        assert!(!gate.accept());
        kilonova_probe::wait_for("the gate to close", || {
            gate.close_if_empty();
            gate.closed().then_some(())
        });
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}
