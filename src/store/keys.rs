//! What a store is asked about: records, and the requests that a ban or a limit means.

use crate::graph::{PersistentCollection, SiteId};
use std::net::IpAddr;
use std::time::Duration;

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
    /// A host, in lower case and without port.
    pub host: Option<Box<str>>,
    /// A path of a URL, without query.
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

    /// Returns every key of a ban or limit that denies a request: each of its parts is in a key or not, and no key is empty. The host may be in any case, and may end with
    /// a dot.
    pub fn all_of(site: Option<SiteId>, ip: Option<IpAddr>, host: &[u8], url_path: &[u8]) -> Vec<Self> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let host = Some(String::from_utf8_lossy(host).to_ascii_lowercase()).filter(|host| !host.is_empty());
        let url_path = Some(url_path).filter(|path| !path.is_empty());
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
        Self { host: Some(host.to_ascii_lowercase().into()), ..self }
    }

    /// Those of these requests that go to a path, as in `REQUEST_FILENAME`.
    #[must_use]
    pub fn with_url_path(self, path: &[u8]) -> Self {
        Self { url_path: Some(path.into()), ..self }
    }

    /// The requests to a host, of one site or of all sites.
    pub fn of_host(site: Option<SiteId>, host: &str) -> Self {
        Self { site, host: Some(host.to_ascii_lowercase().into()), ..Self::default() }
    }
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
