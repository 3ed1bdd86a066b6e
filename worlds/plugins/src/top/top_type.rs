//! Types of lists, and the keys of visits in them.

use super::list::TopEntry;
use crate::visit::Visit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Maximum length of a text in a key, in bytes.
const TEXT_BYTES: usize = 1 << 10;

/// Parts of a request that make a key of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopType {
    /// `TOP_IP`
    Ip,
    /// `TOP_IP_HOST`
    IpHost,
    /// `TOP_HOST_URLPATH`
    HostUrlPath,
    /// `TOP_IP_HOST_URLPATH`
    IpHostUrlPath,
    /// `TOP_SESSION`
    Session,
    /// `TOP_IP_SESSION`
    IpSession,
    /// `TOP_SESSION_HOST`
    SessionHost,
    /// `TOP_SESSION_HOST_URLPATH`
    SessionHostUrlPath,
}

impl TopType {
    /// All types.
    pub const ALL: [Self; 8] = [
        Self::Ip,
        Self::IpHost,
        Self::HostUrlPath,
        Self::IpHostUrlPath,
        Self::Session,
        Self::IpSession,
        Self::SessionHost,
        Self::SessionHostUrlPath,
    ];

    /// Returns `true` if keys have a session.
    pub fn has_session(self) -> bool {
        matches!(self, Self::Session | Self::IpSession | Self::SessionHost | Self::SessionHostUrlPath)
    }

    /// Returns `true` if keys have an address.
    pub fn has_ip(self) -> bool {
        matches!(self, Self::Ip | Self::IpHost | Self::IpHostUrlPath | Self::IpSession)
    }

    /// Returns `true` if keys have a host.
    pub fn has_host(self) -> bool {
        matches!(self, Self::IpHost | Self::HostUrlPath | Self::IpHostUrlPath | Self::SessionHost | Self::SessionHostUrlPath)
    }

    /// Returns `true` if keys have a path.
    pub fn has_url_path(self) -> bool {
        matches!(self, Self::HostUrlPath | Self::IpHostUrlPath | Self::SessionHostUrlPath)
    }

    /// Writes the key of a visit: its parts in a fixed order, each with its length.
    pub(super) fn write_key(self, visit: &Visit<'_>, session: &[u8], key: &mut Vec<u8>) {
        key.clear();
        if self.has_ip() {
            match visit.ip.to_canonical() {
                IpAddr::V4(ip) => write_part(&ip.octets(), key),
                IpAddr::V6(ip) => write_part(&ip.octets(), key),
            }
        }
        if self.has_session() {
            write_part(session, key);
        }
        if self.has_host() {
            write_part(visit.host.as_bytes(), key);
        }
        if self.has_url_path() {
            write_part(visit.url_path, key);
        }
    }

    /// Reads a key that [`Self::write_key`] wrote.
    pub(super) fn read_key(self, mut key: &[u8], count: u64) -> TopEntry {
        let mut part = |is_there: bool| if is_there { read_part(&mut key) } else { None };
        TopEntry {
            ip: part(self.has_ip()).and_then(address),
            session: part(self.has_session()).map(<[u8]>::to_vec),
            host: part(self.has_host()).map(|host| String::from_utf8_lossy(host).into_owned()),
            url_path: part(self.has_url_path()).map(<[u8]>::to_vec),
            count,
        }
    }
}

/// Returns an address from its bytes.
fn address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

fn write_part(part: &[u8], key: &mut Vec<u8>) {
    let part = part.get(..TEXT_BYTES).unwrap_or(part);
    key.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend_from_slice(part);
}

fn read_part<'k>(key: &mut &'k [u8]) -> Option<&'k [u8]> {
    let (length, rest) = key.split_first_chunk::<2>()?;
    let (part, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    *key = rest;
    Some(part)
}
