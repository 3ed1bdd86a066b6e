//! A body on its way to the upstream, and the time for which the upstream alone is waited for.
//!
//! An upstream may answer when it has the whole body, so the time for its answer must not run while the client sends. It runs from the last piece that the
//! body gave: then nobody else is waited for, be it that the upstream reads no more, or that it has everything.

use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A body that tells whom an exchange waits for.
pub struct SentBody<B> {
    body: B,
    wait: Wait,
}

/// The wait for the answer of an upstream.
#[derive(Clone)]
pub struct Wait {
    /// The time since when the upstream is waited for; `None` while the client is.
    since: Arc<Mutex<Option<Instant>>>,
}

impl<B> SentBody<B> {
    /// Makes a body, and the wait for the answer to it.
    pub fn new(body: B) -> (Self, Wait) {
        let wait = Wait { since: Arc::new(Mutex::new(Some(Instant::now()))) };
        (Self { body, wait: wait.clone() }, wait)
    }
}

impl Wait {
    /// Waits for an answer, and returns `None` if only the upstream has been waited for during all of `limit`.
    pub async fn answer<F: Future>(&self, answer: F, limit: Duration) -> Option<F::Output> {
        let mut answer = pin!(answer);
        loop {
            let left = limit.saturating_sub(self.waited());
            if let Ok(output) = timeout(left, &mut answer).await {
                return Some(output);
            }
            if self.waited() >= limit {
                return None;
            }
        }
    }

    /// Returns for how long only the upstream is waited for.
    fn waited(&self) -> Duration {
        self.since.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed()).unwrap_or_default()
    }

    fn set(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl<B: Body + Unpin> Body for SentBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.wait.set(frame.is_ready().then(Instant::now));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for SentBody<B> {
    /// A body that is not asked to its end waits for nobody.
    fn drop(&mut self) {
        self.wait.set(Some(Instant::now()));
    }
}
