//! Destinations that `SecScriptConnect` allows beside public addresses, ports 80 and 443.

use super::target::{self, Target};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Argument of `SecScriptConnect`: a host name, the names below a domain, an address or a network, and a port.
///
/// | text | allows |
/// | --- | --- |
/// | `hooks.example.com:8443` | this host, port 8443, at public addresses that are not of this machine |
/// | `*.example.com:*` | all names that end with `.example.com`, all ports, at the same addresses |
/// | `10.1.2.3:*` | this address, all ports |
/// | `10.0.0.0/8` | these addresses, ports 80 and 443, whatever name led to them |
/// | `fd00::/8`, `[fd00::/8]:8080` | the same; with a port, an IPv6 address or network stands in brackets |
///
/// ```
/// use secrule_host::outgoing::{Allowed, Destination};
///
/// let allowed: Allowed = ["10.0.0.0/8", "hooks.example.com:8443"].iter().map(|text| text.parse::<Destination>()).collect::<Result<_, _>>()?;
/// let error = "https://hooks.example.com/".parse::<Destination>().unwrap_err();
/// assert_eq!(error.problem(), "is an address of a page");
/// assert_eq!(error.remedy(), "name the host and the port, such as hooks.example.com:8443");
/// # drop(allowed);
/// # Ok::<(), secrule_host::outgoing::InvalidDestination>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    place: Place,
    ports: Ports,
}

/// The destinations of all `SecScriptConnect`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Destination>);

/// An argument of `SecScriptConnect` that is not a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDestination {
    text: String,
    problem: &'static str,
    remedy: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Name(String),
    /// The end of names, which begins with a dot.
    Below(String),
    Network(IpNet),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    /// 80 and 443.
    Web,
    One(u16),
    All,
}

/// Returns `true` for the ports that are allowed if nothing is said.
pub fn is_web(port: u16) -> bool {
    matches!(port, 80 | 443)
}

impl Allowed {
    /// Returns `true` if the host is named with the port.
    pub fn has_name(&self, target: &Target) -> bool {
        target.address.is_none()
            && self.0.iter().any(|destination| destination.ports.contain(target.port) && destination.is_name(&target.host))
    }

    /// Returns `true` if the address is in a network that is named. An IPv6 address that stands for an IPv4 address is the same as that.
    pub fn has_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        let has = |place: &Place| matches!(place, Place::Network(network) if network.contains(&address));
        self.0.iter().any(|destination| destination.ports.contain(port) && has(&destination.place))
    }
}

impl FromIterator<Destination> for Allowed {
    fn from_iter<T: IntoIterator<Item = Destination>>(destinations: T) -> Self {
        Self(destinations.into_iter().collect())
    }
}

impl Destination {
    fn is_name(&self, host: &str) -> bool {
        match &self.place {
            Place::Name(name) => name == host,
            Place::Below(end) => host.len() > end.len() && host.ends_with(end.as_str()),
            Place::Network(_) => false,
        }
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        parse(text).map_err(|(problem, remedy)| InvalidDestination { text: text.to_owned(), problem, remedy })
    }
}

impl Ports {
    fn contain(self, port: u16) -> bool {
        match self {
            Self::Web => is_web(port),
            Self::One(one) => one == port,
            Self::All => true,
        }
    }
}

impl InvalidDestination {
    /// The argument.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Completes the sentence that begins with the argument.
    pub fn problem(&self) -> &str {
        self.problem
    }

    /// Tells what to write.
    pub fn remedy(&self) -> &str {
        self.remedy
    }
}

impl fmt::Display for InvalidDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}: {}", self.text.escape_debug(), self.problem, self.remedy)
    }
}

impl std::error::Error for InvalidDestination {}

/// A problem and its remedy.
type Fault = (&'static str, &'static str);

const BRACKETS: Fault = ("has a port after an IPv6 address without brackets", "write [ADDRESS]:PORT, such as [2001:db8::1]:8080");

fn parse(text: &str) -> Result<Destination, Fault> {
    if text.contains("://") {
        return Err(("is an address of a page", "name the host and the port, such as hooks.example.com:8443"));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (place, port) = rest.split_once(']').ok_or(("has no closing bracket", "write [ADDRESS]:PORT, such as [2001:db8::1]:8080"))?;
        let network = network(place).filter(|network| matches!(network, IpNet::V6(_)));
        let network =
            network.ok_or(("has brackets around what is not an IPv6 address", "write [ADDRESS]:PORT, such as [2001:db8::1]:8080"))?;
        let ports = if port.is_empty() { Ports::Web } else { ports(port.strip_prefix(':').ok_or(BRACKETS)?)? };
        return Ok(Destination { place: of_network(network)?, ports });
    }
    // An IPv6 address has colons, too.
    if let Some(network) = network(text) {
        return Ok(Destination { place: of_network(network)?, ports: Ports::Web });
    }
    let (place, port) = text.rsplit_once(':').map_or((text, None), |(place, port)| (place, Some(port)));
    if place.contains(':') {
        return Err(BRACKETS);
    }
    let ports = port.map_or(Ok(Ports::Web), ports)?;
    let place = network(place).map_or_else(|| of_name(place), of_network)?;
    Ok(Destination { place, ports })
}

fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.ok().map(|network| network.trunc())
}

fn of_network(network: IpNet) -> Result<Place, Fault> {
    match network {
        IpNet::V6(v6) if v6.network().to_ipv4_mapped().is_some() && v6.prefix_len() >= 96 => {
            Err(("is an IPv4 address in the form of IPv6", "write the IPv4 address, such as 10.0.0.0/8"))
        }
        network => Ok(Place::Network(network)),
    }
}

fn of_name(text: &str) -> Result<Place, Fault> {
    if matches!(text, "" | "*" | "*.") {
        return Err(("names no host", "name hosts, or the network of all addresses, 0.0.0.0/0"));
    }
    if text.contains('/') {
        return Err(("is not a network", "write an address and the length of its prefix, such as 10.0.0.0/8; paths cannot be named"));
    }
    let (below, bare) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
    let name = target::name(bare);
    let name = name.ok_or(("is not a host name", "write a name in ASCII, such as hooks.example.com or *.example.com, or an address"))?;
    // As in the URL standard: such a host is an address, and these spellings of addresses are not names.
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(("is not a host name", "write an address in its usual form, such as 10.1.2.3"));
    }
    Ok(if below { Place::Below(format!(".{name}")) } else { Place::Name(name) })
}

fn ports(text: &str) -> Result<Ports, Fault> {
    if text == "*" {
        return Ok(Ports::All);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.map(Ports::One).ok_or(("has no valid port", "write a number from 1 to 65535, or * for all ports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(texts: &[&str]) -> Allowed {
        texts.iter().map(|text| text.parse::<Destination>()).collect::<Result<_, _>>().unwrap()
    }

    fn has_name(allowed: &Allowed, host: &str, port: u16) -> bool {
        allowed.has_name(&Target::new(host, port).unwrap())
    }

    #[test]
    fn a_name_is_allowed_with_its_port() {
        let allowed = allowed(&["Hooks.Example.com.", "api.example.com:8443", "_db.internal:*"]);
        for (host, port, expected) in [
            ("hooks.example.com", 80, true),
            ("HOOKS.example.com.", 443, true),
            ("hooks.example.com", 8080, false),
            ("a.hooks.example.com", 80, false),
            ("example.com", 80, false),
            ("api.example.com", 8443, true),
            ("api.example.com", 443, false),
            ("_db.internal", 5432, true),
        ] {
            assert_eq!(has_name(&allowed, host, port), expected, "{host}:{port}");
        }
    }

    #[test]
    fn a_star_is_any_name_below_the_domain_and_not_the_domain() {
        let allowed = allowed(&["*.example.com"]);
        for (host, expected) in [
            ("a.example.com", true),
            ("b.a.example.com", true),
            ("example.com", false),
            ("aexample.com", false),
            ("example.com.evil", false),
        ] {
            assert_eq!(has_name(&allowed, host, 80), expected, "{host}");
        }
    }

    #[test]
    fn a_network_allows_addresses_and_no_names() {
        let allowed = allowed(&["10.1.2.3/8", "127.0.0.1:8080", "fd00::/8", "[::1]:*", "[2001:db8::/32]:8443"]);
        for (address, port, expected) in [
            ("10.255.0.1", 80, true),
            ("::ffff:10.255.0.1", 443, true),
            ("10.0.0.1", 81, false),
            ("11.0.0.1", 80, false),
            ("127.0.0.1", 8080, true),
            ("127.0.0.2", 8080, false),
            ("fd00::1", 80, true),
            ("::1", 9, true),
            ("2001:db8::7", 8443, true),
            ("2001:db8::7", 443, false),
        ] {
            assert_eq!(allowed.has_address(address.parse().unwrap(), port), expected, "{address} {port}");
        }
        assert!(!has_name(&allowed, "localhost", 80));
        assert!(!Allowed::default().has_address("1.1.1.1".parse().unwrap(), 80));
    }

    #[test]
    fn what_is_not_a_destination_is_an_error_with_a_remedy() {
        for (text, part) in [
            ("", "names no host"),
            ("*", "0.0.0.0/0"),
            ("*:8443", "0.0.0.0/0"),
            ("http://a/", "name the host"),
            ("a.example/path", "paths cannot be named"),
            ("10.0.0.0/33", "not a network"),
            ("10.0.0.0/8:http", "valid port"),
            ("a:", "valid port"),
            ("a:0", "valid port"),
            ("a:+80", "valid port"),
            ("a:65536", "valid port"),
            ("2001:db8::/32:80", "[ADDRESS]:PORT"),
            ("[2001:db8::1", "closing bracket"),
            ("[2001:db8::1]80", "[ADDRESS]:PORT"),
            ("[10.0.0.1]:80", "not an IPv6 address"),
            ("[::ffff:10.0.0.1]:80", "write the IPv4 address"),
            ("2130706433", "usual form"),
            ("127.1:80", "usual form"),
            ("0x7f.0x1", "usual form"),
            ("a..b", "not a host name"),
            ("a.*.b", "not a host name"),
            ("*a.b", "not a host name"),
            ("bücher.example", "in ASCII"),
            ("a b", "not a host name"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert!(error.to_string().contains(part) && error.text() == text, "{error}");
        }
    }
}
