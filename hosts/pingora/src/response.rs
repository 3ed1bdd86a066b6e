//! A response that rules look at.

use crate::options::Options;
use bytes::Bytes;
use http::{Response, Version};
use secrule::Transaction;
use secrule_tower::Refusal;
use secrule_tower::host::Exchange;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The body of a response, for the rules.
#[derive(Default)]
pub enum Body {
    /// No rule looks at it.
    #[default]
    Passing,
    /// Rules look at it, and cannot stop it.
    Seen,
    /// Rules may stop it: it is held until they have what they need.
    Held { state: Held, need: Option<usize> },
}

/// A response that is held. The hooks tell how much the rules have seen, and the session that holds it judges it then.
#[derive(Clone)]
pub struct Held {
    exchange: Exchange,
    options: Arc<Options>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Bytes that rules have seen.
    bytes: AtomicUsize,
    is_complete: AtomicBool,
    is_too_long: AtomicBool,
    refusal: OnceLock<Refusal>,
}

impl Held {
    pub fn new(exchange: Exchange, options: Arc<Options>) -> Self {
        Self { exchange, options, state: Arc::default() }
    }

    /// Shows a chunk to the rules. Nothing of a body without an encoding is hidden by a module that compresses it later.
    pub fn see(&self, data: &[u8], need: Option<usize>, end: bool) {
        let State { bytes, is_complete, is_too_long, .. } = &*self.state;
        if is_complete.load(Ordering::Acquire) {
            return;
        }
        let is_stopped = !data.is_empty() && self.exchange.judge(|transaction| transaction.response_body(data)).is_err();
        let bytes = bytes.fetch_add(data.len(), Ordering::Relaxed).saturating_add(data.len());
        let is_enough = end || is_stopped || need.is_some_and(|need| bytes >= need);
        let is_long = !is_enough && bytes > self.options.held_limit;
        is_too_long.store(is_long, Ordering::Relaxed);
        is_complete.store(is_enough || is_long, Ordering::Release);
    }

    /// Returns `true` if the rules need no more.
    pub fn is_complete(&self) -> bool {
        self.state.is_complete.load(Ordering::Acquire)
    }

    /// Judges the body as far as it was seen.
    pub async fn judge(&self) -> Result<(), Refusal> {
        self.state.is_complete.store(true, Ordering::Release);
        if self.state.is_too_long.load(Ordering::Relaxed) {
            return Err(Refusal::LongResponse);
        }
        let bytes = self.state.bytes.load(Ordering::Relaxed);
        self.exchange.judge_body(bytes, self.options.blocking_from, Transaction::response_end).await
    }

    /// Ends the exchange, and returns the answer.
    pub fn refuse(&self, refusal: Refusal, version: Version) -> Response<Bytes> {
        let answer = self.exchange.refuse(&refusal, &*self.options.page, version);
        let _ = self.state.refusal.set(refusal);
        answer
    }

    /// Returns the reason why the response did not reach the client.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.state.refusal.get()
    }
}
