//! A client's HTTP/1 socket: hyper sees whole heads that [`Framing`] lets pass, and nothing else.
//!
//! What is held back of a head that is not complete costs its own bytes and no more, however long it takes. After a
//! refused request there is no other: what came before it is answered, then it is, then the connection ends.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use crate::http1::{Framing, Limits, Rejected};

/// Bytes of one read: less than hyper's smallest buffer, which grows, and stays so, when it was filled once.
const READ: usize = 8000;
/// What is written in several parts and is no longer altogether goes in one piece: to copy it costs less than to have the
/// system gather it.
const PIECE: usize = 4096;
/// The most that is read, and thrown away, after our last words.
const LINGER_BYTES: usize = 1 << 20;

pub struct Guard<S> {
    stream: S,
    activity: Arc<Activity>,
    framing: Framing,
    /// Read, and not passed on.
    held: Vec<u8>,
    /// How many of the held bytes may pass.
    pass: usize,
    /// How many of them have.
    passed: usize,
    refused: Refused,
    /// What is still to be said before the end.
    last_words: &'static [u8],
    lingered: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    Nothing,
    Request,
    Body,
}

impl<S> Guard<S> {
    /// A socket of which `begun` has been read already.
    pub fn new(stream: S, activity: Arc<Activity>, limits: Limits, begun: Vec<u8>) -> Self {
        let mut guard = Self {
            stream,
            activity,
            framing: Framing::new(limits),
            held: begun,
            pass: 0,
            passed: 0,
            refused: Refused::Nothing,
            last_words: b"",
            lingered: 0,
        };
        if !guard.held.is_empty() {
            guard.advance_held();
        }
        guard
    }

    fn advance_held(&mut self) {
        let advance = self.framing.advance(&self.held);
        self.pass = advance.pass;
        self.judge(advance.rejected, advance.pass < self.held.len());
    }

    fn judge(&mut self, rejected: Option<Rejected>, held: bool) {
        self.activity
            .head(held && rejected.is_none() && self.framing.in_head());
        match rejected {
            None => return,
            Some(Rejected::Request(rejection)) => {
                self.refused = Refused::Request;
                self.last_words = rejection.answer();
                self.activity.refuse(rejection);
            }
            Some(Rejected::Body(rejection)) => {
                self.refused = Refused::Body;
                self.activity.body_broke();
                self.activity.refuse(rejection);
            }
        }
        self.held.truncate(self.pass);
    }

    /// Whether held bytes could pass on.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let waiting = &self.held[self.passed..self.pass];
        if waiting.is_empty() {
            return false;
        }
        let given = waiting.len().min(buffer.remaining()).min(READ);
        buffer.put_slice(&waiting[..given]);
        self.passed += given;
        if self.passed == self.pass {
            self.held.drain(..self.pass);
            (self.pass, self.passed) = (0, 0);
            self.held.shrink_to_fit();
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        loop {
            if guard.give(buffer) {
                return Poll::Ready(Ok(()));
            }
            match guard.refused {
                Refused::Nothing => {}
                // An end of the stream would end what is under way before it.
                Refused::Request if guard.activity.busy(cx.waker()) => return Poll::Pending,
                Refused::Request | Refused::Body => return Poll::Ready(Ok(())),
            }
            let mut space = [MaybeUninit::uninit(); READ];
            let room = buffer.remaining().min(READ);
            let mut read = ReadBuf::uninit(&mut space[..room]);
            let Poll::Ready(done) = Pin::new(&mut guard.stream).poll_read(cx, &mut read) else {
                guard.activity.read_waits();
                return Poll::Pending;
            };
            done?;
            let new = read.filled();
            if new.is_empty() {
                return Poll::Ready(Ok(()));
            }
            guard.activity.read(new.len());
            if guard.held.is_empty() {
                let advance = guard.framing.advance(new);
                let (pass, rest) = new.split_at(advance.pass);
                buffer.put_slice(pass);
                if advance.rejected.is_none() {
                    guard.held.extend_from_slice(rest);
                }
                guard.judge(advance.rejected, !rest.is_empty());
                if !pass.is_empty() {
                    return Poll::Ready(Ok(()));
                }
            } else {
                guard.held.reserve_exact(new.len());
                guard.held.extend_from_slice(new);
                guard.advance_held();
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.activity.written(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        let written = if length > PIECE {
            Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
        } else {
            let mut space = [MaybeUninit::uninit(); PIECE];
            let mut whole = ReadBuf::uninit(&mut space);
            for part in parts {
                whole.put_slice(part);
            }
            Pin::new(&mut self.stream).poll_write(cx, whole.filled())
        };
        self.activity.written(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closing a socket with unread bytes in it would make the client's system throw our answer away.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = &mut *self;
        while !guard.last_words.is_empty() {
            let written = Pin::new(&mut guard.stream).poll_write(cx, guard.last_words);
            guard.activity.written(written.is_pending());
            guard.last_words = &guard.last_words[ready!(written)?..];
        }
        ready!(Pin::new(&mut guard.stream).poll_shutdown(cx))?;
        if guard.refused == Refused::Nothing && !guard.activity.leftover() {
            return Poll::Ready(Ok(()));
        }
        guard.activity.linger();
        let mut space = [MaybeUninit::uninit(); 4096];
        while guard.lingered < LINGER_BYTES {
            let mut unwanted = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut guard.stream).poll_read(cx, &mut unwanted));
            if read.is_err() || unwanted.filled().is_empty() {
                break;
            }
            guard.lingered += unwanted.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
