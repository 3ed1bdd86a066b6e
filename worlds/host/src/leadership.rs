//! Which of the hosts of a store leads: what must happen once, such as timers, runs there.

use secrule::{Down, Store};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The lease of the host that leads, its time, and the time between two renewals.
const LEASE: &str = "host";
const LEASE_TIME: Duration = Duration::from_secs(15);
pub(crate) const RENEWAL: Duration = Duration::from_secs(5);

/// Time before the end of the lease from which on this host does not lead, unless it was renewed.
const MARGIN: Duration = Duration::from_secs(1);

/// The time of a lease that is given back; stores take no lease without time.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The place of a host among those of its store.
#[derive(Debug)]
pub struct Leadership {
    owner: String,
    machine: String,
    /// The end of the lease, if this host has it.
    leads_until: Mutex<Option<Instant>>,
    node: AtomicU64,
}

impl Leadership {
    /// A host that does not lead yet.
    pub fn new() -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let owner = format!("{machine}:{}:{:x}", std::process::id(), secrule::internals::random::unique_number());
        Self { owner, machine, leads_until: Mutex::new(None), node: AtomicU64::new(0) }
    }

    /// Returns `true` if this host leads: it took the lease, which has not run out.
    pub fn leads(&self) -> bool {
        self.leads_until().is_some_and(|until| Instant::now() < until)
    }

    fn leads_until(&self) -> Option<Instant> {
        *self.leads_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_leads_until(&self, until: Option<Instant>) {
        *self.leads_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
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

    /// Takes or renews the lease. While the store does not answer this host leads until its lease runs out, and then no longer: otherwise two could.
    pub(crate) fn renew(&self, store: &dyn Store, by: Instant) -> Result<(), Down> {
        let until = Instant::now().checked_add(LEASE_TIME - MARGIN);
        let leads = store.lease(LEASE, &self.owner, LEASE_TIME, by)?;
        self.set_leads_until(until.filter(|_| leads));
        Ok(())
    }

    /// Gives the lease back, so that another host leads at once.
    pub(crate) fn resign(&self, store: &dyn Store, by: Instant) {
        if self.leads_until().is_some() {
            self.set_leads_until(None);
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
