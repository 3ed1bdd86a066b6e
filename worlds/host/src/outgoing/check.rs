//! Decides if a script may connect to an address.

use super::allowed::{Allowed, is_web};
use super::public_address::{is_public, meant};
use super::target::Target;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Refuses addresses that are not public, those of this machine, and ports, unless `SecScriptConnect` names them.
#[derive(Debug)]
pub struct Check {
    pub allowed: Allowed,
    /// Returns `true` if an address, which is not an IPv6 address that stands for an IPv4 address, is one of this machine.
    is_own: fn(IpAddr) -> bool,
}

impl Check {
    /// Checks an address that a script's target has. A name that is allowed opens ports of public addresses: whoever answers for the name must not
    /// lead a script into the network.
    ///
    /// # Errors
    /// If it is refused: the reason and the remedy.
    pub fn check(&self, target: &Target, address: IpAddr) -> Result<(), String> {
        if self.allowed.has_address(address, target.port) {
            return Ok(());
        }
        let (has_name, canonical) = (self.allowed.has_name(target), address.to_canonical());
        let reason = if !is_public(address) {
            "is not a public address"
        } else if (self.is_own)(meant(address)) {
            "is an address of this machine"
        } else if has_name || is_web(target.port) {
            return Ok(());
        } else {
            return Err(format!("port {} is neither 80 nor 443: name {target} in SecScriptConnect", target.port));
        };
        let (place, also) = (SocketAddr::new(canonical, target.port), if has_name { ", too" } else { "" });
        match target.address {
            Some(address) => Err(format!("{address} {reason}: name {place} in SecScriptConnect")),
            None => Err(format!("{} is at {address}, which {reason}: name {place} in SecScriptConnect{also}", target.host)),
        }
    }
}

impl Default for Check {
    fn default() -> Self {
        Self { allowed: Allowed::default(), is_own }
    }
}

/// A reserved address (RFC 1112, section 4), which no machine has.
const NOBODY: Ipv4Addr = Ipv4Addr::new(240, 0, 0, 1);

/// Returns `true` if an address is one of this machine, which listens there perhaps. Sends nothing.
fn is_own(address: IpAddr) -> bool {
    // Sockets get addresses of their machine alone, unless it is told to give any (`ip_nonlocal_bind`), as balancers are. Then the address that packets
    // to it would come from is compared, which shows all but further addresses of one network.
    let can_have = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    if can_have(NOBODY.into()) { is_source(address) } else { can_have(address) }
}

fn is_source(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((address, 9)).and_then(|()| socket.local_addr()));
    source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(check: &Check, host: &str, port: u16, address: &str) -> String {
        let target = Target::new(host, port).unwrap();
        check.check(&target, address.parse().unwrap()).err().unwrap_or_default()
    }

    fn allowed(texts: &[&str]) -> Check {
        Check { allowed: texts.iter().map(|text| text.parse().unwrap()).collect(), ..Check::default() }
    }

    #[test]
    fn a_refusal_tells_what_to_name() {
        let all = Check::default();
        for (host, port, address, expected) in [
            ("192.0.2.7", 80, "192.0.2.7", "192.0.2.7 is not a public address: name 192.0.2.7:80 in SecScriptConnect"),
            ("[::1]", 8080, "::1", "::1 is not a public address: name [::1]:8080 in SecScriptConnect"),
            ("::ffff:10.0.0.1", 80, "::ffff:10.0.0.1", "::ffff:10.0.0.1 is not a public address: name 10.0.0.1:80 in SecScriptConnect"),
            (
                "a.example.",
                443,
                "10.0.0.1",
                "a.example is at 10.0.0.1, which is not a public address: name 10.0.0.1:443 in SecScriptConnect",
            ),
            ("a.example", 8443, "1.1.1.1", "port 8443 is neither 80 nor 443: name a.example:8443 in SecScriptConnect"),
            ("a.example", 443, "1.1.1.1", ""),
        ] {
            assert_eq!(check(&all, host, port, address), expected);
        }
    }

    #[test]
    fn a_name_that_is_allowed_opens_public_addresses_alone() {
        let named = allowed(&["a.example:*", "*.b.example", "10.0.0.0/8:8443"]);
        let name = |host: &str, address: &str| {
            format!("{host} is at {address}, which is not a public address: name {address}:443 in SecScriptConnect, too")
        };
        for host in ["a.example", "c.b.example"] {
            assert_eq!(check(&named, host, 443, "1.1.1.1"), "");
            for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1"] {
                assert_eq!(check(&named, host, 443, address), name(host, address));
            }
            for address in ["::1", "fe80::1", "fd00::1"] {
                assert_eq!(
                    check(&named, host, 443, address),
                    name(host, address).replacen(&format!("name {address}"), &format!("name [{address}]"), 1)
                );
            }
        }
        assert_eq!(check(&named, "a.example", 8443, "1.1.1.1"), "");
        // Both are allowed.
        assert_eq!(check(&named, "a.example", 8443, "10.0.0.1"), "");
    }

    #[test]
    fn public_addresses_of_this_machine_are_refused_unless_they_are_named() {
        let is_own = |address: IpAddr| address == IpAddr::from([1, 1, 1, 1]);
        let named = Check { is_own, ..allowed(&["a.example", "1.1.1.1:8443"]) };
        let expected = "a.example is at 1.1.1.1, which is an address of this machine: name 1.1.1.1:443 in SecScriptConnect, too";
        assert_eq!(check(&named, "a.example", 443, "1.1.1.1"), expected);
        assert_eq!(check(&named, "1.1.1.1", 80, "1.1.1.1"), "1.1.1.1 is an address of this machine: name 1.1.1.1:80 in SecScriptConnect");
        assert!(check(&named, "a.example", 443, "::ffff:1.1.1.1").contains("is an address of this machine: name 1.1.1.1:443 "));
        assert_eq!(check(&named, "1.1.1.1", 8443, "1.1.1.1"), "");
        assert_eq!(check(&named, "a.example", 443, "1.0.0.1"), "");
    }

    #[test]
    fn an_address_of_this_machine_is_known_without_a_packet() {
        let local = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        // The address that leads to others, if there is a way to them.
        let leading = local
            .connect((Ipv4Addr::new(8, 8, 8, 8), 9))
            .and_then(|()| local.local_addr())
            .map_or(Ipv4Addr::LOCALHOST.into(), |own| own.ip());
        for own in [leading, [127, 0, 0, 1].into()] {
            assert!(is_own(own) && is_source(own), "{own}");
        }
        for other in [[203, 0, 113, 77], [2, 2, 2, 2]] {
            assert!(!is_own(other.into()) && !is_source(other.into()), "{other:?}");
        }
    }
}
