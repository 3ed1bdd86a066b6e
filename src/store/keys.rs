//! Keys of the entries of a store: records, and the requests that a ban or a limit means.

use crate::graph::{PersistentCollection, SiteId};
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

/// Maximum length of the host in keys of bans and limits, in bytes.
const MAX_HOST: usize = 255;

/// Maximum length of the path in keys of bans and limits, in bytes. Longer hosts and paths are cut, in the keys of requests as in those of bans: the
/// script host, which bans, knows no more of them.
pub const MAX_URL_PATH: usize = 700;

/// The key of a record: the variables of one address, session, user or resource, or of all requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RecordKey {
    /// The collection.
    pub collection: PersistentCollection,
    /// The key that `initcol`, `setsid`, `setuid` or `setrsc` gave; empty if none did.
    pub key: Box<[u8]>,
    /// `SecWebAppId` for RESOURCE, SESSION and USER; empty for GLOBAL and IP, which web applications share.
    pub web_app: Box<str>,
}

/// The requests that a ban or a limit means: those that have all of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RequestKey {
    /// A site; `None` for all sites.
    pub site: Option<SiteId>,
    /// The address of a client.
    pub ip: Option<IpAddr>,
    /// A host in lower case, without port, as [`key_host`] makes it.
    pub host: Option<Box<str>>,
    /// A path of a URL without query, as [`key_url_path`] makes it.
    pub url_path: Option<Box<[u8]>>,
    /// `true` for a ban that decision scripts made: it stands on the blacklist that scripts ask, and they decide what it means. Other bans deny requests.
    pub only_for_scripts: bool,
}

/// A number of requests in a time: the generic cell rate algorithm with the parameters of `SecRateLimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// The time in which one request becomes possible.
    pub interval: Duration,
    /// Number of requests at once.
    pub burst: u32,
}

/// A ban or a limit, and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ban {
    /// The requests that it means.
    pub key: RequestKey,
    /// Its end.
    pub until: std::time::SystemTime,
}

impl RecordKey {
    /// The record of a collection with a key, of a web application.
    pub fn new(collection: PersistentCollection, key: &[u8], web_app: &str) -> Self {
        Self { collection, key: key.into(), web_app: web_app.into() }
    }
}

impl RequestKey {
    /// The requests of an address to one site, or to all sites.
    pub fn of_address(site: Option<SiteId>, address: IpAddr) -> Self {
        Self { site, ip: Some(address.to_canonical()), ..Self::default() }
    }

    /// Returns every key of a ban or limit that denies a request: each of its parts is in a key or not, and no key is empty. The host may be in any case,
    /// and may end with dots.
    pub fn all_of(site: Option<SiteId>, ip: Option<IpAddr>, host: &[u8], url_path: &[u8]) -> Vec<Self> {
        let host = Some(key_host(host)).filter(|host| !host.is_empty());
        let url_path = Some(key_url_path(url_path)).filter(|path| !path.is_empty());
        let ip = ip.map(|ip| ip.to_canonical());
        let all = (0..16_u8).filter_map(|parts| {
            let with = |part: u8| parts & part != 0;
            // A part that the request lacks is in no key, so that no key comes twice.
            let lacks =
                (with(1) && site.is_none()) || (with(2) && ip.is_none()) || (with(4) && host.is_none()) || (with(8) && url_path.is_none());
            (parts > 1 && !lacks).then(|| Self {
                site: site.filter(|_| with(1)),
                ip: ip.filter(|_| with(2)),
                host: host.as_deref().filter(|_| with(4)).map(Box::from),
                url_path: url_path.filter(|_| with(8)).map(Box::from),
                only_for_scripts: false,
            })
        });
        all.collect()
    }

    /// The same requests, in a ban that is only on the blacklist that decision scripts ask.
    #[must_use]
    pub fn only_for_scripts(self) -> Self {
        Self { only_for_scripts: true, ..self }
    }

    /// Those of these requests that go to a host.
    #[must_use]
    pub fn with_host(self, host: &str) -> Self {
        Self { host: Some(key_host(host.as_bytes()).into()), ..self }
    }

    /// Those of these requests that go to a path, as in `REQUEST_FILENAME`.
    #[must_use]
    pub fn with_url_path(self, path: &[u8]) -> Self {
        Self { url_path: Some(key_url_path(path).into()), ..self }
    }

    /// The requests to a host, of one site or of all sites.
    pub fn of_host(site: Option<SiteId>, host: &str) -> Self {
        Self { site, ..Self::default() }.with_host(host)
    }
}

/// Returns a host as keys have it: in lower case, without dots at its end, as UTF-8 with U+FFFD for what is not, and at most 255 bytes long. The host
/// of a key stays as it is.
pub fn key_host(host: &[u8]) -> Cow<'_, str> {
    let host = match String::from_utf8_lossy(host) {
        Cow::Borrowed(text) => Cow::Borrowed(kept(text)),
        Cow::Owned(text) => Cow::Owned(kept(&text).to_owned()),
    };
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(host.to_ascii_lowercase()) } else { host }
}

fn kept(host: &str) -> &str {
    // Cut first: a dot may be the last byte that is kept.
    let cut = if host.len() <= MAX_HOST { host } else { (0..=MAX_HOST).rev().find_map(|end| host.get(..end)).unwrap_or_default() };
    cut.trim_end_matches('.')
}

/// Returns a path as keys have it: its first 700 bytes.
pub fn key_url_path(path: &[u8]) -> &[u8] {
    path.get(..MAX_URL_PATH).unwrap_or(path)
}

impl Ban {
    /// A ban of requests, or a limit, until a time.
    pub const fn new(key: RequestKey, until: std::time::SystemTime) -> Self {
        Self { key, until }
    }
}

impl Quota {
    /// A quota of this number of requests in each period, of which `burst` may come at once.
    pub fn new(requests: u32, period: Duration, burst: u32) -> Self {
        Self { interval: period / requests.max(1), burst: burst.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_key_stays_as_it_is() {
        let dots = [&[b'a'; 254][..], b"..b.example"].concat();
        let sliced = [&[b'a'; 254][..], "ü.example".as_bytes()].concat();
        let broken = [0xFF; 300];
        let hosts: [(&[u8], &str); 6] = [
            (b"Shop.Example..", "shop.example"),
            (b"shop\xFF.example", "shop\u{FFFD}.example"),
            (&dots, &"a".repeat(254)),
            (&sliced, &"a".repeat(254)),
            (&broken, &"\u{FFFD}".repeat(85)),
            (b".", ""),
        ];
        for (host, expected) in hosts {
            let once = key_host(host);
            assert_eq!((&*once, &*key_host(once.as_bytes())), (expected, expected));
        }
    }

    #[test]
    fn a_ban_of_a_long_path_means_the_requests_for_it() {
        let (host, path) = ([0xFF; 300], [b'/'; 900]);
        let ban = RequestKey::of_host(None, &key_host(&host)).with_url_path(key_url_path(&path));
        assert!(RequestKey::all_of(None, None, &host, &path).contains(&ban));
        assert_eq!(ban, RequestKey::of_host(None, &String::from_utf8_lossy(&host)).with_url_path(&path));
    }
}
