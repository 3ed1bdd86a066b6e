//! Upgrades to WebSocket: both sides agree in HTTP/1.1, and then bytes go both ways, which no rule sees.

use crate::permit::ConnectionPermit;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Number of bytes that are read at once.
const PIECE: usize = 8 << 10;

/// Returns the protocol that a client asks for, if it asks for WebSocket alone. With another one, such as `h2c`, it could send the upstream requests that no
/// rule sees.
pub fn wanted(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let asks = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let asks = asks.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let mut protocols = headers.get_all(UPGRADE).iter();
    let only = protocols.next().filter(|_| protocols.next().is_none())?;
    (asks && version == Version::HTTP_11 && only.as_bytes().eq_ignore_ascii_case(b"websocket")).then(|| only.clone())
}

/// Asks for, or agrees to, another protocol.
pub fn set(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Copies bytes both ways until both sides end, none of them sends anything for some time, or the server ends. The connection keeps its permit.
pub fn join(client: OnUpgrade, upstream: OnUpgrade, idle: Duration, permit: Arc<ConnectionPermit>) {
    tokio::spawn(async move {
        let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
        let (activity, active) = watch::channel(Instant::now());
        let ((client_reads, client_writes), (upstream_reads, upstream_writes)) =
            (split(TokioIo::new(client)), split(TokioIo::new(upstream)));
        let both =
            async { tokio::try_join!(copy(client_reads, upstream_writes, &activity), copy(upstream_reads, client_writes, &activity)) };
        tokio::select! {
            // A side that goes without a word is no error.
            _ = both => {}
            () = idleness(active, idle) => {}
            () = permit.is_cut() => {}
        }
    });
}

/// Copies bytes until their sender ends, and tells the receiver so.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, activity: &watch::Sender<Instant>) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).await?;
        activity.send_replace(Instant::now());
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { return to.shutdown().await };
        to.write_all(read).await?;
        to.flush().await?;
        activity.send_replace(Instant::now());
    }
}

/// Waits until nothing happens for some time.
async fn idleness(active: watch::Receiver<Instant>, limit: Duration) {
    loop {
        let last = *active.borrow();
        let Some(end) = last.checked_add(limit) else { return std::future::pending().await };
        sleep_until(end).await;
        if *active.borrow() == last {
            return;
        }
    }
}
