//! The `Host` header.

use memchr::memchr;

/// `SERVER_NAME`: the host without its port.
///
/// An address in brackets stays whole, brackets included: `[::1]:8080` gives `[::1]`. v3 cuts at
/// the first colon and gives `[`, which no rule can use.
pub fn server_name(header: &[u8]) -> &[u8] {
    let bracketed = match header.first() {
        Some(b'[') => memchr(b']', header).and_then(|at| header.get(..=at)),
        _ => None,
    };
    bracketed.unwrap_or_else(|| header.split(|byte| *byte == b':').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_cut_off() {
        assert_eq!(server_name(b"shop.example:8443"), b"shop.example");
        assert_eq!(server_name(b"Shop.Example"), b"Shop.Example");
        assert_eq!(server_name(b":80"), b"");
        assert_eq!(server_name(b""), b"");
    }

    #[test]
    fn ipv6_addresses_stay_whole() {
        assert_eq!(server_name(b"[2001:db8::1]:80"), b"[2001:db8::1]");
        assert_eq!(server_name(b"[::1]"), b"[::1]");
        assert_eq!(server_name(b"[::1"), b"[");
    }
}
