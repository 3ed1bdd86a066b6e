//! Names of hosts: those that a site answers to, and the one that a request names.

use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderMap, Uri};
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// Maximum length of a name in the DNS.
const MAX_NAME: usize = 253;

/// Hosts that a site answers to: `shop.example`, `*.shop.example` for all names below it, `192.0.2.7`, or `[2001:db8::1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// The name without `*.`, in canonical form.
    pub(crate) name: String,
    pub(crate) is_wildcard: bool,
}

/// A text that is not a host of a site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a host: write a name such as shop.example, *.shop.example for all names below it, or an address, without scheme, port and path"
)]
pub struct BadHost(String);

/// A host and its port, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub name: String,
    pub port: Option<u16>,
}

/// Reason why the host of a request is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclear;

impl Host {
    /// Reads a host: in lower case, without the dot at its end. `None` if the text is not one.
    pub fn read(text: &str) -> Option<Self> {
        let (name, rest) = match text.strip_prefix('[') {
            Some(inner) => {
                let (address, rest) = inner.split_once(']')?;
                (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                (canonical_name(name)?, rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        Some(Self { name, port })
    }

    /// Returns the host that a request names: that of its target, or of its `Host` header. A request that names several is refused, because each server on
    /// its way may take another one. A host that is not one has no name here; `None` if there is none.
    ///
    /// # Errors
    /// If there are several `Host` headers, or the header and the target disagree.
    pub fn of_request(uri: &Uri, headers: &HeaderMap) -> Result<Option<Result<Self, Unclear>>, Unclear> {
        let mut named = headers.get_all(HOST).iter();
        let header = named.next();
        if named.next().is_some() {
            return Err(Unclear);
        }
        let read = |text: &str| Self::read(text).ok_or(Unclear);
        let header_host = header.map(|value| value.to_str().map_err(|_| Unclear).and_then(read));
        let Some(authority) = uri.authority() else { return Ok(header_host) };
        let target_host = read(authority.as_str());
        let agree = match (&header_host, &target_host) {
            (None, _) => true,
            (Some(Ok(header)), Ok(target)) => header.is_same(target, uri.scheme()),
            // Neither can be read: they are the same text, or two.
            (Some(Err(_)), Err(_)) => header.is_some_and(|header| header.as_bytes() == authority.as_str().as_bytes()),
            _ => false,
        };
        if agree { Ok(Some(target_host)) } else { Err(Unclear) }
    }

    fn is_same(&self, other: &Self, scheme: Option<&Scheme>) -> bool {
        let default = scheme.map(|scheme| if *scheme == Scheme::HTTPS { 443 } else { 80 });
        let port = |host: &Self| host.port.or(default);
        self.name == other.name && port(self) == port(other)
    }
}

impl FromStr for HostPattern {
    type Err = BadHost;

    fn from_str(text: &str) -> Result<Self, BadHost> {
        let bare = text.strip_prefix("*.");
        let host = Host::read(bare.unwrap_or(text)).filter(|host| host.port.is_none() && !text.ends_with(':'));
        let host = host.filter(|host| bare.is_none() || !host.name.starts_with('['));
        host.map(|host| Self { name: host.name, is_wildcard: bare.is_some() }).ok_or_else(|| BadHost(text.to_owned()))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_wildcard { "*." } else { "" }, self.name)
    }
}

/// Returns a name in lower case, without the dot at its end.
fn canonical_name(name: &str) -> Option<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (name.len() <= MAX_NAME && name.split('.').all(is_label)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn of(target: &str, hosts: &[&str]) -> String {
        let headers = hosts.iter().map(|host| (HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap())).collect();
        match Host::of_request(&target.parse().unwrap(), &headers) {
            Ok(None) => "none".to_owned(),
            Ok(Some(Ok(host))) => host.name,
            Ok(Some(Err(_))) => "no host".to_owned(),
            Err(_) => "unclear".to_owned(),
        }
    }

    #[test]
    fn a_host_has_one_form() {
        for text in ["shop.example", "SHOP.example.", "shop.example:8080", "Shop.Example.:80", "shop.example:"] {
            assert_eq!(of("/", &[text]), "shop.example", "{text}");
        }
        assert_eq!(of("/", &["[2001:DB8:0:0::1]:443"]), "[2001:db8::1]");
        assert_eq!(of("/", &["192.0.2.7:80"]), "192.0.2.7");
        let long = "a".repeat(254);
        for text in [
            "",
            ".",
            "a..b",
            "shop.example..",
            "shop example",
            "[::1",
            "[::1]x",
            "::1",
            "a:b",
            "a:99999",
            "a:+80",
            "user@a",
            "a/b",
            "ä",
            &long,
        ] {
            assert_eq!(of("/", &[text]), "no host", "{text}");
        }
        assert_eq!(of("/", &[]), "none");
    }

    #[test]
    fn a_request_that_names_two_hosts_is_refused() {
        assert_eq!(of("http://shop.example/", &[]), "shop.example");
        assert_eq!(of("http://SHOP.example/", &["shop.example:80"]), "shop.example");
        assert_eq!(of("https://shop.example/", &["shop.example.:443"]), "shop.example");
        assert_eq!(of("http://shop.example/", &["blog.example"]), "unclear");
        assert_eq!(of("http://shop.example:81/", &["shop.example"]), "unclear");
        assert_eq!(of("http://shop.example/", &["shop example"]), "unclear");
        assert_eq!(of("/", &["shop.example", "shop.example"]), "unclear");
    }

    #[test]
    fn hosts_of_sites_are_read() {
        for (text, shown) in [("Shop.example", "shop.example"), ("*.Shop.example", "*.shop.example"), ("[::1]", "[::1]")] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), shown);
        }
        for wrong in [
            "",
            "*",
            "*.",
            "shop.*",
            "a*.shop.example",
            "http://shop.example",
            "shop.example:80",
            "shop.example/x",
            "*.[::1]",
            "bücher.example",
        ] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }
}
