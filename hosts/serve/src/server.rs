//! The server: takes connections, and gives their requests to the rules and the proxy of their site.

use crate::counters::{Counters, Waiting};
use crate::forwarded::{self, Ends};
use crate::permit::ConnectionPermit;
use crate::proxy::{Proxy, page};
use crate::settings::Settings;
use crate::sites::{Route, Sites};
use crate::sockets::{HttpVersions, Sockets, Stopper, speak};
use crate::{ServeError, tls};
use arc_swap::ArcSwap;
use http::Response;
use http_body_util::Either;
use hyper_util::server::graceful::Watcher;
use secrule::{Connection, Waf};
use secrule_tower::{Refusal, WafLayer, WafService};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_layer::Layer as _;
use tower_service::Service as _;

/// The name of this server in audit records.
pub const NAME: &str = concat!("secrule-serve ", env!("CARGO_PKG_VERSION"));

/// A server whose sockets are open.
pub struct Server {
    sockets: Sockets,
    shared: Shared,
}

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
        let sockets = Sockets::open(&settings.listen, settings.max_connections)?;
        let counters = sockets.counters();
        let proxy = Proxy::new(Arc::clone(&settings), Arc::clone(&counters), knows_authorities, sites.has_encrypted_upstream())?;
        let is_encrypted = sites.is_encrypted();
        let sites = Arc::new(ArcSwap::from_pointee(sites));
        let acceptor = is_encrypted.then(|| tls::acceptor(Arc::clone(&sites))).transpose()?;
        let known = Arc::clone(&settings);
        let layer = WafLayer::new(waf, move |head| {
            let ends = head.extensions.get().copied().unwrap_or(UNKNOWN);
            Connection::new(forwarded::client(ends, &head.headers, &known), ends.own).connector(NAME)
        });
        let layer = layer.rules_by(|head| head.extensions.get().map(|route: &Route| route.waf.clone())).held_limit(settings.held_limit);
        Ok(Self { sockets, shared: Shared { acceptor, service: layer.layer(proxy), sites, settings, counters } })
    }

    /// Returns the addresses of the sockets.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.addresses()
    }

    /// Returns the numbers of the server.
    pub fn counters(&self) -> Arc<Counters> {
        self.sockets.counters()
    }

    /// Returns what ends the server.
    pub fn stopper(&self) -> Stopper {
        self.sockets.stopper()
    }

    /// Returns a handle that reads and replaces the sites.
    pub fn sites_handle(&self) -> SitesHandle {
        SitesHandle(Arc::clone(&self.shared.sites))
    }

    /// Serves until it is stopped: then it takes no more connections, and exchanges and upgraded connections have some time to end.
    pub async fn run(self) {
        let shutdown = self.shared.settings.timeouts.shutdown;
        let shared = Arc::new(self.shared);
        let serve = move |stream, peer, permit, watcher| {
            let shared = Arc::clone(&shared);
            async move { shared.serve(stream, peer, permit, watcher).await }
        };
        self.sockets.run(shutdown, serve).await;
    }
}

/// Reads and replaces the sites of a running server. Clones are for the same server.
#[derive(Clone, Debug)]
pub struct SitesHandle(Arc<ArcSwap<Sites>>);

impl SitesHandle {
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
    counters: Arc<Counters>,
}

impl Shared {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr, permit: Arc<ConnectionPermit>, watcher: Watcher) {
        let Ok(own) = stream.local_addr() else { return };
        let ends = Ends { peer, own, is_encrypted: self.acceptor.is_some() };
        match &self.acceptor {
            None => self.speak(stream, ends, permit, watcher).await,
            Some(acceptor) => {
                let limit = self.settings.timeouts.head;
                // A client that gives up, or speaks something else, is not worth a word.
                match timeout(limit, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.speak(stream, ends, permit, watcher).await,
                    Ok(Err(_)) => {}
                    Err(_) => self.counters.time_out(Waiting::Handshake),
                }
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        ends: Ends,
        permit: Arc<ConnectionPermit>,
        watcher: Watcher,
    ) {
        let (service, sites, counters) = (self.service.clone(), Arc::clone(&self.sites), Arc::clone(&self.counters));
        let answer = move |mut request: http::Request<_>| {
            // Rules and upstream are those of one table, whatever replaces it meanwhile.
            let answer = match sites.load().route(request.uri(), request.headers(), request.version()) {
                Ok(route) => {
                    request.extensions_mut().insert(route);
                    request.extensions_mut().insert(ends);
                    request.extensions_mut().insert(Arc::clone(&permit));
                    Ok(service.clone().call(request))
                }
                Err(status) => Err(page(status)),
            };
            let counters = Arc::clone(&counters);
            async move {
                let response: Response<_> = match answer {
                    Ok(answer) => answer.await?.map(Either::Left),
                    Err(page) => page,
                };
                response.extensions().get::<Refusal>().inspect(|refusal| counters.refuse(refusal));
                Ok::<_, Infallible>(response)
            }
        };
        speak(stream, HttpVersions::Both, self.settings.timeouts, &self.counters, watcher, answer).await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
