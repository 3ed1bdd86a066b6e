//! Reads the part of a body that rules need before they decide.

use crate::pieces::Pieces;
use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The start of a body, and the rest.
pub struct Held<B: Body> {
    /// Data that was read.
    pieces: Pieces,
    /// Trailers that were read.
    trailers: Option<HeaderMap>,
    /// The error that ended the body.
    pub error: Option<B::Error>,
    /// The unread rest; `None` if the body has ended.
    pub rest: Option<B>,
}

/// Reason why no more is held.
pub enum Full {
    /// The body has ended, or failed.
    End,
    /// Rules need no more.
    Enough,
    /// The body is longer than what may be held.
    TooLong,
}

/// Returns the next frame of a body, with its data in one piece.
pub fn next_frame<B: Body + Unpin>(body: &mut B, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
    let frame = ready!(Pin::new(body).poll_frame(context));
    Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))))
}

impl<B: Body + Unpin> Held<B> {
    /// Holds nothing of a body yet.
    pub fn new(body: B) -> Self {
        Self { pieces: Pieces::default(), trailers: None, error: None, rest: Some(body) }
    }

    /// Returns the number of bytes of data that were read.
    pub fn bytes(&self) -> usize {
        self.pieces.bytes()
    }

    /// Reads until rules have the bytes that they need, or the body ends. Each piece of data is given to `take`, which returns `false` to end.
    pub async fn read(&mut self, need: Option<usize>, limit: usize, mut take: impl FnMut(&[u8]) -> bool) -> Full {
        loop {
            if need.is_some_and(|need| self.bytes() >= need) {
                return Full::Enough;
            }
            if self.bytes() > limit {
                return Full::TooLong;
            }
            let Some(body) = &mut self.rest else { return Full::End };
            match std::future::poll_fn(|context| next_frame(body, context)).await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        let goes_on = data.is_empty() || take(&data);
                        self.pieces.push(data);
                        if !goes_on {
                            return Full::Enough;
                        }
                    }
                    // Trailers come once, after all data.
                    Err(other) => self.trailers = other.into_trailers().ok(),
                },
                Some(Err(error)) => {
                    self.error = Some(error);
                    self.rest = None;
                }
                None => self.rest = None,
            }
        }
    }

    /// Returns the next frame: what is held, the error, the rest.
    pub fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let held = self.pieces.pop().map(Frame::data);
        if let Some(frame) = held.or_else(|| self.trailers.take().map(Frame::trailers)) {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let Some(body) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(next_frame(body, context));
        if frame.is_none() {
            self.rest = None;
        }
        Poll::Ready(frame)
    }

    /// Returns `true` if no frame follows.
    pub fn is_at_end(&self) -> bool {
        self.pieces.left() == 0 && self.trailers.is_none() && self.error.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    /// Returns the length of what follows, as far as it is known.
    pub fn size_hint(&self) -> http_body::SizeHint {
        let held = self.pieces.left() as u64;
        let rest = self.rest.as_ref().map(Body::size_hint).unwrap_or_else(|| http_body::SizeHint::with_exact(0));
        let mut hint = http_body::SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(held));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
