//! Open sockets, the connections that come to them, and their end.

use crate::counters::{Counters, Waiting};
use crate::first_bytes::Timed;
use crate::permit::{ConnectionPermit, ConnectionPermits};
use crate::progress::{Progress, WatchedBody};
use crate::settings::Timeouts;
use crate::slow_body::TimedBody;
use crate::{ServeError, listener};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Maximum number of streams of a connection of HTTP/2.
const MAX_STREAMS: u32 = 128;

/// Time between two pings of a client of HTTP/2.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Sockets that take connections, each in a task of its own.
pub struct Sockets {
    listeners: Vec<TcpListener>,
    max_connections: usize,
    counters: Arc<Counters>,
    stop: watch::Receiver<bool>,
    stopper: Stopper,
}

/// Ends a server. Clones end the same one.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<watch::Sender<bool>>);

/// Versions of HTTP that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersions {
    /// HTTP/1.0 and HTTP/1.1.
    Http1,
    /// HTTP/2 without a negotiation, as gRPC clients speak it.
    Http2,
    /// Both: the first bytes of a connection tell.
    Both,
}

/// The body of a request, which fails if its sender is too slow.
pub type RequestBytes = TimedBody<Incoming>;

impl Sockets {
    /// Opens sockets for a number of connections at once; more wait in the system's queue. It must be called within tokio.
    ///
    /// # Errors
    /// If an address cannot be listened on.
    pub fn open(addresses: &[SocketAddr], max_connections: usize) -> Result<Self, ServeError> {
        let listeners: Result<_, _> = addresses.iter().map(|address| listener::listen(*address)).collect();
        let (sender, stop) = watch::channel(false);
        Ok(Self { listeners: listeners?, max_connections, counters: Arc::default(), stop, stopper: Stopper(Arc::new(sender)) })
    }

    /// Returns the addresses of the sockets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Returns the numbers of the connections.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Returns what ends the server.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Gives requests, with the other end and this end of their connection, to a service, until it is stopped.
    pub async fn answer<S, F, B>(self, versions: HttpVersions, timeouts: Timeouts, service: S)
    where
        S: Fn(Request<RequestBytes>, SocketAddr, SocketAddr) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let counters = self.counters();
        let serve = move |stream: TcpStream, peer: SocketAddr, permit: Arc<ConnectionPermit>, watcher: Watcher| {
            let (service, counters) = (service.clone(), Arc::clone(&counters));
            async move {
                let _permit = permit;
                let Ok(own) = stream.local_addr() else { return };
                let answer = move |request: Request<RequestBytes>| {
                    let answer = service(request, peer, own);
                    async move { Ok::<_, Infallible>(answer.await) }
                };
                speak(stream, versions, timeouts, &counters, watcher, answer).await;
            }
        };
        self.run(timeouts.shutdown, serve).await;
    }

    /// Gives connections to `serve`, with the other end and the permit of each, until it is stopped: then it takes no more of them, and those that are
    /// watched, or keep their permit, have some time to end.
    pub(crate) async fn run<F>(
        self,
        shutdown: Duration,
        serve: impl Fn(TcpStream, SocketAddr, Arc<ConnectionPermit>, Watcher) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { listeners, max_connections, counters, mut stop, stopper: _stopper } = self;
        let serve = Arc::new(serve);
        // The loops alone share it, so that it can be taken back when they have ended.
        let graceful = Arc::new(GracefulShutdown::new());
        let permits = Arc::new(ConnectionPermits::new(max_connections));
        let loops = listeners.into_iter().map(|listener| {
            let (serve, permits, graceful, counters) =
                (Arc::clone(&serve), Arc::clone(&permits), Arc::clone(&graceful), Arc::clone(&counters));
            tokio::spawn(async move {
                loop {
                    let (stream, peer) = listener::accept(&listener).await;
                    // Without room the system keeps further connections, and lets clients wait. A permit is taken when there is a connection: listeners that
                    // wait for one must not keep permits from each other.
                    let Some(permit) = permits.take().await else { return };
                    let (served, open) = (serve(stream, peer, permit, graceful.watcher()), counters.open_connection());
                    tokio::spawn(async move {
                        served.await;
                        drop(open);
                    });
                }
            })
        });
        let loops: Vec<_> = loops.collect();
        // A server without its stopper runs on.
        if stop.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
        loops.iter().for_each(|accepting| accepting.abort());
        for accepting in loops {
            // It was ended.
            let _ = accepting.await;
        }
        if let Some(graceful) = Arc::into_inner(graceful) {
            let end = async {
                graceful.shutdown().await;
                permits.all_free().await;
            };
            let _ = timeout(shutdown, end).await;
        }
        permits.cut();
    }
}

/// Speaks HTTP on a connection until it ends.
pub(crate) async fn speak<S, F, E, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    versions: HttpVersions,
    timeouts: Timeouts,
    counters: &Arc<Counters>,
    watcher: Watcher,
    answer: S,
) where
    S: Fn(Request<RequestBytes>) -> F + Send + 'static,
    F: Future<Output = Result<Response<B>, E>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = match versions {
        HttpVersions::Http1 => builder.http1_only(),
        HttpVersions::Http2 => builder.http2_only(),
        HttpVersions::Both => builder,
    };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(timeouts.head)
        .max_concurrent_streams(MAX_STREAMS);
    let progress = Progress::new(counters);
    let (counted, begun) = (Arc::clone(counters), Arc::clone(&progress));
    let service = service_fn(move |request: Request<Incoming>| {
        let exchange = begun.begin();
        let answer = answer(request.map(|body| TimedBody::new(body, timeouts.body, Arc::clone(&counted))));
        async move { answer.await.map(|response| response.map(|body| WatchedBody::new(body, exchange))) }
    });
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(Timed::new(stream, timeouts.head, Arc::clone(&progress))), service)
        .into_owned();
    let waiting = tokio::select! {
        // Clients end connections as they like.
        ended = watcher.watch(connection) => ended.err().filter(|error| is_timeout(&**error)).map(|_| Waiting::Head),
        waiting = progress.stalls(timeouts) => Some(waiting),
    };
    waiting.inspect(|waiting| counters.time_out(*waiting));
}

/// Returns `true` if a connection ended because its client said nothing for too long.
fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let is_of_http = error.downcast_ref().is_some_and(hyper::Error::is_timeout);
    let is_of_first_bytes = error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut);
    is_of_http || is_of_first_bytes || error.source().is_some_and(is_timeout)
}

impl Stopper {
    /// Ends the server. A second call changes nothing.
    pub fn stop(&self) {
        // A server that has ended does not listen.
        let _ = self.0.send(true);
    }

    /// Returns `true` if it was told to end.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}

impl fmt::Debug for Sockets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
