//! Judges a request before anything of it goes on.

use crate::options::Options;
use bytes::Bytes;
use http::header::{EXPECT, HeaderMap};
use pingora_core::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use secrule::{Stop, Transaction};
use secrule_tower::Refusal;
use secrule_tower::host::Exchange;
use secrule_tower::host::Pieces;
use std::collections::VecDeque;

/// The body of a request on its way to the upstream.
#[derive(Default)]
pub enum Body {
    /// Rules need no more, and nothing is held.
    #[default]
    Passing,
    /// Rules look at it, and cannot stop it. Pingora shows its start again when it tries another upstream.
    Seen { judged: usize, shown: usize },
    /// It was read, and is given to each upstream that Pingora tries.
    Held(VecDeque<Bytes>),
}

/// Judges the head and, as far as rules need it, the body.
///
/// # Errors
/// The client failed before the end of its body.
pub async fn judge(session: &mut Session, exchange: &Exchange, options: &Options) -> Result<std::result::Result<Body, Refusal>> {
    if let Err(refusal) = exchange.judge(|transaction| head(transaction, session.req_header())) {
        return Ok(Err(refusal));
    }
    let Some(need) = exchange.with_transaction(|transaction| transaction.request_body_need()) else { return Ok(Err(Refusal::Unjudged)) };
    let body = if need.is_nothing() || session.is_body_empty() {
        exchange.judge(Transaction::request_end).map(|()| Body::Passing)
    } else if need.may_forward() {
        Ok(Body::Seen { judged: 0, shown: 0 })
    } else {
        let read = read(session, exchange, need.limit(), options.held_limit).await;
        let judged = match &read {
            Ok(Some(pieces)) => exchange.judge_body(pieces.bytes(), options.blocking_from, Transaction::request_end).await,
            Ok(None) => Err(Refusal::LongRequest),
            // Logs show what came before the failure.
            Err(_) => exchange.judge(Transaction::request_end),
        };
        let pieces = read?.unwrap_or_default();
        judged.map(|()| Body::Held(pieces.into_queue()))
    };
    exchange.end_request();
    Ok(body)
}

/// Shows the head to the rules.
fn head(transaction: &mut Transaction, head: &RequestHeader) -> std::result::Result<(), Stop> {
    if head.raw_path_is_utf8() {
        return transaction.request_head(head);
    }
    // `http` types have no such target; the upstream gets it as it is.
    transaction.request_line(head.method.as_str().as_bytes(), head.raw_path(), format!("{:?}", head.version).as_bytes())?;
    for (name, value) in &head.headers {
        transaction.request_header(name.as_str().as_bytes(), value.as_bytes())?;
    }
    transaction.request_headers_end()
}

/// Reads the body until rules have the bytes that they need; `None` if it is longer than what may be held.
async fn read(session: &mut Session, exchange: &Exchange, need: Option<usize>, limit: usize) -> Result<Option<Pieces>> {
    if expects_continue(&session.req_header().headers) {
        session.write_continue_response().await?;
    }
    let mut pieces = Pieces::default();
    while need.is_none_or(|need| pieces.bytes() < need) {
        if pieces.bytes() > limit {
            return Ok(None);
        }
        let Some(data) = session.read_request_body().await.map_err(|error| error.into_down())? else { break };
        if data.is_empty() {
            continue;
        }
        let is_stopped = exchange.judge(|transaction| transaction.request_body(&data)).is_err();
        pieces.push(data);
        if is_stopped {
            break;
        }
    }
    Ok(Some(pieces))
}

/// Returns `true` if the client waits for an answer before it sends the body.
pub fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Body {
    /// Shows a chunk to rules that cannot stop it.
    pub fn see(&mut self, exchange: &Exchange, data: &[u8], end: bool) {
        let Self::Seen { judged, shown } = self else { return };
        let known = judged.saturating_sub(*shown).min(data.len());
        *shown = shown.saturating_add(data.len());
        if let Some(new) = data.get(known..).filter(|new| !new.is_empty()) {
            *judged = judged.saturating_add(new.len());
            let _ = exchange.judge(|transaction| transaction.request_body(new));
        }
        if end {
            let _ = exchange.judge(Transaction::request_end);
            exchange.end_request();
            *self = Self::Passing;
        }
    }
}
