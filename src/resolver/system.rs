//! The machine's own resolver, asked by a few threads.

use super::dns::{Kind, Record};
use super::exchange::ask;
use super::servers::NameServers;
use super::{Answer, Resolver};
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// What looking up names may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolverLimits {
    /// How long whoever asks waits.
    pub wait: Duration,
    /// How many names are looked up at the same time; each takes a thread while there is something to do.
    pub threads: usize,
    /// How many names may stand in line; those beyond get no answer.
    pub line: usize,
    /// How many answers are remembered.
    pub answers: usize,
    /// How long an address is remembered. The system's resolver does not say how long it is valid.
    pub address_lives: Duration,
    /// How long it is remembered that there is none.
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

/// How long a thread stays when there is nothing to do.
const IDLE: Duration = Duration::from_secs(10);

/// Looks up names with the system's resolver, which follows `/etc/hosts` and `/etc/resolv.conf`.
///
/// A name is looked up once at a time, whoever asks, and not again while its answer is remembered. When one caller has waited in vain the
/// next do not wait for the same name.
#[derive(Debug)]
pub struct SystemResolver {
    shared: Arc<Shared>,
}

/// Gives the first address of a name, however long that takes.
type Lookup = dyn Fn(&str) -> Option<Ipv4Addr> + Send + Sync;

struct Shared {
    limits: ResolverLimits,
    lookup: Box<Lookup>,
    state: Mutex<State>,
    /// Something stands in line.
    work: Condvar,
    /// An answer came.
    news: Condvar,
}

#[derive(Default)]
struct State {
    names: HashMap<Arc<str>, Progress>,
    line: VecDeque<Arc<str>>,
    threads: usize,
    idle: usize,
}

enum Progress {
    /// Asked for; `late` when somebody waited in vain.
    Open {
        late: bool,
    },
    Known {
        answer: Option<Ipv4Addr>,
        until: Instant,
    },
}

impl SystemResolver {
    /// A resolver with threads and a memory of its own.
    #[must_use]
    pub fn new(limits: ResolverLimits) -> Self {
        Self::with_lookup(limits, system_lookup)
    }

    /// The resolver of this process: rule sets that follow each other share its memory.
    #[must_use]
    pub fn shared() -> Arc<dyn Resolver> {
        static OF_PROCESS: OnceLock<Arc<SystemResolver>> = OnceLock::new();
        OF_PROCESS.get_or_init(|| Arc::new(Self::new(ResolverLimits::default()))).clone()
    }

    /// A resolver of its own that asks one name server instead of the system's resolver.
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

    fn with_lookup(limits: ResolverLimits, lookup: impl Fn(&str) -> Option<Ipv4Addr> + Send + Sync + 'static) -> Self {
        let (state, work, news) = Default::default();
        Self { shared: Arc::new(Shared { limits, lookup: Box::new(lookup), state, work, news }) }
    }
}

impl Resolver for SystemResolver {
    fn resolve(&self, name: &str) -> Answer {
        let shared = &self.shared;
        let deadline = Instant::now() + shared.limits.wait;
        let mut state = shared.lock();
        match state.names.get(name) {
            Some(Progress::Known { answer, until }) if *until > Instant::now() => return known(*answer),
            Some(Progress::Open { late: true }) => return Answer::Late,
            Some(Progress::Open { late: false }) => {}
            _ => {
                if state.line.len() >= shared.limits.line || !Shared::ensure_thread(shared, &mut state) {
                    return Answer::Late;
                }
                state.make_room(shared.limits.answers);
                let name: Arc<str> = name.into();
                state.names.insert(name.clone(), Progress::Open { late: false });
                state.line.push_back(name);
                shared.work.notify_one();
            }
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match state.names.get_mut(name) {
                Some(Progress::Known { answer, .. }) => return known(*answer),
                Some(Progress::Open { late }) if left.is_zero() => {
                    *late = true;
                    return Answer::Late;
                }
                Some(Progress::Open { .. }) => {}
                None => return Answer::Late,
            }
            state = shared.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread unless one is free or there are enough; whether there is any.
    fn ensure_thread(shared: &Arc<Self>, state: &mut State) -> bool {
        if state.idle > state.line.len() || state.threads >= shared.limits.threads.max(1) {
            return true;
        }
        let worker = Arc::clone(shared);
        if std::thread::Builder::new().name("secrule-resolver".to_owned()).spawn(move || worker.work()).is_ok() {
            state.threads = state.threads.saturating_add(1);
        }
        state.threads > 0
    }

    /// What a thread does: names in line, until there were none for a while.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            let Some(name) = state.line.pop_front() else {
                state.idle = state.idle.saturating_add(1);
                let (woken, wait) = self.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.idle = state.idle.saturating_sub(1);
                if wait.timed_out() && state.line.is_empty() {
                    state.threads = state.threads.saturating_sub(1);
                    return;
                }
                continue;
            };
            drop(state);
            let answer = (self.lookup)(&name);
            state = self.lock();
            let lives = if answer.is_some() { self.limits.address_lives } else { self.limits.nothing_lives };
            state.names.insert(name, Progress::Known { answer, until: Instant::now() + lives });
            self.news.notify_all();
        }
    }
}

