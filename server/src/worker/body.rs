//! The two bodies of an exchange, watched on their way.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;
use super::exchange::Exchange;

/// What is smaller is gathered: hyper's pieces keep the buffer they came in, so that a byte could cost kilobytes.
const PIECE: usize = 8192;

/// A request's body that notes when the client owes no more of it, and ends when it is too long. It comes in pieces of a
/// decent size, however small those are that the client sends.
pub struct RequestBody<B = Incoming> {
    body: B,
    gathered: BytesMut,
    owed: Option<Arc<Activity>>,
    limit: Option<(u64, Overflow)>,
}

/// Whether a body has turned out to be too long.
#[derive(Clone, Debug, Default)]
pub struct Overflow(Arc<AtomicBool>);

impl Overflow {
    pub fn happened(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Why a request's body cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError<E> {
    /// It is longer than `maxBodyBytes`.
    #[error("the body is too large")]
    TooLarge,
    /// The connection broke, or what came is no body.
    #[error(transparent)]
    Broken(E),
}

impl<B: HttpBody<Data = Bytes>> RequestBody<B> {
    pub fn new(body: B, activity: Arc<Activity>) -> Self {
        let owed = (!body.is_end_stream()).then_some(activity);
        Self {
            body,
            gathered: BytesMut::new(),
            owed,
            limit: None,
        }
    }

    /// The same, ending with an error when it is longer than `most` bytes.
    pub fn limited(mut self, most: u64) -> (Self, Overflow) {
        let overflow = Overflow::default();
        self.limit = Some((most, overflow.clone()));
        (self, overflow)
    }

    fn ended(&mut self) {
        if let Some(activity) = self.owed.take() {
            activity.body_ended();
        }
    }

    fn piece(&mut self) -> Frame<Bytes> {
        Frame::data(std::mem::take(&mut self.gathered).freeze())
    }

    fn count(&mut self, bytes: u64) -> bool {
        let Some((left, overflow)) = &mut self.limit else {
            return true;
        };
        let fits = bytes <= *left;
        *left = left.saturating_sub(bytes);
        overflow.0.fetch_or(!fits, Relaxed);
        fits
    }
}

impl<B> HttpBody for RequestBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = BodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let frame = Pin::new(&mut self.body).poll_frame(cx);
            if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
                self.ended();
            }
            let frame = match ready!(frame) {
                None if self.gathered.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Ok(self.piece()))),
                Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error)))),
                Some(Ok(frame)) => frame,
            };
            // Nobody here reads trailers.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if !self.count(data.len() as u64) {
                return Poll::Ready(Some(Err(BodyError::TooLarge)));
            }
            if self.gathered.is_empty() && data.len() >= PIECE {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            self.gathered.extend_from_slice(&data);
            if self.gathered.len() >= PIECE {
                return Poll::Ready(Some(Ok(self.piece())));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.gathered.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let gathered = self.gathered.len() as u64;
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + gathered);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + gathered);
        }
        hint
    }
}

impl<B> Drop for RequestBody<B> {
    fn drop(&mut self) {
        if let Some(activity) = self.owed.take() {
            activity.body_abandoned();
        }
    }
}

/// An answer's body that counts itself; when it is gone, so is the exchange.
pub struct ResponseBody {
    body: Body,
    exchange: Box<Exchange>,
}

impl ResponseBody {
    pub fn new(body: Body, exchange: Box<Exchange>) -> Self {
        Self { body, exchange }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.exchange.sent(data.len());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::fits(4, false)]
    #[case::too_long(3, true)]
    #[tokio::test]
    async fn a_body_ends_where_it_is_too_long(#[case] most: u64, #[case] too_long: bool) {
        let body = Body::from("abcd");
        let activity = Arc::new(Activity::new());
        activity.began(true);
        let (body, overflow) = RequestBody::new(body, activity).limited(most);
        let read = axum::body::to_bytes(Body::new(body), usize::MAX).await;
        assert_eq!((read.is_err(), overflow.happened()), (too_long, too_long));
    }

    /// Comes byte by byte.
    struct Trickle(usize);

    impl HttpBody for Trickle {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            let left = self.0.checked_sub(1);
            self.0 = left.unwrap_or_default();
            Poll::Ready(left.map(|_| Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test]
    async fn small_pieces_are_gathered() {
        let activity = Arc::new(Activity::new());
        activity.began(true);
        let mut body = RequestBody::new(Trickle(PIECE + 3), activity);
        let mut pieces = Vec::new();
        let mut next = std::future::poll_fn(|cx| {
            Pin::new(&mut body).poll_frame(cx).map(|it| {
                it.is_some_and(|it| {
                    pieces.push(it.unwrap().into_data().unwrap().len());
                    true
                })
            })
        });
        while (&mut next).await {}
        assert_eq!(pieces, [PIECE, 3]);
    }
}
