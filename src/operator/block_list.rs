//! `@rbl`: the questions to a DNS block list, and the meaning of its answers.

use std::net::{IpAddr, Ipv4Addr};

/// A DNS block list (RFC 5782), by its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockList {
    zone: String,
    provider: Provider,
}

/// The provider of a list, if the meaning of its answers is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Provider {
    HttpBl,
    Spamhaus,
    Uribl,
    Other,
}

/// The DNS question about a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockListQuestion {
    /// Look up the address of this name. The name ends with a dot, so that no search list is tried.
    Name(String),
    /// None: the list requires a key, and there is none.
    KeyMissing,
    /// None: the value is neither an address nor a host name.
    NoName,
}

/// Meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// The value is listed; the text, in v3's words, says as what.
    Listed(String),
    /// The value is not listed: block lists do not give this answer.
    NotListed,
}

/// Maximum length of a DNS name.
const LONGEST_NAME: usize = 253;

impl BlockList {
    /// Makes the list of a zone such as `dnsbl.example.net`.
    #[must_use]
    pub fn new(zone: &str) -> Self {
        let zone = zone.trim().trim_matches('.').to_owned();
        let provider = [("httpbl.org", Provider::HttpBl), ("spamhaus.org", Provider::Spamhaus), ("uribl.com", Provider::Uribl)];
        let provider = provider.into_iter().find(|(name, _)| zone.contains(name)).map_or(Provider::Other, |(_, provider)| provider);
        Self { zone, provider }
    }

    /// Returns `true` if the list answers only requests with a key (`SecHttpBlKey`).
    #[must_use]
    pub fn needs_key(&self) -> bool {
        self.provider == Provider::HttpBl
    }

    /// Returns the question about a value: the reversed address, followed by the zone. As in ModSecurity v3, a value that is not an address is taken
    /// as a host name, for lists of domains. Unlike v3, IPv6 addresses are looked up too, in reversed nibbles.
    #[must_use]
    pub fn question(&self, value: &[u8], key: Option<&str>) -> BlockListQuestion {
        let Ok(value) = std::str::from_utf8(value) else { return BlockListQuestion::NoName };
        let key = key.filter(|key| !key.is_empty());
        if self.needs_key() && key.is_none() {
            return BlockListQuestion::KeyMissing;
        }
        let subject = match value.trim().parse() {
            Ok(IpAddr::V4(address)) => address.octets().iter().rev().map(u8::to_string).collect::<Vec<_>>().join("."),
            Ok(IpAddr::V6(address)) => {
                let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
                digits.map(|digit| format!("{digit:x}")).collect::<Vec<_>>().join(".")
            }
            Err(_) if is_host_name(value) => value.trim_end_matches('.').to_owned(),
            Err(_) => return BlockListQuestion::NoName,
        };
        let key = key.filter(|_| self.needs_key()).map_or_else(String::new, |key| format!("{key}."));
        let name = format!("{key}{subject}.{}.", self.zone);
        if name.len() > LONGEST_NAME { BlockListQuestion::NoName } else { BlockListQuestion::Name(name) }
    }

    /// Returns the meaning of the address found for a question. Lists answer with an address in 127.0.0.0/8; 127.255.255.0/24 means that they refused
    /// to answer. ModSecurity v3 takes every answer as a listing, including those of a resolver that invents names.
    #[must_use]
    pub fn listing(&self, answer: Ipv4Addr) -> Listing {
        match answer.octets() {
            [127, 255, 255, _] => Listing::NotListed,
            [127, a, b, c] => Listing::Listed(self.meaning([a, b, c])),
            _ => Listing::NotListed,
        }
    }

