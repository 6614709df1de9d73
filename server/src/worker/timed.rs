//! A client's HTTP/2 socket, which notes what happens on it and ends in a flood.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use crate::http2::Frames;

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

    fn follow(&mut self, bytes: &[u8]) -> io::Result<()> {
        let followed = self.frames.advance(bytes, self.activity.now());
        self.activity.head(self.frames.in_head());
        followed.map_err(|flood| {
            self.activity.flood(flood);
            io::Error::other(flood.why())
        })
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
        let before = buffer.filled().len();
        if self.begun.is_empty() {
            let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) else {
                self.activity.read_waits();
                return Poll::Pending;
            };
            read?;
        } else {
            let given = self.begun.len().min(buffer.remaining());
            buffer.put_slice(&self.begun[..given]);
            self.begun.drain(..given);
        }
        let new = &buffer.filled()[before..];
        if !new.is_empty() {
            self.activity.read(new.len());
            self.follow(new)?;
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
