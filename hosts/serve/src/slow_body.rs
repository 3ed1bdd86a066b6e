//! A body whose sender must not be slow.

use crate::counters::{Counters, Waiting};
use http_body::{Body, Frame, SizeHint};
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A body that fails if nothing of it comes for some time.
pub struct TimedBody<B> {
    body: B,
    limit: Duration,
    counters: Arc<Counters>,
    /// Made when the body is waited for: most come with their heads.
    timer: Option<Pin<Box<Sleep>>>,
}

/// The error of a body whose sender is too slow.
#[derive(Debug)]
pub struct TooSlow;

impl<B> TimedBody<B> {
    /// Limits the time between two pieces of a body.
    pub fn new(body: B, limit: Duration, counters: Arc<Counters>) -> Self {
        Self { body, limit, counters, timer: None }
    }
}

impl<B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Unpin> Body for TimedBody<B> {
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.timer = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        match timer.as_mut().poll(context) {
            Poll::Ready(()) => {
                // Asked again, it waits again.
                timer.as_mut().reset(Instant::now() + limit);
                self.counters.time_out(Waiting::Body);
                Poll::Ready(Some(Err(Box::new(TooSlow))))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Returns `true` if a slow body is the cause of an error.
pub fn is_too_slow(error: &(dyn Error + 'static)) -> bool {
    error.is::<TooSlow>() || error.source().is_some_and(is_too_slow)
}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not come in time")
    }
}

impl Error for TooSlow {}
