//! Keys of requests: the four combinations of address, host and path that plugins can ask for.

use crate::visit::Visit;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::net::IpAddr;

/// Parts of a request that make a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// The address.
    Ip,
    /// The address and the host.
    IpHost,
    /// The host and the path.
    HostUrlPath,
    /// The address, the host and the path.
    IpHostUrlPath,
}

impl Combination {
    /// All combinations.
    pub const ALL: [Self; 4] = [Self::Ip, Self::IpHost, Self::HostUrlPath, Self::IpHostUrlPath];
}

/// The key of all requests with the same address, host or path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// Requests of an address.
    Ip(IpAddr),
    /// Requests of an address to a host.
    IpHost(IpAddr, &'a str),
    /// Requests for a path of a host.
    HostUrlPath(&'a str, &'a [u8]),
    /// Requests of an address for a path of a host.
    IpHostUrlPath(IpAddr, &'a str, &'a [u8]),
}

impl<'a> Key<'a> {
    /// Returns the key of these parts, or `None` if they are not one of the four combinations.
    pub fn from_parts(ip: Option<IpAddr>, host: Option<&'a str>, url_path: Option<&'a [u8]>) -> Option<Self> {
        match (ip, host, url_path) {
            (Some(ip), None, None) => Some(Self::Ip(ip)),
            (Some(ip), Some(host), None) => Some(Self::IpHost(ip, host)),
            (None, Some(host), Some(url_path)) => Some(Self::HostUrlPath(host, url_path)),
            (Some(ip), Some(host), Some(url_path)) => Some(Self::IpHostUrlPath(ip, host, url_path)),
            _ => None,
        }
    }

    /// Returns the key of a request.
    pub fn of(visit: &Visit<'a>, combination: Combination) -> Self {
        match combination {
            Combination::Ip => Self::Ip(visit.ip),
            Combination::IpHost => Self::IpHost(visit.ip, visit.host),
            Combination::HostUrlPath => Self::HostUrlPath(visit.host, visit.url_path),
            Combination::IpHostUrlPath => Self::IpHostUrlPath(visit.ip, visit.host, visit.url_path),
        }
    }

    /// Returns the parts that the key has.
    pub fn combination(&self) -> Combination {
        match self {
            Self::Ip(..) => Combination::Ip,
            Self::IpHost(..) => Combination::IpHost,
            Self::HostUrlPath(..) => Combination::HostUrlPath,
            Self::IpHostUrlPath(..) => Combination::IpHostUrlPath,
        }
    }
}

/// Number that stands for a key in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHash(pub(crate) u64);

/// Makes numbers of keys, by SipHash under a random secret: clients choose hosts and paths, and must not be able to choose two with the same number.
#[derive(Clone, Debug, Default)]
pub struct KeyHasher {
    secret: RandomState,
}

impl KeyHasher {
    /// Makes a hasher with a new secret.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of a key. Keys of two combinations differ.
    pub fn hash(&self, key: &Key<'_>) -> KeyHash {
        let mut hasher = self.secret.build_hasher();
        let (ip, host, url_path) = match *key {
            Key::Ip(ip) => (Some(ip), None, None),
            Key::IpHost(ip, host) => (Some(ip), Some(host), None),
            Key::HostUrlPath(host, url_path) => (None, Some(host), Some(url_path)),
            Key::IpHostUrlPath(ip, host, url_path) => (Some(ip), Some(host), Some(url_path)),
        };
        hasher.write_u8(key.combination() as u8);
        match ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(ip)) => hasher.write_u32(ip.to_bits()),
            Some(IpAddr::V6(ip)) => hasher.write_u128(ip.to_bits()),
            None => {}
        }
        if let Some(host) = host {
            host.hash(&mut hasher);
        }
        if let Some(url_path) = url_path {
            hasher.write(url_path);
        }
        KeyHash(hasher.finish())
    }

    /// Returns the number of any bytes.
    pub(crate) fn hash_bytes(&self, bytes: &[u8]) -> KeyHash {
        let mut hasher = self.secret.build_hasher();
        hasher.write(bytes);
        KeyHash(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn exactly_four_combinations_are_keys() {
        let (host, url_path): (_, &[u8]) = ("a.example", b"/a");
        let mut keys = Vec::new();
        for bits in 0..8 {
            let part = |bit: u8| bits & bit != 0;
            let key = Key::from_parts(part(1).then_some(IP), part(2).then_some(host), part(4).then_some(url_path));
            assert_eq!(key.is_some(), [1, 3, 6, 7].contains(&bits), "{bits}");
            keys.extend(key);
        }
        assert_eq!(keys.iter().map(Key::combination).collect::<Vec<_>>(), Combination::ALL);
    }

    #[test]
    fn keys_differ_in_their_number_when_their_parts_differ() {
        let hasher = KeyHasher::new();
        let other = IpAddr::from([192, 0, 2, 8]);
        let keys = [
            Key::Ip(IP),
            Key::Ip(other),
            Key::IpHost(IP, ""),
            Key::IpHost(IP, "a"),
            Key::HostUrlPath("a", b"b"),
            Key::HostUrlPath("", b"ab"),
            Key::HostUrlPath("ab", b""),
            Key::IpHostUrlPath(IP, "a", b"b"),
            Key::IpHostUrlPath(other, "a", b"b"),
        ];
        for (place, first) in keys.iter().enumerate() {
            for (other_place, second) in keys.iter().enumerate() {
                assert_eq!(hasher.hash(first) == hasher.hash(second), place == other_place, "{first:?} {second:?}");
            }
        }
        assert_ne!(hasher.hash(&Key::Ip(IP)), KeyHasher::new().hash(&Key::Ip(IP)), "another secret");
    }

    #[test]
    fn an_ipv4_address_mapped_to_ipv6_is_the_ipv4_address() {
        let hasher = KeyHasher::new();
        let mapped = "::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(hasher.hash(&Key::Ip(mapped)), hasher.hash(&Key::Ip(IP)));
    }
}
