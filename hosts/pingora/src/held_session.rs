//! A session that gives a body a second time, or holds a response back until it is judged.
//!
//! Hooks of Pingora see pieces of bodies when the head has left: the upstream has the head of the request, or the client that of the response, and no
//! hook takes it back. But Pingora knows sessions of other protocols, and this is one. It stands in the place of the client's session for as long as
//! something is held, and passes everything else on:
//!
//! - A request was read and judged before an upstream was chosen. Pingora then reads its body here, as if it came from the client.
//! - A response is written here. Its head and body stay until the rules have what they need, and go on together, or are replaced by the refusal.

use crate::answer::write_answer;
use crate::response::Held;
use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use pingora_core::protocols::Digest;
use pingora_core::protocols::http::custom::CustomMessageWrite;
use pingora_core::protocols::http::custom::server::Session as CustomSession;
use pingora_core::protocols::http::{HttpTask, ServerSession};
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The slot where a session is put when the held one gives it back: hooks have the held one as a trait object only.
#[derive(Clone, Default)]
pub struct SessionSlot(Arc<Mutex<Option<Returned>>>);

/// The session of the client, and what of its body is to be read again.
type Returned = (Box<ServerSession>, Replay);

/// The part of a request that is read again.
#[derive(Default)]
pub struct Replay {
    pieces: VecDeque<Bytes>,
    /// `true` if more of the body was read than these pieces, so that it cannot be read from its start.
    is_passed: bool,
}

struct HeldSession {
    inner: Box<ServerSession>,
    replay: Replay,
    response: Option<(Vec<HttpTask>, Held)>,
    slot: SessionSlot,
}

impl SessionSlot {
    /// Lets Pingora read a body again.
    pub fn replay(&self, session: &mut Session, pieces: VecDeque<Bytes>) {
        self.enter(session, Replay { pieces, is_passed: false }, None);
    }

    /// Holds the response of a session.
    pub fn hold(&self, session: &mut Session, response: Held) {
        let replay = self.take(session);
        self.enter(session, replay, Some((Vec::new(), response)));
    }

    /// Puts the client's session back as soon as its body was read again.
    pub fn leave_after_replay(&self, session: &mut Session) {
        let replay = self.take(session);
        if !replay.pieces.is_empty() {
            self.enter(session, replay, None);
        }
    }

    /// Puts the client's session back.
    pub fn leave(&self, session: &mut Session) {
        self.take(session);
    }

    fn enter(&self, session: &mut Session, replay: Replay, response: Option<(Vec<HttpTask>, Held)>) {
        let inner = std::mem::replace(&mut session.downstream_session, placeholder());
        let held = HeldSession { inner, replay, response, slot: self.clone() };
        *session.downstream_session = ServerSession::Custom(Box::new(held));
    }

    fn take(&self, session: &mut Session) -> Replay {
        // Nothing but a held session of this crate answers, and it answers only once.
        if Arc::strong_count(&self.0) == 1 {
            return Replay::default();
        }
        if let Some(held) = session.downstream_session.as_custom_mut() {
            let _ = held.restore_custom_message_writer(Box::new(()));
        }
        let Some((inner, replay)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return Replay::default() };
        session.downstream_session = inner;
        replay
    }
}

/// A session that is replaced or dropped before anything is asked of it.
fn placeholder() -> Box<ServerSession> {
    Box::new(ServerSession::Custom(Box::new(())))
}

impl HeldSession {
    /// Holds tasks of a response, or passes them on. Returns `true` if the response has ended.
    async fn pass(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let Some((held, response)) = &mut self.response else { return self.inner.response_duplex_vec(tasks).await };
        let has_ended = tasks.iter().any(HttpTask::is_end);
        held.extend(tasks);
        if !has_ended && !response.is_complete() {
            return Ok(false);
        }
        let Some((tasks, response)) = self.response.take() else { return Ok(has_ended) };
        match response.judge().await {
            Ok(()) => self.inner.response_duplex_vec(tasks).await,
            Err(refusal) => {
                let answer = response.refuse(refusal, self.inner.req_header().version);
                write_answer(&mut self.inner, answer).await?;
                Ok(true)
            }
        }
    }
}

#[async_trait]
impl CustomSession for HeldSession {
    fn req_header(&self) -> &RequestHeader {
        self.inner.req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.inner.req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        if let Some(piece) = self.replay.pieces.pop_front() {
            return Ok(Some(piece));
        }
        let data = self.inner.read_request_body().await?;
        self.replay.is_passed |= data.is_some();
        Ok(data)
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if let Some(piece) = self.replay.pieces.pop_front() {
            return Ok(Some(piece));
        }
        let data = self.inner.read_body_or_idle(no_body_expected).await?;
        self.replay.is_passed |= data.is_some();
        Ok(data)
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        self.replay.pieces.clear();
        self.inner.drain_request_body().await
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, end: bool) -> Result<()> {
        self.pass(vec![HttpTask::Header(head, end)]).await.map(drop)
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, end: bool) -> Result<()> {
        self.pass(vec![HttpTask::Header(Box::new(head.clone()), end)]).await.map(drop)
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.pass(vec![HttpTask::Body(Some(data), end)]).await.map(drop)
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.pass(vec![HttpTask::Trailer(Some(Box::new(trailers)))]).await.map(drop)
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        self.pass(tasks).await
    }

    async fn finish(&mut self) -> Result<()> {
        if self.response.is_some() {
            self.pass(vec![HttpTask::Done]).await?;
        }
        self.inner.finish_body().await
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_read_timeout(timeout);
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.inner.get_read_timeout()
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.inner.get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.inner.get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.inner.request_summary()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.inner.response_written()
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.inner.shutdown().await;
    }

    fn is_body_done(&mut self) -> bool {
        self.replay.pieces.is_empty() && self.inner.is_body_done()
    }

    fn is_body_empty(&mut self) -> bool {
        self.inner.is_body_empty()
    }

    fn body_bytes_sent(&self) -> usize {
        self.inner.body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.inner.body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        self.inner.digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.inner.digest_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.inner.client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.inner.server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.inner.to_h1_raw()
    }

    // The pieces are what is read again: Pingora's own buffer is not used.
    fn enable_retry_buffering(&mut self) {}

    fn retry_buffer_truncated(&self) -> bool {
        self.replay.is_passed
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        None
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(&mut self) -> Option<Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        None
    }

    fn restore_custom_message_reader(
        &mut self,
        _reader: Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>,
    ) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    /// Gives the client's session back. Pingora calls this for a writer that it took, and there is none: so the call is free for the hooks.
    fn restore_custom_message_writer(&mut self, _writer: Box<dyn CustomMessageWrite>) -> Result<()> {
        let inner = std::mem::replace(&mut self.inner, placeholder());
        let replay = std::mem::take(&mut self.replay);
        let mut slot = self.slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Error::e_explain(ErrorType::InternalError, "a session was given back twice");
        }
        *slot = Some((inner, replay));
        Ok(())
    }

    fn is_upgrade_req(&self) -> bool {
        self.inner.is_upgrade_req()
    }

    fn was_upgraded(&self) -> bool {
        self.inner.was_upgraded()
    }
}
