//! The client of a request, by its address: that of the peer, or the one that a trusted peer names.

use crate::graph::{ForwardedClient, TrustedSources};
use crate::http::forwarded;
use crate::state::Collections;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Prefix of peers on Unix sockets.
const UNIX_SOCKET: &[u8] = b"unix:";

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// `true` if a trusted peer named it; otherwise it is the peer.
    pub is_forwarded: bool,
}

/// Returns the client; `None` if the peer has no address, such as on a Unix socket, and no header names the client.
pub fn client(collections: &Collections, trusted: &TrustedSources) -> Option<Client> {
    let remote = collections.arena.read(collections.scalars.remote_addr);
    let peer = forwarded::address(remote);
    let is_trusted = match peer {
        Some(peer) => trusted.contains(peer),
        None => trusted.unix_sockets && remote.starts_with(UNIX_SOCKET),
    };
    let named = if is_trusted { named(collections, trusted) } else { None };
    Some(Client { address: named.or(peer)?, is_forwarded: named.is_some() })
}

/// Returns the client that a trusted peer names.
fn named(collections: &Collections, trusted: &TrustedSources) -> Option<IpAddr> {
    let read = |text| collections.arena.read(text);
    match trusted.client {
        None => {
            let real = collections.request_header(b"x-real-ip").and_then(|value| forwarded::address(read(value)));
            real.or_else(|| forwarded_for(collections).next().and_then(forwarded::address))
        }
        Some(ForwardedClient::First) => forwarded_for(collections).next().and_then(forwarded::address),
        Some(ForwardedClient::FromEnd(place)) => from_end(&forwarded_for(collections).collect::<Vec<_>>(), place),
        Some(ForwardedClient::LastUntrusted) => {
            let entries: Vec<_> = forwarded_for(collections).collect();
            last_untrusted(entries.iter().rev().map(|entry| forwarded::address(entry)), trusted)
        }
    }
}

/// Returns the entries of all `X-Forwarded-For` headers, in the order of their arrival.
fn forwarded_for(collections: &Collections) -> impl Iterator<Item = &[u8]> {
    let headers = collections.request_headers.iter();
    let values = headers.filter(|header| collections.arena.read(header.name).eq_ignore_ascii_case(b"x-forwarded-for"));
    values.flat_map(|header| collections.arena.read(header.value).split(|byte| *byte == b','))
}

/// Returns the n-th entry from the end. A shorter list did not come through all proxies, and gives `None`.
fn from_end(entries: &[&[u8]], place: NonZeroU32) -> Option<IpAddr> {
    let place = usize::try_from(place.get()).ok()?;
    forwarded::address(entries.get(entries.len().checked_sub(place)?)?)
}

/// Returns the first untrusted address of a list that is read from its end, or if all are trusted, the last one read. Entries beyond one that is not
/// an address are ignored.
fn last_untrusted(addresses: impl Iterator<Item = Option<IpAddr>>, trusted: &TrustedSources) -> Option<IpAddr> {
    let mut last = None;
    for address in addresses.map_while(|address| address) {
        last = Some(address);
        if !trusted.contains(address) {
            break;
        }
    }
    last
}
