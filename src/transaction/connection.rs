//! The connection that a request arrives on, and the names that a host gives to the exchange.

use std::net::SocketAddr;

/// The connection that a request arrived on: both ends, and what the host calls the exchange.
///
/// ```
/// use secrule::Connection;
///
/// let connection = Connection::new("192.0.2.7:40000".parse()?, "198.51.100.1:443".parse()?).id("req-1").site(3);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Connection {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) id: Option<String>,
    pub(super) site: Option<u64>,
    pub(super) hostname: Option<String>,
    pub(super) connector: Option<String>,
}

impl Connection {
    /// The connection between a client (REMOTE_ADDR, REMOTE_PORT) and the server (SERVER_ADDR, SERVER_PORT).
    ///
    /// An IPv4 address that is mapped into IPv6, such as `::ffff:192.0.2.7`, counts as the IPv4 address. Behind a load balancer the client is
    /// the peer that the host trusts to be one, not the balancer: address rules and bans go by it.
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self { client, server, id: None, site: None, hostname: None, connector: None }
    }

    /// Names the exchange (UNIQUE_ID), so that logs of the host and of the engine agree. Without it the engine makes an id of its own.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Names the site that the request is for, by a number of the host's choice; 0 is the one site of a host that has no others. Decision
    /// scripts, bans and rates go by it. It counts more than `SecSiteId` and `SecSite`.
    pub fn site(mut self, site: u64) -> Self {
        self.site = Some(site);
        self
    }

    /// Names the server in logs. Without it logs show the server's address.
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.hostname = Some(name.into());
        self
    }

    /// Names the software that embeds the engine, such as `my-proxy 1.2`, in audit records.
    pub fn connector(mut self, name: impl Into<String>) -> Self {
        self.connector = Some(name.into());
        self
    }
}
