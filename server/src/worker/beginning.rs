//! Which protocol a client begins with.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::ready;

use tokio::io::{AsyncRead, ReadBuf};

use super::activity::Activity;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The protocol, and what was read to know it.
pub enum Beginning {
    Http1(Vec<u8>),
    Http2(Vec<u8>),
    /// The client left without a word.
    Nothing,
}

/// Reads until it is clear.
pub async fn of<S: AsyncRead + Unpin>(
    stream: &mut S,
    activity: &Activity,
) -> io::Result<Beginning> {
    let mut begun = Vec::new();
    loop {
        // The buffer lives on the stack of a poll: a connection that says nothing costs nothing.
        let read = poll_fn(|cx| {
            let mut space = [MaybeUninit::uninit(); 4096];
            let mut buffer = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            begun.extend_from_slice(buffer.filled());
            std::task::Poll::Ready(Ok::<_, io::Error>(buffer.filled().len()))
        });
        let read = read.await?;
        if read == 0 && begun.is_empty() {
            return Ok(Beginning::Nothing);
        }
        activity.read(read);
        activity.head(true);
        let known = begun.len().min(PREFACE.len());
        if begun[..known] != PREFACE[..known] || read == 0 {
            return Ok(Beginning::Http1(begun));
        }
        if known == PREFACE.len() {
            return Ok(Beginning::Http2(begun));
        }
    }
}
