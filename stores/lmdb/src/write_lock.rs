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

/// A lock of a file, which one thread of one process holds at a time.
#[derive(Debug)]
pub struct WriteLock {
    file: File,
    threads: Mutex<()>,
}

/// The lock, as long as it is held.
#[derive(Debug)]
pub struct Held<'l> {
    file: &'l File,
    _thread: MutexGuard<'l, ()>,
}

impl WriteLock {
    /// Makes a lock of a file.
    pub fn new(file: File) -> Self {
        Self { file, threads: Mutex::new(()) }
    }

    /// Takes the lock.
    ///
    /// # Errors
    /// If another thread or process holds it until the deadline.
    pub fn hold(&self, by: Instant) -> Result<Held<'_>, Down> {
        let too_long = || Down::new("another process has been writing to it for too long");
        let thread = wait(by, || match self.threads.try_lock() {
            Ok(guard) => Ok(Some(guard)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Poisoned(poisoned)) => Ok(Some(PoisonError::into_inner(poisoned))),
        })?;
        let thread = thread.ok_or_else(too_long)?;
        wait(by, || Ok(try_lock(&self.file, FlockOperation::NonBlockingLockExclusive)?.then_some(())))?.ok_or_else(too_long)?;
        Ok(Held { file: &self.file, _thread: thread })
    }

    /// Returns its file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // It cannot fail for a file that is open.
        let _ = flock(self.file, FlockOperation::Unlock);
    }
}

/// Locks a file. Returns `false` if another process has a lock of it.
///
/// # Errors
/// If the file system has no locks.
pub fn try_lock(file: &File, operation: FlockOperation) -> Result<bool, Down> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(Down::new(format!("its lock cannot be taken: {error}"))),
    }
}

/// Tries again and again until something succeeds, or the deadline comes: then `None`.
///
/// # Errors
/// That of a try, which ends the wait.
pub fn wait<T>(by: Instant, mut attempt: impl FnMut() -> Result<Option<T>, Down>) -> Result<Option<T>, Down> {
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
