//! Names of hosts and their addresses, within a time limit: the hosts file first, then a name server.

use super::dns::{Kind, Record, reverse_name};
use super::exchange::ask;
use super::servers::NameServers;
use std::io;
use std::net::IpAddr;
use std::time::Instant;

/// Addresses and names that need no name server.
const HOSTS: &str = "/etc/hosts";

/// Looks up names for callers that can wait until a deadline; nothing is cached.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    servers: &'a NameServers,
}

impl<'a> Names<'a> {
    /// Makes it with these servers.
    pub fn new(servers: &'a NameServers) -> Self {
        Self { servers }
    }

    /// Returns the addresses of a name, IPv4 first; empty if it has none.
    ///
    /// # Errors
    /// `TimedOut` at the deadline; others if there is no name server, or it answers with an error.
    pub fn addresses(&self, name: &str, deadline: Instant) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = name.parse() {
            return Ok(vec![address]);
        }
        let known = of_hosts(&hosts(), name);
        if !known.is_empty() {
            return Ok(known);
        }
        let mut found = self.records(name, Kind::A, deadline)?;
        match self.records(name, Kind::Aaaa, deadline) {
            Ok(more) => found.extend(more),
            // If there are addresses already, those are an answer.
            Err(error) if found.is_empty() => return Err(error),
            Err(_) => {}
        }
        let addresses = found.into_iter().filter_map(|record| match record {
            Record::Address(address) => Some(address),
            Record::Name(_) => None,
        });
        Ok(addresses.collect())
    }

    /// Returns the names of an address, in lower case; empty if it has none.
    ///
    /// # Errors
    /// As with `addresses`.
    pub fn names(&self, address: IpAddr, deadline: Instant) -> io::Result<Vec<String>> {
        let known = name_in_hosts(&hosts(), address);
        if known.is_some() {
            return Ok(known.into_iter().collect());
        }
        let found = self.records(&reverse_name(address), Kind::Ptr, deadline)?;
        let names = found.into_iter().filter_map(|record| match record {
            Record::Name(name) => Some(name),
            Record::Address(_) => None,
        });
        Ok(names.collect())
    }

    fn records(&self, name: &str, kind: Kind, deadline: Instant) -> io::Result<Vec<Record>> {
        ask(&self.servers.now(), name, kind, deadline)
    }
}

fn hosts() -> String {
    std::fs::read_to_string(HOSTS).unwrap_or_default()
}

/// Lines of the file: an address, then its names.
fn lines(text: &str) -> impl Iterator<Item = (IpAddr, std::str::SplitAsciiWhitespace<'_>)> {
    text.lines().filter_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        Some((words.next()?.parse().ok()?, words))
    })
}

fn of_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let matching = lines(text).filter(|(_, names)| names.clone().any(|known| known.eq_ignore_ascii_case(name)));
    let mut addresses: Vec<IpAddr> = matching.map(|(address, _)| address).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

fn name_in_hosts(text: &str, address: IpAddr) -> Option<String> {
    lines(text).find(|(known, _)| *known == address).and_then(|(_, mut names)| names.next().map(str::to_ascii_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_hosts_is_read_with_comments_and_further_names() {
        let text = "# all\n::1 localhost loop\n127.0.0.1\tlocalhost  # here\nnonsense\n192.0.2.7 Scanner scan\n";
        assert_eq!(of_hosts(text, "LOCALHOST"), ["127.0.0.1".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()]);
        assert_eq!(of_hosts(text, "scan"), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert_eq!(of_hosts(text, "nonsense"), [] as [IpAddr; 0]);
        assert_eq!(name_in_hosts(text, "192.0.2.7".parse().unwrap()).as_deref(), Some("scanner"));
        assert_eq!(name_in_hosts(text, "192.0.2.8".parse().unwrap()), None);
    }
}
