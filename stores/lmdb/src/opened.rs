//! The database as this process has opened it.

use super::gate::Gate;
use super::table::{Entries, Failed, Reading, Writing};
use heed::{Env, EnvFlags, EnvOpenOptions};
use secrule::Down;
use secrule::internals::store::{Operations, Readable, Sizes, Table};
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The key of the sizes: no entry has it.
const SIZES: &[u8] = b"S";

/// The number of readers at a time, of all processes.
const READERS: u32 = 1_024;

/// The part of the file that entries may take: pages are not full, and a write needs free ones.
const SHARE: u64 = 2;

/// The time after which a process looks again whether others have set bans.
const REFRESH: Duration = Duration::from_millis(50);

/// An environment of LMDB, and what this process knows of it.
#[derive(Debug)]
pub struct Opened {
    environment: Env,
    entries: Entries,
    gate: Gate,
    /// Maximum size of all entries, in bytes.
    most: u64,
    has_bans: AtomicBool,
    opened: Instant,
    /// The time of the last look at the bans, in milliseconds after `opened`.
    looked: AtomicU64,
}

impl Opened {
    /// Opens the file, and makes it if it is not there.
    pub fn new(path: &Path, size: u64) -> Result<Self, Down> {
        let lock = path.with_extension("write-lock");
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&lock);
        let file = file.map_err(|error| Down::new(format!("{} cannot be opened: {error}", lock.display())))?;
        let gate = Gate::new(file);
        let mut options = EnvOpenOptions::new();
        options.map_size(usize::try_from(size).unwrap_or(usize::MAX)).max_readers(READERS);
        // SAFETY: two things can break memory safety. A file that others change or cut while it is mapped: it has a name of its own in a folder that only
        // the host writes to, and all who open it are this crate, which changes it through LMDB alone. And flags that leave out checks: `NO_SYNC` leaves
        // out the flush to the disk, not the order of pages, so that the file is whole unless the machine stops; `NO_SUB_DIR` names a file.
        #[allow(unsafe_code)]
        let environment = unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::NO_SUB_DIR).open(path) };
        let environment = environment.map_err(|error| Down::new(format!("{} cannot be opened: {error}", path.display())))?;
        let within = Instant::now() + Duration::from_secs(1);
        let entries = {
            let _passed = gate.pass(within)?;
            environment.clear_stale_readers().map_err(Failed::from)?;
            let mut transaction = environment.write_txn().map_err(Failed::from)?;
            let entries = environment.create_database(&mut transaction, None).map_err(Failed::from)?;
            transaction.commit().map_err(Failed::from)?;
            entries
        };
        let opened = Self {
            environment,
            entries,
            gate,
            most: size / SHARE,
            has_bans: AtomicBool::new(false),
            opened: Instant::now(),
            looked: AtomicU64::new(0),
        };
        opened.look_at_bans()?;
        Ok(opened)
    }

    /// Runs an operation that reads.
    pub fn read<R>(&self, operation: impl FnOnce(&Operations<'_, Reading<'_>>) -> Result<R, Down>) -> Result<R, Down> {
        let transaction = self.environment.read_txn().map_err(Failed::from)?;
        let mut reading = Reading { entries: self.entries, transaction };
        operation(&Operations::new(&mut reading, &mut Sizes::default(), SystemTime::now(), self.most))
    }

    /// Runs an operation that writes. All of it is kept, or nothing.
    pub fn write<R, E: From<Down>>(
        &self,
        by: Instant,
        operation: impl FnOnce(&mut Operations<'_, Writing<'_>>, SystemTime) -> Result<R, E>,
    ) -> Result<R, E> {
        let _passed = self.gate.pass(by)?;
        let failed = |error: heed::Error| E::from(Failed::from(error).into());
        let mut writing = Writing { entries: self.entries, transaction: self.environment.write_txn().map_err(failed)? };
        let known = writing.get(SIZES).map_err(Down::from)?.and_then(|bytes| Sizes::decode(&bytes)).unwrap_or_default();
        let (mut sizes, now) = (known, SystemTime::now());
        let result = operation(&mut Operations::new(&mut writing, &mut sizes, now, self.most), now)?;
        if sizes != known {
            writing.put(SIZES, &sizes.encode()).map_err(Down::from)?;
        }
        writing.transaction.commit().map_err(failed)?;
        Ok(result)
    }

    /// Returns `true` if there were bans or limits, at most [`REFRESH`] ago.
    pub fn has_bans(&self) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let looked = self.looked.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(looked) >= REFRESH.as_millis() as u64;
        if is_due && self.looked.compare_exchange(looked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // A store that does not answer is noticed by the next call that asks it for something.
            let _ = self.look_at_bans();
        }
        self.has_bans.load(Ordering::Acquire)
    }

    /// Looks whether there are bans or limits.
    pub fn look_at_bans(&self) -> Result<(), Down> {
        let has_bans = self.read(|operations| operations.has_bans())?;
        self.has_bans.store(has_bans, Ordering::Release);
        Ok(())
    }
}
