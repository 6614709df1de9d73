//! A socket pair between the supervisor and a worker: whole messages, with file descriptors.

pub mod handover;
pub mod sealed;
pub mod waiting;

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

/// The longest message either side may send.
pub const MESSAGE_SIZE: usize = 64 * 1024;
/// The most descriptors that travel with one message.
const DESCRIPTORS: usize = 2;

/// One end of the pair. Neither sending nor receiving ever waits: both say `WouldBlock` instead.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// A message as it came.
#[derive(Debug)]
pub struct Received {
    /// Length of the message in the buffer.
    pub length: usize,
    /// The descriptors that came with it, closed on exec.
    pub descriptors: Vec<OwnedFd>,
}

impl Channel {
    /// Two connected ends, neither of which outlives an exec.
    pub fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    /// Sends one message, whole or not at all.
    pub fn send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(self.0.as_fd(), message, descriptors)
    }

    /// Takes the next message; `None` once the other end is gone and everything it sent has been read.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        receive(self.0.as_fd(), buffer)
    }
}

fn send(socket: BorrowedFd<'_>, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors in one message"));
    }
    sendmsg(
        socket,
        &[IoSlice::new(message)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Received>> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(buffer)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        );
        let message = match received {
            Ok(message) => message,
            // The other end died with unread messages. The kernel says so once, before what it had sent itself.
            Err(Errno::CONNRESET | Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        if message.bytes == 0 {
            return Ok(None);
        }
        if message
            .flags
            .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "message cut off",
            ));
        }
        let descriptors = ancillary
            .drain()
            .filter_map(|part| match part {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        return Ok(Some(Received {
            length: message.bytes,
            descriptors,
        }));
    }
}

impl From<OwnedFd> for Channel {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.0
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, Write};

    #[test]
    fn messages_keep_their_bounds_and_descriptors() {
        let (one, other) = Channel::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"inside").unwrap();
        one.send(b"first", &[file.as_fd()]).unwrap();
        one.send(b"second", &[]).unwrap();

        let mut buffer = [0; 64];
        let first = other.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..first.length], b"first");
        let mut passed = File::from(first.descriptors.into_iter().next().unwrap());
        let mut text = String::new();
        passed.rewind().unwrap();
        passed.read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        let second = other.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(
            (&buffer[..second.length], second.descriptors.len()),
            (&b"second"[..], 0)
        );
        assert_eq!(
            other.receive(&mut buffer).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }

    #[test]
    fn what_was_sent_before_death_is_still_read() {
        let (one, other) = Channel::pair().unwrap();
        other.send(b"never read", &[]).unwrap();
        one.send(b"last words", &[]).unwrap();
        drop(one);
        let mut buffer = [0; 64];
        let last = other.receive(&mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[..last.length], b"last words");
        assert!(other.receive(&mut buffer).unwrap().is_none());
    }
}
