//! Leadership of one of the hosts of a store: what must happen once, such as timers, runs there.
//!
//! The host that leads has a lease in the store, under the name of an owner. Two running hosts with the same name would both lead, and a host that was killed
//! and started again under another name would wait for the end of its own lease. So the name says which lock the host holds: the one of its socket, of which
//! there is one holder at a time, as the run of the system (`boot_id`), the device and the inode of the locked file.
//!
//! * Hosts at two sockets of a machine lock two files: two names.
//! * Containers may have the same host name, the same paths and even the same `boot_id`, but each locks a file on a device of its own, or another file of a
//!   device that they share; and one that they share has one holder.
//! * Another machine, and this one after a start, has another `boot_id`.
//! * A copy of a virtual machine that was made while it ran has the same names as the original: give such copies a start of their own, or stores of their own.
//!
//! A host in the same process has no socket; it has the process and a random number in its name.

use secrule::{Down, Store};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
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
    /// The name in the lease.
    owner: OnceLock<String>,
    machine: String,
    /// The end of the lease, if this host has it.
    leads_until: Mutex<Option<Instant>>,
    node: AtomicU64,
}

impl Leadership {
    /// A host that does not lead yet.
    pub fn new() -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { owner: OnceLock::new(), machine, leads_until: Mutex::new(None), node: AtomicU64::new(0) }
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

    /// Names the owner of the lease by a lock that the host holds. It counts before the first renewal only.
    pub(crate) fn be_owner(&self, lock: &str) {
        self.owner.get_or_init(|| format!("{}:{lock}", self.machine));
    }

    fn owner(&self) -> &str {
        let unique = || format!("{}:{}:{:x}", self.machine, std::process::id(), secrule::internals::random::unique_number());
        self.owner.get_or_init(unique)
    }

    /// Takes or renews the lease. While the store does not answer this host leads until its lease runs out, and then no longer: otherwise two could.
    pub(crate) fn renew(&self, store: &dyn Store, by: Instant) -> Result<(), Down> {
        let until = Instant::now().checked_add(LEASE_TIME - MARGIN);
        let leads = store.lease(LEASE, self.owner(), LEASE_TIME, by)?;
        self.set_leads_until(until.filter(|_| leads));
        Ok(())
    }

    /// Gives the lease back, so that another host leads at once.
    pub(crate) fn resign(&self, store: &dyn Store, by: Instant) {
        if self.leads_until().is_some() {
            self.set_leads_until(None);
            // If the store does not answer, the lease ends by itself.
            let _ = store.lease(LEASE, self.owner(), AT_ONCE, by);
        }
    }
}

impl Default for Leadership {
    fn default() -> Self {
        Self::new()
    }
}
