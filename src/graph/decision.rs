//! Lists of addresses, rates, crawlers: data for decision scripts, and lists of the store that deny requests.

use crate::operator::AddressSet;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A site that the host distinguishes; 0 if it does not, and in settings for all sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteId(pub u64);

/// The values of `SecIpList`, `SecRateLimit`, `SecCrawlerFile`, `SecTrustedSource` and `SecSite`.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// `SecIpList`
    pub lists: Vec<AddressList>,
    /// `SecRateLimit`
    pub rates: Vec<RateLimit>,
    /// `SecCrawlerFile`: crawlers in addition to the built-in ones.
    pub crawlers: Vec<Crawler>,
    /// `SecTrustedSource`: peers whose headers name the client.
    pub trusted: TrustedSources,
    /// `SecSite`: hosts and their sites, in the order of the files.
    pub sites: Vec<Site>,
}

/// Peers, such as proxies, that are trusted to name the client.
#[derive(Clone, Debug, Default)]
pub struct TrustedSources {
    /// Their addresses.
    pub addresses: Vec<Arc<AddressSet>>,
    /// `true` if they include peers on Unix sockets, which have no address.
    pub unix_sockets: bool,
    /// The header field that names the client.
    pub client: Option<ForwardedClient>,
}

/// The place where a trusted peer names the client. By default it is `X-Real-IP`, or else the first of `X-Forwarded-For`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedClient {
    /// The first of `X-Forwarded-For`: correct if the outermost proxy replaces the header.
    First,
    /// The last of `X-Forwarded-For` that is not itself a trusted source.
    LastUntrusted,
    /// The n-th of `X-Forwarded-For` from its end, 1 for the last: correct if n proxies each add one.
    FromEnd(NonZeroU32),
}

/// A host, or all hosts below a domain, and its site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The site.
    pub site: SiteId,
    /// The host in lower case; for `*.example.com` it is `.example.com`.
    pub host: Box<str>,
}

impl TrustedSources {
    /// Returns `true` if they include an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|addresses| addresses.contains_address(address))
    }

    fn append(&mut self, mut later: TrustedSources) {
        self.addresses.append(&mut later.addresses);
        self.unix_sockets |= later.unix_sockets;
        self.client = self.client.or(later.client);
    }
}

impl Site {
    /// Reads `shop.example` or `*.shop.example`; `None` for anything else.
    pub fn new(site: SiteId, host: &str) -> Option<Self> {
        let host = host.to_ascii_lowercase();
        let name = host.strip_prefix("*.").unwrap_or(&host);
        let is_address =
            name.strip_prefix('[').and_then(|inside| inside.strip_suffix(']')).is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok());
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let is_domain = name.len() < host.len();
        (is_name || is_address && !is_domain)
            .then(|| Self { site, host: if is_domain { format!(".{name}") } else { name.to_owned() }.into() })
    }

    /// Returns `true` for a host of the site; `host` is in lower case and without a port.
    fn is_of(&self, host: &str) -> bool {
        if self.host.starts_with('.') { host.len() > self.host.len() && host.ends_with(&*self.host) } else { *self.host == *host }
    }
}

/// A list of addresses and networks.
#[derive(Clone, Debug)]
pub struct AddressList {
    /// Its site.
    pub site: SiteId,
    /// `true` for a whitelist, `false` for a blacklist.
    pub is_allow_list: bool,
    /// The addresses.
    pub addresses: Arc<AddressSet>,
    /// Names of lists in the store, whose addresses are on it too.
    pub names: Vec<Box<str>>,
}

impl AddressList {
    /// Maximum length of the name of a list in the store.
    const LONGEST_NAME: usize = 64;

    /// Returns `true` for a text that may be the name of a list in the store.
    pub fn is_name(text: &str) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        (1..=Self::LONGEST_NAME).contains(&text.len()) && text.bytes().all(is_part)
    }
}

/// A request rate for each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Its site.
    pub site: SiteId,
    /// Number of requests in a period.
    pub requests: NonZeroU32,
    /// The period.
    pub period: Duration,
    /// Number of requests at once.
    pub burst: NonZeroU32,
}

