//! Whether an address belongs to a domain: its name says so, and the name leads back to it.

use super::dns::{Kind, Record, reverse_name};
use super::exchange::ask;
use super::names::Names;
use super::servers::NameServers;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is remembered, and how long that there was none.
const KNOWN: Duration = Duration::from_secs(3600);
const UNKNOWN: Duration = Duration::from_secs(60);

/// How many answers are remembered.
const MOST_ANSWERS: usize = 16_384;

/// How many names of one address are followed.
const MOST_NAMES: usize = 4;

/// Tells which domains addresses belong to. It asks a name server itself, since the system's resolver knows no time limit.
#[derive(Debug)]
pub struct Origins {
    servers: NameServers,
    limit: Duration,
    known: Mutex<HashMap<(IpAddr, Box<str>), Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    answer: Option<bool>,
    until: Instant,
}

impl Origins {
    /// Nothing known yet. Without a server those of `/etc/resolv.conf` are asked; an answer takes no longer than the limit.
    pub fn new(server: Option<SocketAddr>, limit: Duration) -> Self {
        Self { servers: NameServers::new(server), limit, known: Mutex::default() }
    }

    /// Whether an address belongs to one of the domains; `None` where that could not be found out in time.
    pub fn belongs(&self, address: IpAddr, domains: &[Box<str>]) -> Option<bool> {
        let key = (address, domains.join(" ").into_boxed_str());
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&key).filter(|known| known.until > now) {
            return known.answer;
        }
        if known.len() >= MOST_ANSWERS {
            known.retain(|_, known| known.until > now);
            if known.len() >= MOST_ANSWERS {
                known.clear();
            }
        }
        // Whoever asks for the same meanwhile does not wait too.
        known.insert(key.clone(), Known { answer: None, until: now + UNKNOWN });
        drop(known);
        let answer = self.find_out(address, domains, now + self.limit).ok();
        let lives = if answer.is_some() { KNOWN } else { UNKNOWN };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, Known { answer, until: Instant::now() + lives });
        answer
    }

    /// Looks up names with the same servers.
    pub fn names(&self) -> Names<'_> {
        Names::new(&self.servers)
    }

    fn find_out(&self, address: IpAddr, domains: &[Box<str>], deadline: Instant) -> io::Result<bool> {
        let servers = self.servers.now();
        let names = ask(&servers, &reverse_name(address), Kind::Ptr, deadline)?;
        let kind = if address.is_ipv4() { Kind::A } else { Kind::Aaaa };
        let names = names.into_iter().filter_map(|record| match record {
            Record::Name(name) => Some(name),
            Record::Address(_) => None,
        });
        for name in names.filter(|name| domains.iter().any(|domain| is_within(name, domain))).take(MOST_NAMES) {
            if ask(&servers, &name, kind, deadline)?.contains(&Record::Address(address)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_holds_its_own_names_only() {
        assert!(is_within("crawl-1.googlebot.com", "googlebot.com"));
        assert!(!is_within("evilgooglebot.com", "googlebot.com"));
        assert!(!is_within("googlebot.com.example.org", "googlebot.com"));
    }

    #[test]
    fn a_server_that_is_silent_costs_the_limit_once() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let origins = Origins::new(Some(silent.local_addr().unwrap()), Duration::from_millis(100));
        let domains = [Box::from("example.com")];
        let began = Instant::now();
        assert_eq!(origins.belongs(IpAddr::from([192, 0, 2, 1]), &domains), None);
        let took = began.elapsed();
        assert!((95..300).contains(&took.as_millis()), "{took:?}");
        assert_eq!(origins.belongs(IpAddr::from([192, 0, 2, 1]), &domains), None);
        assert!(began.elapsed() - took < Duration::from_millis(20));
    }
}
