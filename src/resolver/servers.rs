//! The name servers: one that the rules name, or those of the system.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The file in which Unix systems name their servers.
const SYSTEM: &str = "/etc/resolv.conf";

/// Port of name servers.
const PORT: u16 = 53;

/// Maximum number of the system's servers that are asked, as in glibc.
const MAX_SERVERS: usize = 8;

/// Default and maximum of `options timeout:` and `attempts:`, as in glibc.
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_TIMEOUT: u64 = 30;
const ATTEMPTS: usize = 2;
const MAX_ATTEMPTS: usize = 5;

/// Name servers, and the options for asking them.
#[derive(Debug)]
pub struct NameServers {
    /// `None` for those of the system.
    given: Option<SocketAddr>,
    /// The system's servers when the file was last read: a process that has dropped the right to read it continues with them.
    known: Servers,
    /// Counts questions, so that `options rotate` begins with another server each time.
    asked: AtomicUsize,
}

/// Servers in their order, the time for an answer of each, and the number of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers {
    pub addresses: Vec<SocketAddr>,
    pub timeout: Duration,
    pub attempts: usize,
    pub rotates: bool,
}

impl NameServers {
    /// Makes it with one server, or with those of the system.
    pub fn new(given: Option<SocketAddr>) -> Self {
        Self { given, known: of_system().unwrap_or_else(|| Servers::parse("")), asked: AtomicUsize::new(0) }
    }

    /// Returns the servers for one question. The system's are read again each time, because they change with the network.
    pub fn now(&self) -> Servers {
        match self.given {
            Some(server) => Servers { addresses: vec![server], ..Servers::parse("") },
            None => self.rotated(of_system().unwrap_or_else(|| self.known.clone())),
        }
    }

    fn rotated(&self, mut servers: Servers) -> Servers {
        if servers.rotates {
            let first = self.asked.fetch_add(1, Ordering::Relaxed).checked_rem(servers.addresses.len()).unwrap_or(0);
            servers.addresses.rotate_left(first);
        }
        servers
    }
}

impl Servers {
    /// Parses the text of `resolv.conf`: its `nameserver` lines, and the `options` about asking servers. Names are complete, so `search` and `ndots`
    /// are ignored. Without a server, the one on this machine is used, as in resolv.conf(5).
    pub fn parse(text: &str) -> Self {
        let mut servers = Self { addresses: Vec::new(), timeout: TIMEOUT, attempts: ATTEMPTS, rotates: false };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => servers.addresses.extend(words.next().and_then(server)),
                Some("options") => words.for_each(|option| servers.set(option)),
                _ => {}
            }
        }
        servers.addresses.truncate(MAX_SERVERS);
        if servers.addresses.is_empty() {
            servers.addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
        }
        servers
    }

    fn set(&mut self, option: &str) {
        match option.split_once(':') {
            Some(("timeout", seconds)) => {
                let seconds: Option<u64> = seconds.parse().ok();
                self.timeout = seconds.map_or(self.timeout, |seconds| Duration::from_secs(seconds.clamp(1, MAX_TIMEOUT)));
            }
            Some(("attempts", count)) => self.attempts = count.parse().map_or(self.attempts, |count: usize| count.clamp(1, MAX_ATTEMPTS)),
            None if option == "rotate" => self.rotates = true,
            _ => {}
        }
    }
}

fn of_system() -> Option<Servers> {
    std::fs::read_to_string(SYSTEM).ok().map(|text| Servers::parse(&text))
}

/// Parses the address of a server, which may name its network interface: `fe80::1%eth0`.
fn server(address: &str) -> Option<SocketAddr> {
    match address.split_once('%') {
        None => address.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, PORT)),
        Some((address, interface)) => {
            let number = interface.parse().ok().or_else(|| number_of(interface))?;
            Some(SocketAddr::V6(SocketAddrV6::new(address.parse().ok()?, PORT, 0, number)))
        }
    }
}

/// Returns the number of a network interface, which Linux has in a file.
fn number_of(interface: &str) -> Option<u32> {
    let is_name = !interface.starts_with('.') && !interface.contains('/');
    let number = is_name.then(|| std::fs::read_to_string(format!("/sys/class/net/{interface}/ifindex")).ok())??;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_of_the_system_and_how_to_ask_it_is_read() {
        let text = "# a comment\n; another\nsearch example.com\n nameserver 192.0.2.1\nnameserver 192.0.2.2 # the second\n\
            nameserver 2001:db8::53\nnameserver fe80::1%2\nnameserver nonsense\noptions ndots:3 timeout:2 attempts:3 rotate edns0\n";
        let servers = Servers::parse(text);
        let addresses: Vec<String> = servers.addresses.iter().map(SocketAddr::to_string).collect();
        assert_eq!(addresses, ["192.0.2.1:53", "192.0.2.2:53", "[2001:db8::53]:53", "[fe80::1%2]:53"]);
        assert_eq!((servers.timeout, servers.attempts, servers.rotates), (Duration::from_secs(2), 3, true));
    }

    #[test]
    fn options_without_sense_change_nothing_and_large_ones_are_cut() {
        let servers = Servers::parse("options timeout:x attempts:\n");
        assert_eq!((servers.timeout, servers.attempts), (TIMEOUT, ATTEMPTS));
        let servers = Servers::parse("options timeout:3600 attempts:99\n");
        assert_eq!((servers.timeout, servers.attempts), (Duration::from_secs(30), 5));
        assert_eq!(Servers::parse("options timeout:0 attempts:0").attempts, 1);
    }

    #[test]
    fn without_a_server_this_machine_is_asked() {
        assert_eq!(Servers::parse("").addresses, ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn servers_that_rotate_begin_with_another_each_time() {
        let servers = Servers::parse("nameserver 192.0.2.1\nnameserver 192.0.2.2\noptions rotate");
        let all = NameServers { given: None, known: servers.clone(), asked: AtomicUsize::new(0) };
        let first: Vec<SocketAddr> = (0..3).map(|_| all.rotated(servers.clone()).addresses[0]).collect();
        assert!(first[0] == first[2] && first[0] != first[1], "{first:?}");
    }
}
