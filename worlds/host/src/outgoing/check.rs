//! Decides if a script may connect to an address.

use super::allowed::{Allowed, is_web};
use super::public_address::is_public;
use super::target::Target;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What decides: `SecScriptConnect`, and the listeners of this program.
#[derive(Debug, Default)]
pub struct Check {
    pub allowed: Allowed,
    pub own_listeners: Vec<SocketAddr>,
}

impl Check {
    /// Checks an address that a script's target has.
    ///
    /// # Errors
    /// If it is refused: the reason and the remedy.
    pub fn check(&self, target: &Target, address: IpAddr) -> Result<(), String> {
        if self.allowed.has_name(target) || self.allowed.has_address(address, target.port) {
            return Ok(());
        }
        let reason = if self.is_own(address, target.port) {
            "is a listener of this program"
        } else if !is_public(address) {
            "is not a public address"
        } else if !is_web(target.port) {
            return Err(format!("port {} is neither 80 nor 443: name {target} in SecScriptConnect", target.port));
        } else {
            return Ok(());
        };
        match target.address {
            Some(address) => Err(format!("{address} {reason}: name {target} in SecScriptConnect")),
            None => Err(format!("{} is at {address}, which {reason}: name {target} in SecScriptConnect", target.host)),
        }
    }

    fn is_own(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.own_listeners.iter().filter(|listener| listener.port() == port).any(|listener| {
            let own = listener.ip().to_canonical();
            own == address || own.is_unspecified() && is_of_this_machine(address)
        })
    }
}

/// Returns `true` if packets to an address would come from that same address. Sends nothing.
fn is_of_this_machine(address: IpAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((address, 9)).and_then(|()| socket.local_addr()));
    address.is_loopback() || address.is_unspecified() || source.is_ok_and(|source| source.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(check: &Check, host: &str, port: u16, address: &str) -> String {
        let target = Target::new(host, port).unwrap();
        check.check(&target, address.parse().unwrap()).err().unwrap_or_default()
    }

    #[test]
    fn a_refusal_tells_what_to_name() {
        let all = Check::default();
        for (host, port, address, expected) in [
            ("192.0.2.7", 80, "192.0.2.7", "192.0.2.7 is not a public address: name 192.0.2.7:80 in SecScriptConnect"),
            ("[::1]", 8080, "::1", "::1 is not a public address: name [::1]:8080 in SecScriptConnect"),
            (
                "a.example.",
                443,
                "10.0.0.1",
                "a.example is at 10.0.0.1, which is not a public address: name a.example:443 in SecScriptConnect",
            ),
            ("a.example", 8443, "1.1.1.1", "port 8443 is neither 80 nor 443: name a.example:8443 in SecScriptConnect"),
            ("a.example", 443, "1.1.1.1", ""),
        ] {
            assert_eq!(check(&all, host, port, address), expected);
        }
    }

    #[test]
    fn own_listeners_are_refused_unless_they_are_named() {
        let own_listeners = ["1.1.1.1:443", "[::]:80"].map(|listener| listener.parse().unwrap()).to_vec();
        let own = Check { own_listeners: own_listeners.clone(), ..Check::default() };
        assert!(check(&own, "a.example", 443, "1.1.1.1").contains("is a listener of this program"));
        assert!(check(&own, "a.example", 443, "::ffff:1.1.1.1").contains("is a listener of this program"));
        assert!(check(&own, "127.0.0.1", 80, "127.0.0.1").contains("is a listener of this program"));
        assert_eq!(check(&own, "a.example", 80, "1.1.1.1"), "");
        let named = Check { allowed: ["1.1.1.1".parse().unwrap()].into_iter().collect(), own_listeners };
        assert_eq!(check(&named, "a.example", 443, "1.1.1.1"), "");
    }
}
