//! The two bodies of an exchange, watched on their way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;
use super::exchange::Exchange;

/// A request's body that notes when the client owes no more of it.
pub struct RequestBody {
    body: Incoming,
    owed: Option<Arc<Activity>>,
}

impl RequestBody {
    pub fn new(body: Incoming, activity: Arc<Activity>) -> Self {
        let owed = (!body.is_end_stream()).then_some(activity);
        Self { body, owed }
    }

    fn ended(&mut self) {
        if let Some(activity) = self.owed.take() {
            activity.body_ended();
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.ended();
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

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(activity) = self.owed.take() {
            activity.body_abandoned();
        }
    }
}

/// An answer's body that counts itself; when it is gone, so is the exchange.
pub struct ResponseBody {
    body: Body,
    exchange: Exchange,
}

impl ResponseBody {
    pub fn new(body: Body, exchange: Exchange) -> Self {
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
