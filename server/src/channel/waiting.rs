//! A channel whose end can be waited for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;

use tokio::io::Interest;
use tokio::net::UnixStream;

use super::{Channel, Received, receive, send};

/// A channel in the care of a tokio runtime. To the runtime a packet socket is a socket like any other: it says when
/// there is something to read, and how to read it stays with us.
#[derive(Debug)]
pub struct Waiting(UnixStream);

impl Waiting {
    /// Gives a channel to the runtime of this thread.
    pub fn new(channel: Channel) -> io::Result<Self> {
        let stream = UnixStream::from_std(StdStream::from(OwnedFd::from(channel)))?;
        Ok(Self(stream))
    }

    /// The next message, as [`Channel::receive`] gives it. Nothing is lost when the future is dropped.
    pub async fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        self.0
            .async_io(Interest::READABLE, || receive(self.0.as_fd(), buffer))
            .await
    }

    /// The next message if there is one now; `WouldBlock` otherwise.
    pub fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        self.0
            .try_io(Interest::READABLE, || receive(self.0.as_fd(), buffer))
    }

    /// Sends a message as soon as there is room for it.
    pub async fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0
            .async_io(Interest::WRITABLE, || send(self.0.as_fd(), message, &[]))
            .await
    }

    /// Sends a message if there is room for it now; `WouldBlock` otherwise.
    pub fn try_send(&self, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        send(self.0.as_fd(), message, descriptors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_wait_for_each_other() {
        let (one, other) = Channel::pair().unwrap();
        let (one, other) = (Waiting::new(one).unwrap(), Waiting::new(other).unwrap());
        let mut buffer = [0; 16];
        let error = other.try_receive(&mut buffer).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let (sent, received) = tokio::join!(one.send(b"hello"), other.receive(&mut buffer));
        sent.unwrap();
        assert_eq!(received.unwrap().unwrap().length, 5);
        drop(one);
        assert!(other.receive(&mut buffer).await.unwrap().is_none());
    }
}
