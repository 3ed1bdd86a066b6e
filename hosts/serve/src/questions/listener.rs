//! A socket, and the answers to the questions that come to it.

use super::appsec::{self, Key};
use super::forward_auth;
use super::judge::Judge;
use crate::ServeError;
use crate::forwarded::Ends;
use crate::settings::{Settings, Timeouts};
use crate::sockets::{HttpVersions, RequestBytes, Sockets, Stopper};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use ipnet::IpNet;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Settings of a listener for questions.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The address.
    pub listen: SocketAddr,
    /// The networks of proxies that may ask, and whose word about the client counts.
    pub trusted: Vec<IpNet>,
    /// Times.
    pub timeouts: Timeouts,
    /// Maximum number of connections at once.
    pub max_connections: usize,
}

/// The protocol of a listener.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Caddy's `forward_auth`, Traefik's `forwardAuth`, nginx's `auth_request`.
    ForwardAuth {
        /// Answers name the rules that matched, which clients may see.
        rule_ids: bool,
    },
    /// CrowdSec's AppSec protocol.
    AppSec {
        /// The key of its clients.
        key: Option<Key>,
    },
}

/// An open socket for questions.
pub struct Listener {
    sockets: Sockets,
    answering: Answering,
}

/// Answers questions of one protocol.
pub struct Answering {
    pub judge: Judge,
    pub settings: Settings,
    pub asked: Asked,
}

impl Listener {
    /// Opens a socket. It must be called within tokio.
    ///
    /// # Errors
    /// If the address cannot be listened on; or if it can be reached from other machines, and the protocol needs a key that is not given.
    pub fn bind(settings: ListenerSettings, asked: Asked, judge: Judge) -> Result<Self, ServeError> {
        let ListenerSettings { listen, trusted, timeouts, max_connections } = settings;
        if matches!(asked, Asked::AppSec { key: None }) && !listen.ip().to_canonical().is_loopback() {
            return Err(ServeError::NoKey(listen));
        }
        let sockets = Sockets::open(&[listen], max_connections)?;
        let settings = Settings { listen: vec![listen], trusted, timeouts, max_connections, ..Settings::default() };
        Ok(Self { sockets, answering: Answering { judge, settings, asked } })
    }

    /// Returns the addresses of the socket.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.addresses()
    }

    /// Returns what ends the listener.
    pub fn stopper(&self) -> Stopper {
        self.sockets.stopper()
    }

    /// Answers until it is stopped: then questions that came have some time to be answered.
    pub async fn run(self) {
        let timeouts = self.answering.settings.timeouts;
        let answering = Arc::new(self.answering);
        let answer = move |request, peer, own| {
            let (answering, ends) = (Arc::clone(&answering), Ends { peer, own, is_encrypted: false });
            async move { answering.answer(request, ends).await }
        };
        self.sockets.answer(HttpVersions::Http1, timeouts, answer).await;
    }
}

impl Answering {
    async fn answer(&self, request: Request<RequestBytes>, ends: Ends) -> Response<Full<Bytes>> {
        match &self.asked {
            Asked::ForwardAuth { rule_ids } => forward_auth::answer(self, request, ends, *rule_ids).await,
            Asked::AppSec { key } => appsec::answer(self, request, ends, key.as_ref()).await,
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