impl State {
    /// Forgets answers when there are too many: first the old ones, then all.
    fn make_room(&mut self, most: usize) {
        if self.names.len() < most {
            return;
        }
        let now = Instant::now();
        self.names.retain(|_, progress| {
            matches!(progress, Progress::Known { until, .. } if *until > now) || matches!(progress, Progress::Open { .. })
        });
        if self.names.len() >= most {
            self.names.retain(|_, progress| matches!(progress, Progress::Open { .. }));
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn known(answer: Option<Ipv4Addr>) -> Answer {
    answer.map_or(Answer::Nothing, Answer::Address)
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    /// A resolver that counts what it looks up; names that begin with `slow` take a while.
    fn resolver(limits: ResolverLimits) -> (Arc<SystemResolver>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let resolver = SystemResolver::with_lookup(limits, move |name| {
            counted.fetch_add(1, Ordering::SeqCst);
            if name.starts_with("slow") {
                std::thread::sleep(Duration::from_millis(300));
            }
            (!name.contains("absent")).then_some(LISTED)
        });
        (Arc::new(resolver), count)
    }

    #[test]
    fn answers_good_and_bad_are_remembered() {
        let (resolver, count) = resolver(ResolverLimits::default());
        for _ in 0..3 {
            assert_eq!(resolver.resolve("listed.example."), Answer::Address(LISTED));
            assert_eq!(resolver.resolve("absent.example."), Answer::Nothing);
        }
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn answers_grow_old() {
        let (resolver, count) = resolver(ResolverLimits { address_lives: Duration::ZERO, ..ResolverLimits::default() });
        resolver.resolve("a.example.");
        resolver.resolve("a.example.");
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn nobody_waits_longer_than_the_limit_and_nobody_waits_twice() {
        let (resolver, count) = resolver(ResolverLimits { wait: Duration::from_millis(50), ..ResolverLimits::default() });
        let start = Instant::now();
        assert_eq!(resolver.resolve("slow.example."), Answer::Late);
        let waited = start.elapsed();
        assert!((50..250).contains(&waited.as_millis()), "{waited:?}");
        assert_eq!(resolver.resolve("slow.example."), Answer::Late);
        assert!(start.elapsed() - waited < Duration::from_millis(40));
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(resolver.resolve("slow.example."), Answer::Address(LISTED));
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn many_who_ask_for_one_name_share_one_look_up() {
        let (resolver, count) = resolver(ResolverLimits { wait: Duration::from_secs(5), ..ResolverLimits::default() });
        std::thread::scope(|scope| {
            let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| resolver.resolve("slow.example."))).collect();
            assert!(askers.into_iter().all(|asker| asker.join().unwrap() == Answer::Address(LISTED)));
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn neither_the_line_nor_the_memory_grows_without_end() {
        let limits = ResolverLimits { wait: Duration::ZERO, threads: 1, line: 5, answers: 10, ..ResolverLimits::default() };
        let (resolver, _) = resolver(limits);
        for number in 0..50 {
            assert_eq!(resolver.resolve(&format!("slow{number}.example.")), Answer::Late);
        }
        assert!(resolver.shared.lock().line.len() <= 5);
        let (resolver, _) = self::resolver(ResolverLimits { answers: 10, ..ResolverLimits::default() });
        for number in 0..50 {
            resolver.resolve(&format!("{number}.example."));
        }
        assert!(resolver.shared.lock().names.len() <= 10);
    }
}
