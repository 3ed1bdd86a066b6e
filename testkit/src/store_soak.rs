//! Many different clients, more than a store has room for.

use secrule::internals::graph::PersistentCollection;
use secrule::{RecordKey, Store, StoreLimits, Update};
use std::time::{Duration, Instant};

/// Number of clients in a short run; a long one has a million.
const CLIENTS: u32 = 30_000;

/// Limits of a short run, and those of rules without a directive.
const SMALL: StoreLimits = StoreLimits::new(1_000, 4 << 20);
const DEFAULT: StoreLimits = StoreLimits::new(1_000, 64 << 20);

/// Figures of a run.
#[derive(Clone, Copy, Debug)]
pub struct Soaked {
    /// Number of clients.
    pub clients: u32,
    /// Number of additions.
    pub additions: u64,
    /// Number of clients that are still known, of the 1,000 that were counted last.
    pub newest: usize,
    /// As `newest`, of the 1,000 that were counted first.
    pub oldest: usize,
    /// The limit of the store, in bytes.
    pub limit: usize,
}

/// Counts each client once, or for the seconds of `SECRULE_SOAK`, a million clients again and again. `watch` is called now and then.
pub fn run(store: &dyn Store, mut watch: impl FnMut()) -> Soaked {
    let seconds = std::env::var("SECRULE_SOAK").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let (clients, limits) = if seconds.is_some() { (1_000_000, DEFAULT) } else { (CLIENTS, SMALL) };
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    let by = || Instant::now() + Duration::from_secs(5);
    let record = |client: u32| RecordKey::new(PersistentCollection::Ip, std::net::Ipv4Addr::from(client).to_string().as_bytes(), "");
    let mut additions = 0;
    loop {
        for client in 0..clients {
            let record = record(client);
            let update = Update::first(&record, limits).with_timeout(Duration::from_secs(3_600));
            store.add(update, b"n", 1, by()).unwrap();
            additions += 1;
            if additions % 10_000 == 0 {
                watch();
            }
        }
        if Instant::now() >= end {
            break;
        }
    }
    let known = |clients: std::ops::Range<u32>| clients.filter(|client| store.history(&record(*client), by()).unwrap().is_some()).count();
    Soaked { clients, additions, newest: known(clients - 1_000..clients), oldest: known(0..1_000), limit: limits.bytes }
}
