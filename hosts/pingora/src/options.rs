//! Options of the filter.

use pingora_proxy::Session;
use secrule::Connection;
use std::net::SocketAddr;

/// Options of the filter, whose requests are sessions of Pingora.
pub type Options = secrule_tower::host::Options<Session>;

/// Returns the ends of the connection; 0.0.0.0 for those that have no address, as on a Unix socket.
pub fn ends(session: &Session) -> Connection {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    let address =
        |address: Option<&pingora_core::protocols::l4::socket::SocketAddr>| address.and_then(|address| address.as_inet()).copied();
    Connection::new(address(session.client_addr()).unwrap_or(unknown), address(session.server_addr()).unwrap_or(unknown))
}
