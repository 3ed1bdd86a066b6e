//! The server: takes connections, and serves each in a task of its own.

use crate::first_bytes::Timed;
use crate::forwarded::{self, Ends};
use crate::place::{Place, Places};
use crate::proxy::{Proxy, page};
use crate::settings::Settings;
use crate::sites::{Route, Sites};
use crate::slow_body::TimedBody;
use crate::{ServeError, listener, tls};
use arc_swap::ArcSwap;
use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use secrule::{Connection, Waf};
use secrule_tower::{WafLayer, WafService};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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
    sites: Arc<ArcSwap<Sites>>,
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
        let sites = Sites::one(waf.clone(), settings.upstream.clone(), settings.tls.as_ref())?;
        let knows_authorities = sites.has_encrypted_upstream();
        Self::open(settings, sites, waf, knows_authorities)
    }

    /// Opens the sockets of a server with several sites. The upstream and the certificate of the settings are not used. It must be called within tokio.
    ///
    /// # Errors
    /// If an address cannot be listened on, or the system has no certificates of authorities for an upstream with TLS.
    pub fn bind_sites(settings: Settings, sites: Sites) -> Result<Self, ServeError> {
        // Each request is routed before its rules are asked for. One that is not would have no rules.
        let refuses = Waf::from_rules("SecRuleEngine On\nSecAction \"id:1,phase:1,deny,status:500\"").map_err(io::Error::other)?;
        Self::open(settings, sites, refuses, true)
    }

    fn open(settings: Settings, sites: Sites, waf: Waf, knows_authorities: bool) -> Result<Self, ServeError> {
        let settings = Arc::new(settings);
        let proxy = Proxy::new(Arc::clone(&settings), knows_authorities, sites.has_encrypted_upstream())?;
        let is_encrypted = sites.is_encrypted();
        let sites = Arc::new(ArcSwap::from_pointee(sites));
        let acceptor = is_encrypted.then(|| tls::acceptor(Arc::clone(&sites))).transpose()?;
        let listeners: Result<_, _> = settings.listen.iter().map(|address| listener::listen(*address)).collect();
        let known = Arc::clone(&settings);
        let layer = WafLayer::new(waf, move |head| {
            let ends = head.extensions.get().copied().unwrap_or(UNKNOWN);
            Connection::new(forwarded::client(ends, &head.headers, &known), ends.own).connector(NAME)
        });
        let layer = layer.rules_by(|head| head.extensions.get().map(|route: &Route| route.waf.clone()));
        let (sender, stop) = watch::channel(false);
        Ok(Self { listeners: listeners?, acceptor, service: layer.layer(proxy), sites, settings, stop, stopper: Stopper(Arc::new(sender)) })
    }

    /// Returns the addresses of the sockets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Returns what ends the server.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Returns what gives the server other sites.
    pub fn switch(&self) -> Switch {
        Switch(Arc::clone(&self.sites))
    }

    /// Serves until it is stopped: then it takes no more connections, and exchanges and upgraded connections have some time to end.
    pub async fn run(self) {
        let Self { listeners, acceptor, service, sites, settings, mut stop, stopper: _stopper } = self;
        let shared = Arc::new(Shared { acceptor, service, sites, settings: Arc::clone(&settings) });
        // The loops alone share it, so that it can be taken back when they have ended.
        let graceful = Arc::new(GracefulShutdown::new());
        let places = Arc::new(Places::new(settings.max_connections));
        let loops = listeners.into_iter().map(|listener| {
            let (shared, places, graceful) = (Arc::clone(&shared), Arc::clone(&places), Arc::clone(&graceful));
            tokio::spawn(async move {
                loop {
                    let (stream, peer) = listener::accept(&listener).await;
                    // Without room the system keeps further connections, and lets clients wait. A place is taken when there is a connection: listeners that
                    // wait for one must not keep places from each other.
                    let Some(place) = places.take().await else { return };
                    let (shared, watcher) = (Arc::clone(&shared), graceful.watcher());
                    tokio::spawn(async move { shared.serve(stream, peer, place, watcher).await });
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
                places.all_free().await;
            };
            let _ = timeout(settings.timeouts.shutdown, end).await;
        }
        places.cut();
    }
}

/// Gives a server other sites while it runs. Clones are for the same server.
#[derive(Clone, Debug)]
pub struct Switch(Arc<ArcSwap<Sites>>);

impl Switch {
    /// Returns the sites that are served now.
    pub fn sites(&self) -> Arc<Sites> {
        self.0.load_full()
    }

    /// Replaces all sites at once. Requests that have begun keep theirs, and connections their certificate.
    ///
    /// # Errors
    /// If connections would have TLS that have none, or the reverse: nothing is replaced.
    pub fn replace(&self, sites: Sites) -> Result<(), ServeError> {
        if sites.is_encrypted() != self.0.load().is_encrypted() {
            return Err(ServeError::OtherListeners);
        }
        self.0.store(Arc::new(sites));
        Ok(())
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
    sites: Arc<ArcSwap<Sites>>,
    settings: Arc<Settings>,
}

impl Shared {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr, place: Arc<Place>, watcher: Watcher) {
        let Ok(own) = stream.local_addr() else { return };
        let ends = Ends { peer, own, is_encrypted: self.acceptor.is_some() };
        match &self.acceptor {
            None => self.speak(stream, ends, place, watcher).await,
            Some(acceptor) => {
                let limit = self.settings.timeouts.head;
                // A client that gives up, or speaks something else, is not worth a word.
                if let Ok(Ok(stream)) = timeout(limit, acceptor.accept(stream)).await {
                    self.speak(stream, ends, place, watcher).await;
                }
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, ends: Ends, place: Arc<Place>, watcher: Watcher) {
        let timeouts = self.settings.timeouts;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.head);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(timeouts.head)
            .max_concurrent_streams(MAX_STREAMS);
        let (service, sites) = (self.service.clone(), Arc::clone(&self.sites));
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(|body| TimedBody::new(body, timeouts.body));
            // Rules and upstream are those of one table, whatever replaces it meanwhile.
            let answer = match sites.load().route(request.uri(), request.headers(), request.version()) {
                Ok(route) => {
                    request.extensions_mut().insert(route);
                    request.extensions_mut().insert(ends);
                    request.extensions_mut().insert(Arc::clone(&place));
                    Ok(service.clone().call(request))
                }
                Err(status) => Err(page(status)),
            };
            async move {
                Ok::<Response<_>, Infallible>(match answer {
                    Ok(answer) => answer.await?.map(Either::Left),
                    Err(page) => page,
                })
            }
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
