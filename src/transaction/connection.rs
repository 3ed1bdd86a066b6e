//! The connection of a request, and the host's names for the exchange.

use std::net::SocketAddr;

/// The connection of a request: its two ends, and the host's names for the exchange.
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
    /// Makes the connection between a client (REMOTE_ADDR, REMOTE_PORT) and the server (SERVER_ADDR, SERVER_PORT).
    ///
    /// An IPv4 address that is mapped into IPv6, such as `::ffff:192.0.2.7`, counts as the IPv4 address. With a load balancer in front, pass
    /// the address of the client, not of the balancer: address rules and bans use it.
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self { client, server, id: None, site: None, hostname: None, connector: None }
    }

    /// Sets the id of the exchange (UNIQUE_ID), so that logs of the host and of the engine agree. Without it the engine makes one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the site of the request, by a number of the host's choice; 0 is the only site of a host without others. Decision scripts, bans and rates
    /// use it. It takes precedence over `SecSiteId` and `SecSite`.
    pub fn site(mut self, site: u64) -> Self {
        self.site = Some(site);
        self
    }

    /// Sets the name of the server in logs. Without it logs have the server's address.
    pub fn hostname(mut self, name: impl Into<String>) -> Self {
        self.hostname = Some(name.into());
        self
    }

    /// Sets the name of the software that embeds the engine, such as `my-proxy 1.2`, for audit records.
    pub fn connector(mut self, name: impl Into<String>) -> Self {
        self.connector = Some(name.into());
        self
    }
}
