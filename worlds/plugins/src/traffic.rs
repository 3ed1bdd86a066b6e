//! Answers the questions of plugins about the traffic of this machine, and finds those that a request triggers.

use crate::key::{Combination, Key, KeyHash};
use crate::once_per_second::OncePerSecond;
use crate::registration::{Condition, Target};
use crate::skynet::TOP_TYPES;
use crate::statistics::{Statistics, Totals};
use crate::top::{TopEntry, TopLists, TopType};
use crate::visit::Visit;
use secrule::internals::script::Script;
use secrule_host::Exchange;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The address of a client that has none, such as behind a Unix socket.
const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Counts requests, and answers questions about them.
#[derive(Debug, Default)]
pub struct Traffic {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    statistics: Statistics,
    top_lists: TopLists,
    once: OncePerSecond,
}

/// A request, as plugins know it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'e> {
    /// The client.
    pub ip: IpAddr,
    /// The host. That of a record is UTF-8; what is not ends it.
    pub host: &'e str,
    /// The path.
    pub url_path: &'e [u8],
}

impl<'e> Seen<'e> {
    /// Returns what plugins know of an exchange.
    pub fn of(exchange: &'e Exchange) -> Self {
        let host = match std::str::from_utf8(&exchange.host) {
            Ok(host) => host,
            Err(error) => exchange.host.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default(),
        };
        Self { ip: exchange.client.unwrap_or(NO_ADDRESS), host, url_path: &exchange.url_path }
    }
}

/// Returns the kinds that a request is of: one, both, or none if it was denied and not logged.
pub fn targets(exchange: &Exchange) -> impl Iterator<Item = Target> + use<> {
    let access = (!exchange.is_denied).then_some(Target::Access);
    access.into_iter().chain(exchange.attack.as_ref().map(|_| Target::Detect))
}

impl Traffic {
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts from now on what a script is likely to ask about, so that its first questions do not get zeros: the combinations that it registered, if it
    /// asks for counts, and the top lists that it names.
    pub fn expect(&self, script: &Script, combinations: impl Iterator<Item = Combination>) {
        let mut counts = self.lock();
        if ["stat_visit", "stat_time", "stat_resp_code"].iter().any(|name| script.has_word(name)) {
            combinations.for_each(|combination| counts.statistics.switch_on(combination));
        }
        let named = TOP_TYPES.iter().zip(TopType::ALL).filter(|(name, _)| script.has_word(name));
        named.for_each(|(_, top_type)| counts.top_lists.switch_on(top_type));
    }

    /// Counts a request.
    pub fn count(&self, exchange: &Exchange) {
        let Seen { ip, host, url_path } = Seen::of(exchange);
        let sessions: Vec<&[u8]> = exchange.sessions.iter().map(|(_, value)| value.as_ref()).collect();
        let visit = Visit {
            second: now(),
            ip,
            host,
            url_path,
            sessions: &sessions,
            status: exchange.status,
            backend: exchange.backend.unwrap_or_default(),
            is_attack: exchange.is_denied || exchange.attack.is_some(),
        };
        let mut counts = self.lock();
        counts.statistics.count(&visit);
        counts.top_lists.count(&visit);
    }

    /// Returns `true` if a request triggers a registration with this number.
    pub fn triggers(&self, condition: &Condition, registration: u32, seen: &Seen<'_>, target: Target) -> bool {
        if !condition.takes(target) || !condition.matches(seen.ip, seen.host.as_bytes(), seen.url_path) {
            return false;
        }
        // Detected requests are never left out.
        if condition.is_for_each || target == Target::Detect {
            return true;
        }
        let mut counts = self.lock();
        let hash = self.hash(&counts, condition, seen);
        counts.once.is_first(now(), registration, hash)
    }

    fn hash(&self, counts: &Counts, condition: &Condition, seen: &Seen<'_>) -> KeyHash {
        let visit = Visit {
            second: 0,
            ip: seen.ip,
            host: seen.host,
            url_path: seen.url_path,
            sessions: &[],
            status: 0,
            backend: Default::default(),
            is_attack: false,
        };
        counts.statistics.hasher().hash(&Key::of(&visit, condition.combination))
    }

    /// Returns the counts of a key in the last seconds.
    pub fn totals(&self, key: &Key<'_>, seconds: u32) -> Totals {
        self.lock().statistics.totals(key, seconds, now())
    }

    /// Returns the most frequent keys of the last five seconds.
    pub fn top(&self, top_type: TopType, count: usize) -> Vec<TopEntry> {
        self.lock().top_lists.top(top_type, count, now()).to_vec()
    }

    /// Returns the memory of all counts, and what they left out.
    pub fn status(&self) -> Value {
        let counts = self.lock();
        json!({
            "statistics_bytes": counts.statistics.bytes(),
            "statistics_uncounted": counts.statistics.uncounted(),
            "top_lists_bytes": counts.top_lists.bytes(),
        })
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
