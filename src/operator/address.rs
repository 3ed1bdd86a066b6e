//! `@ipMatch` and `@ipMatchFromFile`: tests if an address is in one of many networks.

use super::error::{DataLine, OperatorError};
use super::number::leading_integer;
use super::words::data_lines;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Number of bits before the IPv4 address in an IPv4-mapped IPv6 address.
const MAPPED_PREFIX: u8 = 96;

/// A set of networks: disjoint, sorted, and searched by bisection.
#[derive(Debug, Default)]
pub struct AddressSet {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl AddressSet {
    /// Reads addresses and networks separated by commas. Blanks around entries and empty entries are ignored.
    pub fn from_argument(argument: &[u8]) -> Result<Self, OperatorError> {
        Self::from_entries(argument.split(|&byte| byte == b',').map(|entry| (None, entry)))
    }

    /// Reads files with such a list on each line; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// [`OperatorError::AddressInFile`] for the first entry that is neither an address nor a network.
    pub fn from_files(files: &[Vec<u8>]) -> Result<Self, OperatorError> {
        let lines = (0..).zip(files).flat_map(|(file, bytes)| data_lines(bytes).map(move |(line, text)| (DataLine { file, line }, text)));
        let lists = lines.filter(|(_, text)| !text.trim_ascii_start().starts_with(b"#"));
        Self::from_entries(lists.flat_map(|(place, text)| text.split(|&byte| byte == b',').map(move |entry| (Some(place), entry))))
    }

    /// Reads addresses and networks, and leaves out other entries. Returns the number of those, too.
    pub fn from_list<'e>(entries: impl Iterator<Item = &'e str>) -> (Self, usize) {
        let (mut v4, mut v6, mut left_out) = (Vec::new(), Vec::new(), 0);
        for entry in entries {
            match network(entry.trim().as_bytes()) {
                Some(IpNet::V4(network)) => v4.push(network),
                Some(IpNet::V6(network)) => v6.push(network),
                None => left_out += 1,
            }
        }
        (Self::of(v4, v6), left_out)
    }

    fn of(v4: Vec<Ipv4Net>, v6: Vec<Ipv6Net>) -> Self {
        Self { v4: sorted(Ipv4Net::aggregate(&v4)), v6: sorted(Ipv6Net::aggregate(&v6)) }
    }

    fn from_entries<'e>(entries: impl Iterator<Item = (Option<DataLine>, &'e [u8])>) -> Result<Self, OperatorError> {
        let mut v4 = Vec::new();
        let mut v6 = Vec::new();
        for (place, entry) in entries.map(|(place, entry)| (place, entry.trim_ascii())).filter(|(_, entry)| !entry.is_empty()) {
            match (network(entry), place) {
                (Some(IpNet::V4(network)), _) => v4.push(network),
                (Some(IpNet::V6(network)), _) => v6.push(network),
                (None, None) => return Err(OperatorError::Address(String::from_utf8_lossy(entry).into_owned())),
                (None, Some(place)) => {
                    let entry = String::from_utf8_lossy(entry).into_owned();
                    return Err(OperatorError::AddressInFile { place, entry });
                }
            }
        }
        Ok(Self::of(v4, v6))
    }

    /// Returns `true` if `input` is an address in one of the networks, `false` if it is not an address.
    pub(super) fn contains(&self, input: &[u8]) -> bool {
        std::str::from_utf8(input).ok().and_then(|text| text.parse().ok()).is_some_and(|address| self.contains_address(address))
    }

    /// Returns `true` if an address is in one of the networks. An IPv4-mapped IPv6 address, as servers with a dual-stack socket report it
    /// (`::ffff:192.0.2.1`), is in the networks of either family that contain it.
    pub fn contains_address(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.contains_v4(address),
            IpAddr::V6(address) => self.contains_v6(address) || address.to_ipv4_mapped().is_some_and(|mapped| self.contains_v4(mapped)),
        }
    }

    fn contains_v4(&self, address: Ipv4Addr) -> bool {
        let after = self.v4.partition_point(|network| network.network() <= address);
        after.checked_sub(1).and_then(|last| self.v4.get(last)).is_some_and(|network| network.contains(&address))
    }

    fn contains_v6(&self, address: Ipv6Addr) -> bool {
        let after = self.v6.partition_point(|network| network.network() <= address);
        after.checked_sub(1).and_then(|last| self.v6.get(last)).is_some_and(|network| network.contains(&address))
    }
}

