//! Checks if an address belongs to a domain: its name is in the domain, and the name resolves to the address.

use super::dns::{Kind, Record, reverse_name};
use super::exchange::ask;
use super::lookups::{LookupLimits, Lookups};
use super::names::Names;
use super::servers::NameServers;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Times for which an answer, and the absence of one, are cached.
const KNOWN: Duration = Duration::from_secs(3600);
const UNKNOWN: Duration = Duration::from_secs(60);

const LIMITS: LookupLimits = LookupLimits { threads: 4, line: 1024, answers: 16_384 };

/// Maximum number of names of one address that are checked.
const MAX_NAMES: usize = 4;

/// Maximum time for which all callers together may wait for answers within a period. Hosts such as nginx serve all of a worker's requests by one
/// thread, which a silent name server must not block.
const WAIT: Duration = Duration::from_millis(40);
const PERIOD: Duration = Duration::from_secs(1);

/// Checks to which domains addresses belong. It asks a name server itself, because the system's resolver has no time limit.
#[derive(Debug)]
pub struct Origins {
    servers: Arc<NameServers>,
    answers: Lookups<Question, Option<bool>>,
    waits: Mutex<Waits>,
}

/// An address, and the domains to check.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    address: IpAddr,
    domains: Box<[Box<str>]>,
}

/// Time for which callers have waited in the current period, and the start of the period.
#[derive(Debug)]
struct Waits {
    since: Instant,
    left: Duration,
}

impl Origins {
    /// Makes it without cached answers. Without a server those of `/etc/resolv.conf` are asked; a look-up takes no longer than the limit.
    pub fn new(server: Option<SocketAddr>, limit: Duration) -> Self {
        let servers = Arc::new(NameServers::new(server));
        let asked = Arc::clone(&servers);
        let answers = Lookups::new(LIMITS, move |question: &Question| match find_out(&asked, question, Instant::now() + limit) {
            Ok(answer) => (Some(answer), KNOWN),
            Err(_) => (None, UNKNOWN),
        });
        Self { servers, answers, waits: Mutex::new(Waits { since: Instant::now(), left: WAIT }) }
    }

    /// Returns `true` if an address belongs to one of the domains, `false` if it does not, and `None` if this is not known yet, or the look-up
    /// failed.
    ///
    /// All callers together wait at most 40 ms a second for answers. A later answer is cached, and `if_false` is called if the address does not
    /// belong to the domains.
    pub fn belongs(&self, address: IpAddr, domains: &[Box<str>], if_false: impl FnOnce() + Send + 'static) -> Option<bool> {
        let question = Question { address, domains: domains.into() };
        let start = Instant::now();
        let listener = Box::new(|answer: &Option<bool>| {
            if *answer == Some(false) {
                if_false();
            }
        });
        let answer = self.answers.ask(&question, self.wait(start), Some(listener));
        self.waited(start.elapsed());
        answer.flatten()
    }

    /// Returns a resolver of names with the same servers.
    pub fn names(&self) -> Names<'_> {
        Names::new(&self.servers)
    }

    /// Returns the time that a caller may wait now.
    fn wait(&self, now: Instant) -> Duration {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(waits.since) >= PERIOD {
            *waits = Waits { since: now, left: WAIT };
        }
        waits.left
    }

    fn waited(&self, time: Duration) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.left = waits.left.saturating_sub(time);
    }
}

fn find_out(servers: &NameServers, question: &Question, deadline: Instant) -> io::Result<bool> {
    let Question { address, domains } = question;
    let servers = servers.now();
    let names = ask(&servers, &reverse_name(*address), Kind::Ptr, deadline)?;
    let kind = if address.is_ipv4() { Kind::A } else { Kind::Aaaa };
    let names = names.into_iter().filter_map(|record| match record {
        Record::Name(name) => Some(name),
        Record::Address(_) => None,
    });
    for name in names.filter(|name| domains.iter().any(|domain| is_within(name, domain))).take(MAX_NAMES) {
        if ask(&servers, &name, kind, deadline)?.contains(&Record::Address(*address)) {
            return Ok(true);
        }
    }
    Ok(false)
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
    fn a_silent_server_holds_all_callers_of_a_second_for_a_moment_only() {
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let origins = Origins::new(Some(silent.local_addr().unwrap()), Duration::from_millis(500));
        let domains = [Box::from("example.com")];
        let began = Instant::now();
        for last in 1..=20 {
            assert_eq!(origins.belongs(IpAddr::from([192, 0, 2, last]), &domains, || panic!("nothing was found out")), None);
        }
        let took = began.elapsed();
        assert!((WAIT.as_millis()..200).contains(&took.as_millis()), "{took:?}");
    }
}
