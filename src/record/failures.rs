//! What could not be written to a log: told once, counted always.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// The failures of one log.
#[derive(Debug)]
pub struct Failures {
    /// What is written, such as `the log /var/log/audit.log`.
    place: String,
    told: AtomicBool,
    lost: AtomicU64,
}

impl Failures {
    /// None so far, of a place such as `the log /var/log/audit.log`.
    pub fn of(place: String) -> Self {
        Self { place, told: AtomicBool::new(false), lost: AtomicU64::new(0) }
    }

    /// The failures of a folder that holds a file for each record, shared by all that write there.
    pub fn of_folder(folder: &Path) -> Arc<Self> {
        static KNOWN: LazyLock<Mutex<HashMap<PathBuf, Weak<Failures>>>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = known.get(folder).and_then(Weak::upgrade) {
            return failures;
        }
        let failures = Arc::new(Self::of(format!("the log in the folder {}", folder.display())));
        known.retain(|_, failures| failures.strong_count() > 0);
        known.insert(folder.to_owned(), Arc::downgrade(&failures));
        failures
    }

    /// Tells standard error about a failure, unless it was told about one before.
    pub fn tell(&self, error: &io::Error) {
        if !self.told.swap(true, Ordering::Relaxed) {
            // Standard error may be closed as well; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "secrule: cannot write {}: {error}", self.place);
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
            let _ = writeln!(io::stderr(), "secrule: {lost} records of {} were lost", self.place);
        }
    }
}
