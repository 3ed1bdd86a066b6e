//! The body of a request on its way to the inner service.

use crate::exchange::Exchange;
use crate::hold::Held;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a request that passed. Rules that only look see its data as it goes by.
pub struct RequestBody<B: Body> {
    held: Held<B>,
    /// The exchange whose rules see the data; `None` if they need no more.
    seen_by: Option<Exchange>,
}

impl<B: Body + Unpin> RequestBody<B> {
    /// A body of which rules need no more.
    pub(crate) fn judged(held: Held<B>) -> Self {
        Self { held, seen_by: None }
    }

    /// A body that rules see, and cannot stop.
    pub(crate) fn seen(body: B, exchange: Exchange) -> Self {
        Self { held: Held::new(body), seen_by: Some(exchange) }
    }
}

impl<B: Body + Unpin> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(self.held.poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(exchange), Some(data)) = (&self.seen_by, frame.data_ref()) {
                    // Nothing can stop it.
                    let _ = exchange.judge(|transaction| transaction.request_body(data));
                }
            }
            // The end, or an error after which nothing comes.
            _ => {
                if let Some(exchange) = self.seen_by.take() {
                    let _ = exchange.judge(|transaction| transaction.request_end());
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // One that is seen ends with a last call, which judges it.
        self.seen_by.is_none() && self.held.is_at_end()
    }

    fn size_hint(&self) -> SizeHint {
        self.held.size_hint()
    }
}

// Nothing in it is pinned: the body is `Unpin`.
impl<B: Body + Unpin> Unpin for RequestBody<B> {}

impl<B: Body> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
