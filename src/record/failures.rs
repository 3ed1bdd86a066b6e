//! Write errors of logs: reported once, always counted.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// The write errors of one log.
#[derive(Debug)]
pub struct Failures {
    /// The log, such as `the log /var/log/audit.log`.
    place: String,
    reported: AtomicBool,
    lost: AtomicU64,
}

impl Failures {
    /// Makes a counter for a log such as `the log /var/log/audit.log`.
    pub fn of(place: String) -> Self {
        Self { place, reported: AtomicBool::new(false), lost: AtomicU64::new(0) }
    }

    /// Returns the counter of a folder with a file for each record, shared by all its writers.
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

    /// Reports an error to standard error, unless one was reported before.
    pub fn report(&self, error: &io::Error) {
        if !self.reported.swap(true, Ordering::Relaxed) {
            // If standard error is closed as well, the error cannot be reported.
            let _ = writeln!(io::stderr(), "secrule: cannot write {}: {error}", self.place);
        }
    }

    /// Counts a lost record, and reports the error.
    pub fn lost(&self, error: &io::Error) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.report(error);
    }

    /// Returns the number of lost records.
    pub fn count(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Reports the number of lost records at the end, if there was more than the reported one.
impl Drop for Failures {
    fn drop(&mut self) {
        let lost = self.count();
        if lost > 1 {
            let _ = writeln!(io::stderr(), "secrule: {lost} records of {} were lost", self.place);
        }
    }
}
