//! What could not be written to a log: told once, counted always.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The failures of one log.
#[derive(Debug)]
pub struct Failures {
    /// The log's path or address.
    log: String,
    told: AtomicBool,
    lost: AtomicU64,
}

impl Failures {
    /// None so far, of a log under a path or address.
    pub fn of(log: String) -> Self {
        Self { log, told: AtomicBool::new(false), lost: AtomicU64::new(0) }
    }

    /// Tells standard error about a failure, unless it was told about one before.
    pub fn tell(&self, error: &io::Error) {
        if !self.told.swap(true, Ordering::Relaxed) {
            // Standard error may be closed as well; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "secrule: cannot write the log {}: {error}", self.log);
        }
    }

    /// Counts a record that is lost, and tells about it.
    pub fn lost(&self, error: &io::Error) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.tell(error);
    }

    /// How many records were lost.
    pub fn count(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Tells how many were lost in the end, where it was more than the one that was told about.
impl Drop for Failures {
    fn drop(&mut self) {
        let lost = self.count();
        if lost > 1 {
            let _ = writeln!(io::stderr(), "secrule: {lost} records of the log {} were lost", self.log);
        }
    }
}
