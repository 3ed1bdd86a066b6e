//! Client addresses in the headers that proxies add: `X-Real-IP` and `X-Forwarded-For`.

use std::net::{IpAddr, SocketAddr};

/// Returns the address in a header or in an entry of a list, without a port: `192.0.2.1`, `192.0.2.1:4433`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:443`, each also in double quotes.
///
/// IPv4-mapped IPv6 addresses become IPv4 addresses. `None` for anything else.
pub fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let text = text.strip_prefix('"').and_then(|inside| inside.strip_suffix('"')).unwrap_or(text);
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse::<IpAddr>().ok().or_else(in_brackets).or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_part_of_an_address() {
        let v4: IpAddr = [192, 0, 2, 1].into();
        for text in ["192.0.2.1", " 192.0.2.1 ", "192.0.2.1:4433", "\"192.0.2.1:1\"", "::ffff:192.0.2.1"] {
            assert_eq!(address(text.as_bytes()), Some(v4), "{text}");
        }
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80", "\"[2001:db8::1]:80\""] {
            assert_eq!(address(text.as_bytes()), Some(v6), "{text}");
        }
    }

    #[test]
    fn what_holds_anything_else_is_no_address() {
        for text in
            ["", "unknown", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:99999", "[192.0.2.1]", "192.0.2.1 192.0.2.2", "\"192.0.2.1", "1"]
        {
            assert_eq!(address(text.as_bytes()), None, "{text}");
        }
    }
}
