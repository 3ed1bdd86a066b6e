//! Progress of a connection: a client that asks for nothing on HTTP/2, or does not read its answers, would keep it for ever.
//!
//! An exchange waits for its client while no piece of its answer is asked for, as when a window of HTTP/2 is closed. A connection waits, too, while the
//! system takes no bytes for it. While an exchange waits for the rules or the upstream, the client is not to blame.

use crate::counters::{Counted, Counters, Waiting};
use crate::settings::Timeouts;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, sleep_until};

/// Progress of a connection, which its exchanges share.
pub struct Progress {
    state: Mutex<State>,
    counters: Arc<Counters>,
}

struct State {
    exchanges: usize,
    /// Those that wait for their client.
    waiting: usize,
    /// Time of the last change of these.
    since: Instant,
    /// Time from which on the system takes no bytes.
    blocked: Option<Instant>,
}

/// An exchange of a connection, until it is dropped: while it is judged, and while its answer is sent.
pub struct RunningExchange {
    _counted: Counted,
    progress: Arc<Progress>,
    is_waiting: bool,
}

/// The body of an answer, whose progress is noted.
pub struct WatchedBody<B> {
    body: B,
    exchange: RunningExchange,
}

impl Progress {
    /// Begins a connection, whose exchanges are counted.
    pub fn new(counters: &Arc<Counters>) -> Arc<Self> {
        let state = Mutex::new(State { exchanges: 0, waiting: 0, since: Instant::now(), blocked: None });
        Arc::new(Self { state, counters: Arc::clone(counters) })
    }

    /// Begins an exchange.
    pub fn begin(self: &Arc<Self>) -> RunningExchange {
        self.change(|state| state.exchanges += 1);
        RunningExchange { _counted: self.counters.begin_exchange(), progress: Arc::clone(self), is_waiting: false }
    }

    /// Notes that the system takes no bytes for the connection, or takes them again.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.state().blocked = is_blocked.then(Instant::now);
    }

    /// Waits until the client has caused no progress for its time, and returns what was waited for.
    pub async fn stalls(&self, timeouts: Timeouts) -> Waiting {
        loop {
            let now = Instant::now();
            let (waiting, end) = {
                let state = self.state();
                match state.blocked {
                    Some(since) => (Waiting::Answer, since + timeouts.body),
                    None if state.exchanges == 0 => (Waiting::Head, state.since + timeouts.idle),
                    None if state.waiting == state.exchanges => (Waiting::Answer, state.since + timeouts.body),
                    None => (Waiting::Answer, now + timeouts.body),
                }
            };
            if end <= now {
                return waiting;
            }
            // What changes meanwhile is seen at the next look.
            sleep_until(end.min(now + timeouts.body)).await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        state.since = Instant::now();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningExchange {
    fn set_waiting(&mut self, is_waiting: bool) {
        let before = std::mem::replace(&mut self.is_waiting, is_waiting);
        if before != is_waiting {
            self.progress.change(|state| {
                state.waiting = if is_waiting { state.waiting + 1 } else { state.waiting.saturating_sub(1) };
            });
        }
    }
}

impl Drop for RunningExchange {
    fn drop(&mut self) {
        self.set_waiting(false);
        self.progress.change(|state| state.exchanges = state.exchanges.saturating_sub(1));
    }
}

impl<B> WatchedBody<B> {
    /// Watches the body of an exchange.
    pub fn new(body: B, mut exchange: RunningExchange) -> Self {
        exchange.set_waiting(true);
        Self { body, exchange }
    }
}

impl<B: Body + Unpin> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.exchange.set_waiting(false);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.exchange.set_waiting(true);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
