//! The server: takes connections, and serves each in a task of its own.

use crate::first_bytes::Timed;
use crate::forwarded::{self, Ends};
use crate::proxy::Proxy;
use crate::settings::Settings;
use crate::slow_body::TimedBody;
use crate::{ServeError, listener, tls};
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use secrule::{Connection, Waf};
use secrule_tower::{WafLayer, WafService};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_layer::Layer as _;
use tower_service::Service as _;

/// The name of this server in audit records.
const NAME: &str = concat!("secrule-serve ", env!("CARGO_PKG_VERSION"));

/// Streams of a connection of HTTP/2 at once, and the time between two questions if its client is there.
const MAX_STREAMS: u32 = 128;
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// A server whose sockets are open.
pub struct Server {
    listeners: Vec<TcpListener>,
    acceptor: Option<TlsAcceptor>,
    service: WafService<Proxy>,
    settings: Arc<Settings>,
    stop: watch::Receiver<bool>,
    stopper: Stopper,
}

/// Ends a server. Clones end the same one.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<watch::Sender<bool>>);

impl Server {
    /// Opens the sockets of a server with rules. `waf` may be [reloaded](Waf::reload) while the server runs. It must be called within tokio.
    ///
    /// # Errors
    /// If an address cannot be listened on, or a certificate cannot be used.
    pub fn bind(settings: Settings, waf: Waf) -> Result<Self, ServeError> {
        let settings = Arc::new(settings);
        let acceptor = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let proxy = Proxy::new(Arc::clone(&settings))?;
        let listeners: Result<_, _> = settings.listen.iter().map(|address| listener::listen(*address)).collect();
        let known = Arc::clone(&settings);
        let layer = WafLayer::new(waf, move |head| {
            let ends = head.extensions.get().copied().unwrap_or(UNKNOWN);
            Connection::new(forwarded::client(ends, &head.headers, &known), ends.own).connector(NAME)
        });
        let (sender, stop) = watch::channel(false);
        Ok(Self { listeners: listeners?, acceptor, service: layer.layer(proxy), settings, stop, stopper: Stopper(Arc::new(sender)) })
    }

    /// Returns the addresses of the sockets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Returns what ends the server.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Serves until it is stopped: then it takes no more connections, and exchanges that run have some time to end.
    pub async fn run(self) {
        let Self { listeners, acceptor, service, settings, mut stop, stopper: _stopper } = self;
        let shared = Arc::new(Shared { acceptor, service, settings: Arc::clone(&settings) });
        // The loops alone share it, so that it can be taken back when they have ended.
        let graceful = Arc::new(GracefulShutdown::new());
        let room = Arc::new(Semaphore::new(settings.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let loops = listeners.into_iter().map(|listener| {
            let (shared, room, graceful) = (Arc::clone(&shared), Arc::clone(&room), Arc::clone(&graceful));
            tokio::spawn(async move {
                loop {
                    let (stream, peer) = listener::accept(&listener).await;
                    // Without room the system keeps further connections, and lets clients wait. A place is taken when there is a connection: listeners that
                    // wait for one must not keep places from each other.
                    let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                    let (shared, watcher) = (Arc::clone(&shared), graceful.watcher());
                    tokio::spawn(async move {
                        shared.serve(stream, peer, watcher).await;
                        drop(place);
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
            let _ = timeout(settings.timeouts.shutdown, graceful.shutdown()).await;
        }
    }
}

impl Stopper {
    /// Ends the server. A second call changes nothing.
    pub fn stop(&self) {
        // A server that has ended does not listen.
        let _ = self.0.send(true);
    }
}

/// The ends of a connection that nobody knows.
const UNKNOWN: Ends = {
    let nowhere = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
    Ends { peer: nowhere, own: nowhere, is_encrypted: false }
};

struct Shared {
    acceptor: Option<TlsAcceptor>,
    service: WafService<Proxy>,
    settings: Arc<Settings>,
}

impl Shared {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let Ok(own) = stream.local_addr() else { return };
        let ends = Ends { peer, own, is_encrypted: self.acceptor.is_some() };
        match &self.acceptor {
            None => self.speak(stream, ends, watcher).await,
            Some(acceptor) => {
                let limit = self.settings.timeouts.head;
                // A client that gives up, or speaks something else, is not worth a word.
                if let Ok(Ok(stream)) = timeout(limit, acceptor.accept(stream)).await {
                    self.speak(stream, ends, watcher).await;
                }
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, ends: Ends, watcher: Watcher) {
        let timeouts = self.settings.timeouts;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.head);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(timeouts.head)
            .max_concurrent_streams(MAX_STREAMS);
        let service = self.service.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| TimedBody::new(body, timeouts.body));
            request.extensions_mut().insert(ends);
            service.clone().call(request)
        });
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(Timed::new(stream, timeouts.head)), service).into_owned();
        // Clients end connections as they like.
        let _ = watcher.watch(connection).await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
