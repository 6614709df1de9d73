//! A client's HTTP/2 socket, which notes what happens on it, ends in a flood, and gives way to others.
//!
//! h2 takes all it can read, and hyper a task for each request of it, before the first one is answered. Here it gets a
//! few at a time: what a client sends at once neither lies about at once nor keeps everybody else waiting.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::poll_proceed;

use super::activity::Activity;
use crate::http2::Frames;

/// The most requests taken in a turn.
const REQUESTS: u32 = 8;
/// What a request takes of a turn, of which tokio gives a task 128 parts.
const PARTS: u32 = 128 / REQUESTS;

pub struct Timed<S> {
    stream: S,
    activity: Arc<Activity>,
    frames: Frames,
    /// Read already, and not passed on.
    begun: Vec<u8>,
}

impl<S> Timed<S> {
    /// A socket of which `begun` has been read already.
    pub fn new(stream: S, activity: Arc<Activity>, begun: Vec<u8>) -> Self {
        Self {
            stream,
            activity,
            frames: Frames::new(),
            begun,
        }
    }

    /// How many of the bytes may pass in this turn, which is over when some may not.
    fn follow(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let now = self.activity.now();
        let followed = self.frames.advance(bytes, now, REQUESTS);
        self.activity.head(self.frames.in_head());
        let followed = followed.map_err(|flood| {
            self.activity.flood(flood);
            io::Error::other(flood.why())
        })?;
        for _ in 0..followed.heads * PARTS {
            let Poll::Ready(part) = poll_proceed(cx) else {
                break;
            };
            part.made_progress();
        }
        Ok(followed.bytes)
    }

    fn note<T>(&self, written: &Poll<io::Result<T>>) {
        self.activity.written(written.is_pending());
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let timed = &mut *self;
        // Whether the turn is over.
        drop(ready!(poll_proceed(cx)));
        let before = buffer.filled().len();
        if timed.begun.is_empty() {
            let Poll::Ready(read) = Pin::new(&mut timed.stream).poll_read(cx, buffer) else {
                timed.activity.read_waits();
                return Poll::Pending;
            };
            read?;
            let new = buffer.filled().len() - before;
            if new == 0 {
                return Poll::Ready(Ok(()));
            }
            timed.activity.read(new);
        } else {
            let given = timed.begun.len().min(buffer.remaining());
            buffer.put_slice(&timed.begun[..given]);
            timed.begun.drain(..given);
        }
        let passed = before + timed.follow(cx, &buffer.filled()[before..])?;
        timed
            .begun
            .splice(..0, buffer.filled()[passed..].iter().copied());
        buffer.set_filled(passed);
        if timed.begun.is_empty() {
            timed.begun = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    /// Reads what there is in a turn.
    async fn turn(timed: &mut Timed<&[u8]>) -> usize {
        let mut total = 0;
        poll_fn(|cx| {
            loop {
                let mut space = [0; 4096];
                let mut buffer = ReadBuf::new(&mut space);
                let Poll::Ready(read) = Pin::new(&mut *timed).poll_read(cx, &mut buffer) else {
                    return Poll::Ready(());
                };
                read.unwrap();
                if buffer.filled().is_empty() {
                    return Poll::Ready(());
                }
                total += buffer.filled().len();
            }
        })
        .await;
        total
    }

    #[tokio::test]
    async fn requests_come_a_few_in_a_turn() {
        const REQUEST: &[u8] = &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82];
        let requests = REQUEST.repeat(20);
        let activity = Arc::new(Activity::new());
        let (begun, rest) = requests.split_at(3);
        let mut timed = Timed::new(rest, activity, [PREFACE, begun].concat());
        let mut read = Vec::new();
        for _ in 0..4 {
            read.push(turn(&mut timed).await);
            tokio::task::yield_now().await;
        }
        let few = REQUEST.len() * REQUESTS as usize;
        assert_eq!(read, [PREFACE.len() + few, few, REQUEST.len() * 4, 0]);
    }
}
