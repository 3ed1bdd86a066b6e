//! Which of the hosts of a store leads: what must happen once, such as timers, runs there.

use secrule::{Down, Store};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The lease of the host that leads, its time, and the time between two renewals.
const LEASE: &str = "host";
const LEASE_TIME: Duration = Duration::from_secs(15);
pub(crate) const RENEWAL: Duration = Duration::from_secs(5);

/// The time of a lease that is given back; stores take no lease without time.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The place of a host among those of its store.
#[derive(Debug)]
pub struct Leadership {
    owner: String,
    machine: String,
    leads: AtomicBool,
    node: AtomicU64,
}

impl Leadership {
    /// A host that does not lead yet.
    pub fn new() -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let owner = format!("{machine}:{}:{:x}", std::process::id(), secrule::internals::random::unique_number());
        Self { owner, machine, leads: AtomicBool::new(false), node: AtomicU64::new(0) }
    }

    /// Returns `true` if this host leads.
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }

    /// Returns the name of this machine.
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Returns the number of this node in the store; 0 before it is known.
    pub fn node(&self) -> u64 {
        self.node.load(Ordering::Relaxed)
    }

    pub(crate) fn set_node(&self, node: u64) {
        self.node.store(node, Ordering::Relaxed);
    }

    /// Takes or renews the lease. A store that does not answer leaves no host leading: otherwise two could.
    pub(crate) fn renew(&self, store: &dyn Store, by: Instant) -> Result<(), Down> {
        let leads = store.lease(LEASE, &self.owner, LEASE_TIME, by);
        self.leads.store(matches!(leads, Ok(true)), Ordering::Relaxed);
        leads.map(drop)
    }

    /// Gives the lease back, so that another host leads at once.
    pub(crate) fn resign(&self, store: &dyn Store, by: Instant) {
        if self.leads.swap(false, Ordering::Relaxed) {
            // If the store does not answer, the lease ends by itself.
            let _ = store.lease(LEASE, &self.owner, AT_ONCE, by);
        }
    }
}

impl Default for Leadership {
    fn default() -> Self {
        Self::new()
    }
}