/// Returns an address or a network in one form for all that mean the same: `192.0.2.0/24` for `192.0.2.7/24`, `192.0.2.7` for `::ffff:192.0.2.7` and for
/// `192.0.2.7/32`. `None` if the text is neither.
pub fn canonical_network(text: &str) -> Option<String> {
    let text = text.trim();
    let has_number = |prefix: &str| !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    if text.split_once('/').is_some_and(|(_, prefix)| !has_number(prefix)) {
        return None;
    }
    let network = network(text.as_bytes())?.trunc();
    Some(if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() })
}

fn sorted<N: Ord>(mut networks: Vec<N>) -> Vec<N> {
    networks.sort_unstable();
    networks
}

/// Reads a network; one of IPv4-mapped addresses becomes an IPv4 network.
fn network(entry: &[u8]) -> Option<IpNet> {
    match written_network(entry)? {
        IpNet::V6(network) => {
            let mapped = network.addr().to_ipv4_mapped().zip(network.prefix_len().checked_sub(MAPPED_PREFIX));
            mapped.map_or(Some(IpNet::V6(network)), |(address, prefix)| Ipv4Net::new(address, prefix).ok().map(IpNet::V4))
        }
        network => Some(network),
    }
}

/// Reads `address` or `address/prefix`. As in v3, only the leading number of the prefix counts. Unlike v3, which refuses `/0`, and `/128` for IPv6,
/// this takes every prefix length of the family.
fn written_network(entry: &[u8]) -> Option<IpNet> {
    let text = std::str::from_utf8(entry).ok()?;
    let Some((address, prefix)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    if !prefix.trim_start_matches('+').starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let prefix = u8::try_from(leading_integer(prefix.as_bytes())).ok()?;
    IpNet::new(address.parse().ok()?, prefix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(argument: &str, address: &str) -> bool {
        AddressSet::from_argument(argument.as_bytes()).unwrap().contains(address.as_bytes())
    }

    #[test]
    fn networks_hold_their_addresses() {
        assert!(contains("192.0.2.0/25,198.51.100.7", "192.0.2.127"));
        assert!(!contains("192.0.2.0/25,198.51.100.7", "192.0.2.128"));
        assert!(contains("192.0.2.0/25,198.51.100.7", "198.51.100.7"));
        assert!(contains("2001:DB8::/32", "2001:db8:1::1"));
        assert!(!contains("2001:db8::/32", "192.0.2.1"));
    }

    #[test]
    fn overlapping_networks_do_not_hide_each_other() {
        assert!(contains("198.51.0.0/16, 198.51.100.0/24,198.51.0.0/24", "198.51.200.1"));
        assert!(contains("0.0.0.0/0,198.51.100.0/24", "203.0.113.1"));
    }

    #[test]
    fn what_is_no_address_is_in_no_network() {
        for input in ["", "192.0.2", "192.0.2.1 ", "192.0.2.01", "::ffff:192.0.2"] {
            assert!(!contains("192.0.2.0/24", input), "{input:?}");
        }
    }

    #[test]
    fn an_ipv4_address_written_as_an_ipv6_one_is_in_its_networks() {
        for networks in ["192.0.2.0/24", "::ffff:192.0.2.0/120", "::ffff:0:0/96", "::/0", "::ffff:192.0.2.1"] {
            assert!(contains(networks, "::ffff:192.0.2.1"), "{networks}");
        }
        assert!(!contains("192.0.2.0/24", "::ffff:192.0.3.1") && !contains("192.0.2.0/24", "::192.0.2.1"));
        assert!(contains("::ffff:192.0.2.0/120", "192.0.2.1") && !contains("::/0", "192.0.2.1"));
    }

    #[test]
    fn entries_that_are_no_network_are_errors() {
        for entry in ["192.0.2", "192.0.2.0/33", "192.0.2.0/x", "192.0.2.0/", "192.0.2.0/-1", "::1/129", "host"] {
            assert!(AddressSet::from_argument(entry.as_bytes()).is_err(), "{entry}");
        }
    }

    #[test]
    fn files_hold_comments_and_one_or_more_networks_a_line() {
        let set = AddressSet::from_files(&[b"# office\r\n192.0.2.0/24\r\n\n::1,::2\n".to_vec()]).unwrap();
        assert!(set.contains(b"192.0.2.9") && set.contains(b"::2") && !set.contains(b"::3"));
    }
}
