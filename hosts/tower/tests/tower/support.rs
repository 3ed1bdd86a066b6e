//! Layers, bodies and logs for tests.

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use secrule::{AuditLog, Connection, Transaction, Waf};
use secrule_tower::WafLayer;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Returns the ends of a connection.
pub fn connection(_: &http::request::Parts) -> Connection {
    Connection::new(([192, 0, 2, 7], 40_000).into(), ([198, 51, 100, 1], 443).into())
}

/// Makes a layer with rules.
pub fn layer(rules: &str) -> WafLayer {
    WafLayer::new(Waf::from_rules(rules).unwrap(), connection)
}

/// Returns the body of a response as text.
pub async fn text<B: Body<Error: std::fmt::Debug>>(response: Response<B>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// A body of these frames.
pub struct Frames(VecDeque<io::Result<Frame<Bytes>>>);

pub fn frames(frames: impl IntoIterator<Item = io::Result<Frame<Bytes>>>) -> Frames {
    Frames(frames.into_iter().collect())
}

/// A body of pieces of data.
pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Frames {
    frames(pieces.into_iter().map(|piece| Ok(Frame::data(piece))))
}

impl Body for Frames {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(self.0.pop_front())
    }
}

/// A body that somebody sends piece by piece.
pub struct Arriving(UnboundedReceiver<Bytes>);

pub fn channel() -> (UnboundedSender<Bytes>, Arriving) {
    let (sender, receiver) = unbounded_channel();
    (sender, Arriving(receiver))
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// An audit log in memory.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<Vec<u8>>>);

impl Log {
    pub fn records(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

impl AuditLog for Log {
    fn write(&self, transaction: &Transaction) -> io::Result<()> {
        self.0.lock().unwrap().push(secrule::audit_record(transaction, secrule::AuditFormat::Json));
        Ok(())
    }
}
