//! The context of one request: that of the proxy behind the firewall, and the exchange.

use crate::held_session::SessionSlot;
use crate::{request, response};
use pingora_proxy::Session;
use secrule::{Outcome, Transaction};
use secrule_tower::host::Exchange;
use secrule_tower::{Inspection, Refusal};
use std::fmt;

/// The context of a request in a [`WafProxy`](crate::WafProxy). If the request is cancelled, the exchange ends when this is dropped, and is logged once.
pub struct WafContext<C> {
    /// The context of the proxy behind the firewall.
    pub inner: C,
    pub(crate) exchange: Option<Exchange>,
    pub(crate) inspects_responses: bool,
    pub(crate) request: request::Body,
    pub(crate) response: response::Body,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) slot: SessionSlot,
}

impl<C> WafContext<C> {
    pub(crate) fn new(inner: C) -> Self {
        Self {
            inner,
            exchange: None,
            inspects_responses: false,
            request: request::Body::default(),
            response: response::Body::default(),
            refusal: None,
            slot: SessionSlot::default(),
        }
    }

    /// Returns the results of the inspection; `None` before `request_filter`.
    pub fn inspection(&self) -> Option<&Inspection> {
        self.exchange.as_ref().map(Exchange::inspection)
    }

    /// Returns the outcome of the exchange; `None` before its end. It is there in `logging`.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.inspection().and_then(Inspection::outcome)
    }

    /// Returns the reason why the firewall answered the request; `None` if it did not.
    pub fn refusal(&self) -> Option<&Refusal> {
        let held = match &self.response {
            response::Body::Held { state, .. } => state.refusal(),
            _ => None,
        };
        self.refusal.as_ref().or(held)
    }

    /// Ends the exchange. Later calls do nothing.
    pub(crate) fn end(&mut self) {
        let Some(exchange) = &self.exchange else { return };
        if matches!(self.response, response::Body::Seen) {
            let _ = exchange.judge(Transaction::response_end);
        }
        exchange.finish();
    }

    /// Gives the client's session back to the proxy, and ends the exchange.
    pub(crate) fn end_with(&mut self, session: &mut Session) {
        self.slot.leave(session);
        self.end();
    }
}

impl<C> Drop for WafContext<C> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<C> fmt::Debug for WafContext<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WafContext").field("refusal", &self.refusal()).finish_non_exhaustive()
    }
}
