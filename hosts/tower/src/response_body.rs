//! The body of a response on its way to the client.

use crate::exchange::Exchange;
use crate::hold::Held;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body of a response that passed, or of an answer of the layer. The exchange ends with it.
pub struct ResponseBody<B: Body>(Source<B>);

enum Source<B: Body> {
    /// The page of the layer.
    Page(Option<Bytes>),
    /// The body of the inner service, and the exchange that ends with it.
    Inner { held: Held<B>, exchange: Option<Exchange>, is_seen: bool },
}

impl<B: Body + Unpin> ResponseBody<B> {
    /// A page of the layer.
    pub(crate) fn page(page: Bytes) -> Self {
        Self(Source::Page(Some(page).filter(|page| !page.is_empty())))
    }

    /// A body that is judged: what follows is not looked at. The exchange has ended, or ends with the body.
    pub(crate) fn judged(held: Held<B>, exchange: Option<Exchange>) -> Self {
        Self(Source::Inner { held, exchange, is_seen: false })
    }

    /// A body that rules see, and cannot stop.
    pub(crate) fn seen(body: B, exchange: Exchange) -> Self {
        Self(Source::Inner { held: Held::new(body), exchange: Some(exchange), is_seen: true })
    }
}

impl<B: Body + Unpin> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (held, exchange, is_seen) = match &mut self.0 {
            Source::Page(page) => return Poll::Ready(page.take().map(|page| Ok(Frame::data(page)))),
            Source::Inner { held, exchange, is_seen } => (held, exchange, *is_seen),
        };
        let frame = ready!(held.poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (true, Some(exchange), Some(data)) = (is_seen, &exchange, frame.data_ref()) {
                    // Nothing can stop it.
                    let _ = exchange.judge(|transaction| transaction.response_body(data));
                }
            }
            _ => end(exchange, is_seen),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Page(page) => page.is_none(),
            // One that ends an exchange ends with a last call.
            Source::Inner { held, exchange, .. } => exchange.is_none() && held.is_at_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Page(page) => SizeHint::with_exact(page.as_ref().map_or(0, |page| page.len() as u64)),
            Source::Inner { held, .. } => held.size_hint(),
        }
    }
}

/// Ends the exchange of a body that ended, or that nobody reads any more.
fn end(exchange: &mut Option<Exchange>, is_seen: bool) {
    if let Some(exchange) = exchange.take() {
        if is_seen {
            let _ = exchange.judge(|transaction| transaction.response_end());
        }
        exchange.finish();
    }
}

impl<B: Body> Drop for ResponseBody<B> {
    /// A server that knows the length of a body may not ask for its end.
    fn drop(&mut self) {
        if let Source::Inner { exchange, is_seen, .. } = &mut self.0 {
            end(exchange, *is_seen);
        }
    }
}

// Nothing in it is pinned: the body is `Unpin`.
impl<B: Body + Unpin> Unpin for ResponseBody<B> {}

impl<B: Body> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
