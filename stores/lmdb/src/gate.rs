//! The lock of writers, which can be waited for until a deadline.

use rustix::fs::{FlockOperation, flock};
use secrule::Down;
use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The first pause between two tries, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_micros(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// A lock of a file, for one thread of one process.
#[derive(Debug)]
pub struct Gate {
    file: File,
    threads: Mutex<()>,
}

/// The lock, as long as it is held.
#[derive(Debug)]
pub struct Passed<'g> {
    file: &'g File,
    _thread: MutexGuard<'g, ()>,
}

impl Gate {
    /// Makes a lock of a file.
    pub fn new(file: File) -> Self {
        Self { file, threads: Mutex::new(()) }
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// If another thread or process holds it until the deadline.
    pub fn pass(&self, by: Instant) -> Result<Passed<'_>, Down> {
        let held = || Down::new("another process has been writing to it for too long");
        let thread = wait(by, || match self.threads.try_lock() {
            Ok(guard) => Ok(Some(guard)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Poisoned(poisoned)) => Ok(Some(PoisonError::into_inner(poisoned))),
        })?;
        let thread = thread.ok_or_else(held)?;
        let locked = wait(by, || match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(())),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(Down::new(format!("its lock cannot be taken: {error}"))),
        })?;
        locked.ok_or_else(held)?;
        Ok(Passed { file: &self.file, _thread: thread })
    }
}

impl Drop for Passed<'_> {
    fn drop(&mut self) {
        // It cannot fail for a file that is open.
        let _ = flock(self.file, FlockOperation::Unlock);
    }
}

/// Tries again and again until something succeeds, or the deadline comes: then `None`.
fn wait<T>(by: Instant, mut attempt: impl FnMut() -> Result<Option<T>, Down>) -> Result<Option<T>, Down> {
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(done) = attempt()? {
            return Ok(Some(done));
        }
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