/// A crawler whose addresses can be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crawler {
    /// Part of its user agent, in lower case.
    pub token: Box<str>,
    /// Domains of its addresses, in lower case.
    pub domains: Vec<Box<str>>,
}

/// The built-in crawlers.
static KNOWN: LazyLock<Vec<Crawler>> = LazyLock::new(|| Crawler::parse(include_str!("../../crs/crawlers.data")).unwrap_or_default());

impl Decisions {
    /// Adds the values of a later load.
    pub fn append(&mut self, mut later: Decisions) {
        self.lists.append(&mut later.lists);
        self.rates.append(&mut later.rates);
        self.crawlers.append(&mut later.crawlers);
        self.trusted.append(later.trusted);
        self.sites.append(&mut later.sites);
    }

    /// Returns the names of lists in the store that lists have, in their order, some perhaps several times.
    pub fn list_names(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().flat_map(|list| &list.names).map(|name| &**name)
    }

    /// Returns the site of a host in a `Host` header, without its port; the first match counts.
    pub fn site_of(&self, host: &[u8]) -> Option<SiteId> {
        let host = std::str::from_utf8(host).ok().filter(|_| !self.sites.is_empty())?.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        self.sites.iter().find(|site| site.is_of(host)).map(|site| site.site)
    }

    /// Returns the crawler that a user agent names; those of the settings come before the built-in ones.
    pub fn crawler(&self, user_agent: &[u8]) -> Option<&Crawler> {
        let agent = String::from_utf8_lossy(user_agent).to_ascii_lowercase();
        self.crawlers.iter().chain(KNOWN.iter()).find(|crawler| agent.contains(&*crawler.token))
    }
}

impl Crawler {
    /// Reads a list: on each line a part of a user agent and its domains, separated by blanks; `_` in the part stands for a blank, `#` begins a
    /// comment.
    ///
    /// # Errors
    /// The number of the first invalid line, from 1.
    pub fn parse(text: &str) -> Result<Vec<Self>, usize> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim()));
        let crawlers = lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| {
            let mut words = line.split_ascii_whitespace().map(str::to_ascii_lowercase);
            let token = words.next().unwrap_or_default().replace('_', " ").into();
            let domains: Vec<Box<str>> = words.map(Box::from).collect();
            let are_domains = domains
                .iter()
                .all(|domain| domain.contains('.') && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
            if domains.is_empty() || !are_domains { Err(number) } else { Ok(Self { token, domains }) }
        });
        crawlers.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_crawlers_can_be_read_and_settings_come_first() {
        assert!(KNOWN.len() > 5);
        let agent = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        let mut decisions = Decisions::default();
        assert!(decisions.crawler(agent).unwrap().domains.iter().any(|domain| **domain == *"googlebot.com"));
        decisions.crawlers = Crawler::parse("googlebot example.org # ours\n\nOur_Bot example.com").unwrap();
        assert_eq!(*decisions.crawler(agent).unwrap().domains, [Box::from("example.org")]);
        assert!(decisions.crawler(b"our bot/1").is_some());
        assert!(decisions.crawler(b"curl/8").is_none());
    }

    #[test]
    fn hosts_name_their_sites() {
        let sites = [(1, "Shop.example"), (2, "*.shop.example"), (3, "[2001:db8::1]")];
        let sites = sites.map(|(site, host)| Site::new(SiteId(site), host).unwrap()).to_vec();
        let decisions = Decisions { sites, ..Decisions::default() };
        let site = |host: &str| decisions.site_of(host.as_bytes()).map(|site| site.0);
        assert_eq!((site("SHOP.example"), site("shop.example."), site("a.b.shop.example")), (Some(1), Some(1), Some(2)));
        assert_eq!((site("[2001:db8::1]"), site("evilshop.example"), site(".shop.example"), site("")), (Some(3), None, None, None));
        for wrong in ["", "*", "*.", "a b", "a/b", "a:80", "*.[::1]"] {
            assert_eq!(Site::new(SiteId(1), wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        assert_eq!(Crawler::parse("a example.com\nlonely"), Err(2));
        assert_eq!(Crawler::parse("a exa mple"), Err(1));
    }
}
