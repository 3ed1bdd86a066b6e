//! Options of the filter.

use pingora_proxy::Session;
use secrule::{Connection, Waf};
use secrule_tower::host::{BLOCKING_FROM, HELD_LIMIT, Page, plain_page};
use std::net::SocketAddr;
use std::sync::Arc;

/// Tells the ends of a request's connection.
type Connect = dyn Fn(&Session) -> Connection + Send + Sync;

/// Chooses the rules of a request.
type Choose = dyn Fn(&Session) -> Option<Waf> + Send + Sync;

#[derive(Clone)]
pub struct Options {
    pub connection: Arc<Connect>,
    pub rules_by: Option<Arc<Choose>>,
    pub page: Arc<Page>,
    pub held_limit: usize,
    pub blocking_from: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connection: Arc::new(ends),
            rules_by: None,
            page: Arc::new(plain_page),
            held_limit: HELD_LIMIT,
            blocking_from: BLOCKING_FROM,
        }
    }
}

/// Returns the ends of the connection; 0.0.0.0 for those that have no address, as on a Unix socket.
fn ends(session: &Session) -> Connection {
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    let address =
        |address: Option<&pingora_core::protocols::l4::socket::SocketAddr>| address.and_then(|address| address.as_inet()).copied();
    Connection::new(address(session.client_addr()).unwrap_or(unknown), address(session.server_addr()).unwrap_or(unknown))
}
