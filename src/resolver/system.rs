//! The machine's resolver, called by a few threads.

use super::dns::{Kind, Record};
use super::exchange::ask;
use super::lookups::{LookupLimits, Lookups};
use super::servers::NameServers;
use super::{Answer, Resolver};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Limits of looking up names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolverLimits {
    /// Maximum time that a caller waits.
    pub wait: Duration,
    /// Maximum number of names that are looked up at the same time; each uses a thread.
    pub threads: usize,
    /// Maximum number of waiting names; further ones get no answer.
    pub line: usize,
    /// Maximum number of cached answers.
    pub answers: usize,
    /// Time for which an address is cached. The system's resolver does not report its validity.
    pub address_lives: Duration,
    /// Time for which the absence of an address is cached.
    pub nothing_lives: Duration,
}

impl Default for ResolverLimits {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(1),
            threads: 4,
            line: 256,
            answers: 16_384,
            address_lives: Duration::from_secs(300),
            nothing_lives: Duration::from_secs(60),
        }
    }
}

/// Looks up names with the system's resolver, which reads `/etc/hosts` and `/etc/resolv.conf`.
///
/// The same name is looked up only once at a time, and not again while its answer is cached. After one caller has timed out, the next ones do not
/// wait for the same name.
#[derive(Debug)]
pub struct SystemResolver {
    wait: Duration,
    names: Lookups<String, Option<Ipv4Addr>>,
}

impl SystemResolver {
    /// Makes a resolver with separate threads and a separate cache.
    #[must_use]
    pub fn new(limits: ResolverLimits) -> Self {
        Self::with_lookup(limits, system_lookup)
    }

    /// Returns the resolver of this process: rule sets that follow each other share its cache.
    #[must_use]
    pub fn shared() -> Arc<dyn Resolver> {
        static OF_PROCESS: OnceLock<Arc<SystemResolver>> = OnceLock::new();
        OF_PROCESS.get_or_init(|| Arc::new(Self::new(ResolverLimits::default()))).clone()
    }

    /// Makes a separate resolver that asks one name server instead of the system's resolver.
    #[must_use]
    pub fn asking(server: SocketAddr) -> Self {
        let limits = ResolverLimits::default();
        let servers = NameServers::new(Some(server));
        Self::with_lookup(limits, move |name| {
            let records = ask(&servers.now(), name, Kind::A, Instant::now() + limits.wait).ok()?;
            records.into_iter().find_map(|record| match record {
                Record::Address(IpAddr::V4(address)) => Some(address),
                _ => None,
            })
        })
    }

    /// Makes a resolver with a look-up function, which returns the first address of a name and need not return in time.
    fn with_lookup(limits: ResolverLimits, lookup: impl Fn(&str) -> Option<Ipv4Addr> + Send + Sync + 'static) -> Self {
        let ResolverLimits { wait, threads, line, answers, address_lives, nothing_lives } = limits;
        let names = Lookups::new(LookupLimits { threads, line, answers }, move |name: &String| {
            let answer = lookup(name);
            (answer, if answer.is_some() { address_lives } else { nothing_lives })
        });
        Self { wait, names }
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> Answer {
        match self.names.ask(&name.to_owned(), self.wait, None) {
            Some(Some(address)) => Answer::Address(address),
            Some(None) => Answer::Nothing,
            None => Answer::Late,
        }
    }
}

fn system_lookup(name: &str) -> Option<Ipv4Addr> {
    let addresses = (name, 0).to_socket_addrs().ok()?;
    addresses.into_iter().find_map(|address| match address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};

    const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    /// Makes a resolver that counts what it looks up; names that begin with `slow` take until the sender is dropped.
    fn resolver(limits: ResolverLimits) -> (Arc<SystemResolver>, Arc<AtomicUsize>, Sender<()>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        let resolver = SystemResolver::with_lookup(limits, move |name| {
            counted.fetch_add(1, Ordering::SeqCst);
            if name.starts_with("slow") {
                let _ = released.lock().unwrap().recv();
            }
            (!name.contains("absent")).then_some(LISTED)
        });
        (Arc::new(resolver), count, release)
    }

    #[test]
    fn answers_good_and_bad_are_remembered() {
        let (resolver, count, _) = resolver(ResolverLimits::default());
        for _ in 0..3 {
            assert_eq!(resolver.resolve("listed.example."), Answer::Address(LISTED));
            assert_eq!(resolver.resolve("absent.example."), Answer::Nothing);
        }
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn answers_grow_old() {
        let (resolver, count, _) = resolver(ResolverLimits { address_lives: Duration::ZERO, ..ResolverLimits::default() });
        resolver.resolve("a.example.");
        resolver.resolve("a.example.");
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn nobody_waits_longer_than_the_limit_and_nobody_waits_twice() {
        let (resolver, count, release) = resolver(ResolverLimits { wait: Duration::from_millis(50), ..ResolverLimits::default() });
        let start = Instant::now();
        assert_eq!(resolver.resolve("slow.example."), Answer::Late);
        assert!(start.elapsed() >= Duration::from_millis(50));
        // A hundred more would take five seconds.
        assert!((0..100).all(|_| resolver.resolve("slow.example.") == Answer::Late));
        assert!(start.elapsed() < Duration::from_secs(4));
        drop(release);
        let answer = std::iter::repeat_with(|| resolver.resolve("slow.example.")).find(|answer| *answer != Answer::Late);
        assert_eq!(answer, Some(Answer::Address(LISTED)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn many_who_ask_for_one_name_share_one_look_up() {
        let (resolver, count, release) = resolver(ResolverLimits { wait: Duration::from_secs(5), ..ResolverLimits::default() });
        std::thread::scope(|scope| {
            let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| resolver.resolve("slow.example."))).collect();
            drop(release);
            assert!(askers.into_iter().all(|asker| asker.join().unwrap() == Answer::Address(LISTED)));
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
