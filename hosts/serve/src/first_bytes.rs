//! A connection whose client must say in time which version of HTTP it speaks.
//!
//! A server tells HTTP/2 from HTTP/1.1 by the first bytes, and only then the timeouts of either begin. A client that sends nothing, or the beginning of
//! HTTP/2 alone, would keep a connection for ever.

use crate::progress::Progress;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The first bytes of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that fails if its version is not known in time, and notes when the system takes no bytes for it.
pub struct Timed<S> {
    stream: S,
    /// The number of bytes that came, which are the beginning of [`PREFACE`], and the end of their time. `None` once the version is known.
    unknown: Option<(usize, Pin<Box<Sleep>>)>,
    progress: Arc<Progress>,
    is_blocked: bool,
}

impl<S> Timed<S> {
    /// Gives a client this time. It is noted when the connection takes no bytes.
    pub fn new(stream: S, limit: Duration, progress: Arc<Progress>) -> Self {
        Self { stream, unknown: Some((0, Box::pin(sleep(limit)))), progress, is_blocked: false }
    }

    /// Notes a write.
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() != self.is_blocked {
            self.is_blocked = written.is_pending();
            self.progress.set_blocked(self.is_blocked);
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Some((known, timer)) = &mut self.unknown else { return Pin::new(&mut self.stream).poll_read(context, buffer) };
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let known = *known;
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        let rest = PREFACE.get(known..).unwrap_or_default();
        let is_beginning = new.len() < rest.len() && rest.starts_with(new);
        match &mut self.unknown {
            Some((known, _)) if is_beginning => *known += new.len(),
            _ => self.unknown = None,
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