    fn meaning(&self, [a, b, c]: [u8; 3]) -> String {
        match self.provider {
            Provider::HttpBl => {
                format!(" succeeded. {}: {a} days since last activity, threat score {b}.", visitor(c))
            }
            Provider::Spamhaus => match c {
                2 | 3 => " succeeded (Static UBE sources).".to_owned(),
                4..=7 => " succeeded (Illegal 3rd party exploits).".to_owned(),
                10 | 11 => " succeeded (Delivering unauthenticated SMTP email).".to_owned(),
                _ => " succeeded.".to_owned(),
            },
            Provider::Uribl => match c {
                2 => " succeeded (BLACK).".to_owned(),
                4 => " succeeded (GREY).".to_owned(),
                8 => " succeeded (RED).".to_owned(),
                14 => " succeeded (BLACK,GREY,RED).".to_owned(),
                255 => " succeeded (DNS IS BLOCKED).".to_owned(),
                _ => " succeeded (WHITE).".to_owned(),
            },
            Provider::Other => " succeeded.".to_owned(),
        }
    }
}

/// Returns the kind of visitor, as httpbl.org distinguishes them.
fn visitor(kind: u8) -> &'static str {
    match kind {
        0 => "Search Engine",
        1 => "Suspicious IP",
        2 => "Harvester IP",
        3 => "Suspicious harvester IP",
        4 => "Comment spammer IP",
        5 => "Suspicious comment spammer IP",
        6 => "Harvester and comment spammer IP",
        7 => "Suspicious harvester comment spammer IP",
        _ => "Visitor",
    }
}

/// Returns `true` if a text can be looked up: labels of letters, digits, hyphens and underscores.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(zone: &str, value: &str, key: Option<&str>) -> Option<String> {
        match BlockList::new(zone).question(value.as_bytes(), key) {
            BlockListQuestion::Name(name) => Some(name),
            _ => None,
        }
    }

    #[test]
    fn addresses_are_turned_around() {
        assert_eq!(name("bl.example.net", "192.0.2.99", None).unwrap(), "99.2.0.192.bl.example.net.");
        let digits = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
        assert_eq!(name("bl.example.net.", "2001:db8::1", None).unwrap(), format!("{digits}.bl.example.net."));
    }

    #[test]
    fn names_are_asked_about_as_they_are() {
        assert_eq!(name("dbl.example.net", "bad.example", None).unwrap(), "bad.example.dbl.example.net.");
        for wrong in ["", "a..b", "a b", "a\0b", "$(id)", &"a".repeat(64), &"a.".repeat(130)] {
            assert_eq!(name("dbl.example.net", wrong, None), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_list_that_wants_a_key_is_not_asked_without() {
        let list = BlockList::new("dnsbl.httpbl.org");
        assert_eq!(list.question(b"192.0.2.1", None), BlockListQuestion::KeyMissing);
        assert_eq!(name("dnsbl.httpbl.org", "192.0.2.1", Some("abcdefghijkl")).unwrap(), "abcdefghijkl.1.2.0.192.dnsbl.httpbl.org.");
        assert_eq!(name("bl.example.net", "192.0.2.1", Some("abcdefghijkl")).unwrap(), "1.2.0.192.bl.example.net.");
    }

    #[test]
    fn only_the_answers_of_lists_are_listings() {
        let list = BlockList::new("bl.example.net");
        assert_eq!(list.listing(Ipv4Addr::new(127, 0, 0, 2)), Listing::Listed(" succeeded.".to_owned()));
        assert_eq!(list.listing(Ipv4Addr::new(127, 255, 255, 254)), Listing::NotListed);
        assert_eq!(list.listing(Ipv4Addr::new(203, 0, 113, 9)), Listing::NotListed);
    }

    #[test]
    fn answers_are_put_into_words() {
        let meaning = |zone: &str, answer: [u8; 4]| match BlockList::new(zone).listing(answer.into()) {
            Listing::Listed(meaning) => meaning,
            Listing::NotListed => String::new(),
        };
        let comment = meaning("dnsbl.httpbl.org", [127, 3, 80, 4]);
        assert_eq!(comment, " succeeded. Comment spammer IP: 3 days since last activity, threat score 80.");
        assert_eq!(meaning("sbl-xbl.spamhaus.org", [127, 0, 0, 4]), " succeeded (Illegal 3rd party exploits).");
        assert_eq!(meaning("multi.uribl.com", [127, 0, 0, 8]), " succeeded (RED).");
    }
}
