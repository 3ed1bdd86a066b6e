//! A host and a port, as a script names them.

use std::fmt;
use std::net::IpAddr;

/// A host and a port: for the limit of requests at once, for `SecScriptConnect`, and for looking up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name in lower case without a final dot, or an address without brackets.
    pub host: String,
    /// The host, if it is an address.
    pub address: Option<IpAddr>,
    pub port: u16,
}

impl Target {
    /// Reads a host: a name, or an address, an IPv6 address with brackets or without.
    ///
    /// Old spellings of IPv4 addresses, such as `0x7f.1` and `2130706433`, are names here. The system's look-up knows them, and its result is
    /// checked.
    pub fn new(host: &str, port: u16) -> Result<Self, String> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self { host: bare.to_ascii_lowercase(), address: Some(address), port });
        }
        Ok(Self {
            host: name(host).ok_or_else(|| format!("`{}` is not a host name or an address", host.escape_debug()))?,
            address: None,
            port,
        })
    }
}

/// Returns a host name in lower case, without a final dot, if it is one. Underscores are allowed: names of services within networks have them.
pub fn name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (name.len() <= 253 && name.split('.').all(label)).then(|| name.to_ascii_lowercase())
}

/// As `SecScriptConnect` takes it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
