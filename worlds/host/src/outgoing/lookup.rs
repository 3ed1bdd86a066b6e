//! The addresses of a name, within a time limit.

use super::failure::{Failure, TIMEOUT};
use super::permits::Permits;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Instant;

/// Maximum number of look-ups at once. The system's look-up has no time limit and cannot be stopped: one that hangs keeps its thread.
const LOOKUPS: usize = 16;

/// Looks up names.
pub trait HostLookup: Send + Sync + 'static {
    /// Returns the addresses of a name, the best first. Takes any time: it runs in a thread of its own.
    ///
    /// # Errors
    /// If the name has no address, or the look-up failed.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The look-up of the system: `/etc/hosts`, the DNS, and its other sources.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

/// Runs look-ups in threads, so that callers wait no longer than their deadline.
pub struct Lookups {
    lookup: Arc<dyn HostLookup>,
    permits: Permits,
}

impl Lookups {
    pub fn new(lookup: Arc<dyn HostLookup>) -> Self {
        Self { lookup, permits: Permits::new(LOOKUPS) }
    }

    /// Returns the addresses of a name, of which there is at least one.
    pub fn addresses(&self, host: &str, by: Instant) -> Result<Vec<IpAddr>, Failure> {
        let late = || Failure::transient(TIMEOUT);
        let permit = self.permits.wait("", by).ok_or_else(late)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let (lookup, name) = (Arc::clone(&self.lookup), host.to_owned());
        let thread = thread::Builder::new().name("secrule-lookup".to_owned()).spawn(move || {
            let found = lookup.addresses(&name);
            drop(permit);
            // The caller may have gone.
            let _ = sender.send(found);
        });
        if thread.is_err() {
            return Err(Failure::transient("no thread for the look-up of the name"));
        }
        match receiver.recv_timeout(by.saturating_duration_since(Instant::now())) {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            Err(RecvTimeoutError::Timeout) => Err(late()),
            // Also if the look-up panicked.
            _ => Err(Failure::transient(format!("host not found: {host}"))),
        }
    }
}

impl HostLookup for SystemLookup {
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}
