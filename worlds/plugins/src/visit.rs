//! A request, as statistics and top lists count it.

use std::net::IpAddr;
use std::time::Duration;

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// Unix seconds at which the host received the record of the request. A request that took long counts when it ends: earlier seconds are closed.
    pub second: u64,
    /// Address of the client. An IPv4 address mapped to IPv6 counts as IPv4.
    pub ip: IpAddr,
    /// Host in lower case, without the port.
    pub host: &'a str,
    /// Path without the query.
    pub url_path: &'a [u8],
    /// Values of the sessions of the request, each of which counts in the lists of sessions.
    pub sessions: &'a [&'a [u8]],
    /// Status of the response, or 0 if there was none.
    pub status: u16,
    /// Time that the backend took until its response began.
    pub backend: Duration,
    /// `true` if the request was denied or has an attack log: top lists count it, statistics do not.
    pub is_attack: bool,
}
