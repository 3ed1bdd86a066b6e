//! The database as this process has opened it.

use super::place::Place;
use super::table::{Entries, Failed, Reading, Writing};
use super::write_lock::WriteLock;
use heed::{Env, EnvFlags, EnvOpenOptions};
use secrule::Down;
use secrule::internals::store::{Operations, Readable, Sizes, Table};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The key of the sizes: no entry has it.
const SIZES: &[u8] = b"S";

/// The number of readers at a time, of all processes.
const READERS: u32 = 1_024;

/// The part of the file that entries may take: pages are not full, and a write needs free ones.
const SHARE: u64 = 2;

/// The time between two marks that the files are in use.
const MARKED_EVERY: Duration = Duration::from_secs(3_600);

/// An environment of LMDB, and what this process knows of it.
#[derive(Debug)]
pub struct Opened {
    environment: Env,
    entries: Entries,
    write_lock: WriteLock,
    /// The file of LMDB, with a lock that tells other processes that it is in use.
    _data: File,
    readers: PathBuf,
    /// Time of the last mark that the files are in use.
    marked: Mutex<Instant>,
    /// Maximum size of all entries, in bytes.
    max_bytes: u64,
}

impl Opened {
    /// Opens the files, and makes them if they are not there.
    pub fn new(place: &Place, size: u64, by: Instant) -> Result<Self, Down> {
        let write_lock = WriteLock::new(place.open_lock()?);
        let held = write_lock.hold(by)?;
        let data = place.open_data()?;
        let mut options = EnvOpenOptions::new();
        options.map_size(usize::try_from(size).unwrap_or(usize::MAX)).max_readers(READERS);
        // SAFETY: two things can break memory safety. A file that others change or cut while it is mapped: `place` makes sure that no other user may
        // write to it, and all processes of this user who open it are this crate, which changes it through LMDB alone. And flags that leave out checks:
        // `NO_SYNC` leaves out the flush to the disk, and `place` makes the file anew after a start of the system; `NO_SUB_DIR` names a file.
        #[allow(unsafe_code)]
        let environment = unsafe { options.flags(EnvFlags::NO_SYNC | EnvFlags::NO_SUB_DIR).open(&place.data) };
        let environment = environment.map_err(|error| Down::new(format!("{} cannot be opened: {error}", place.data.display())))?;
        environment.clear_stale_readers().map_err(Failed::from)?;
        let mut transaction = environment.write_txn().map_err(Failed::from)?;
        let entries = environment.create_database(&mut transaction, None).map_err(Failed::from)?;
        transaction.commit().map_err(Failed::from)?;
        drop(held);
        let marked = Mutex::new(Instant::now());
        Ok(Self { environment, entries, write_lock, _data: data, readers: place.readers.clone(), marked, max_bytes: size / SHARE })
    }

    /// Sets the times of the files of locks now and then: programs that remove old files from folders such as `/tmp` must not take them for unused.
    fn mark_in_use(&self) {
        let mut marked = self.marked.lock().unwrap_or_else(PoisonError::into_inner);
        if marked.elapsed() >= MARKED_EVERY {
            *marked = Instant::now();
            let now = SystemTime::now();
            // Files that cannot be marked are used all the same.
            let _ = self.write_lock.file().set_modified(now);
            let _ = File::options().write(true).open(&self.readers).and_then(|file| file.set_modified(now));
        }
    }

    /// Runs an operation that reads.
    pub fn read<R>(&self, operation: impl FnOnce(&Operations<'_, Reading<'_>>) -> Result<R, Down>) -> Result<R, Down> {
        let transaction = self.environment.read_txn().map_err(Failed::from)?;
        let mut reading = Reading { entries: self.entries, transaction };
        operation(&Operations::new(&mut reading, &mut Sizes::default(), SystemTime::now(), self.max_bytes))
    }

    /// Runs an operation that writes. All of it is kept, or nothing.
    pub fn write<R, E: From<Down>>(
        &self,
        by: Instant,
        operation: impl FnOnce(&mut Operations<'_, Writing<'_>>, SystemTime) -> Result<R, E>,
    ) -> Result<R, E> {
        let _held = self.write_lock.hold(by)?;
        self.mark_in_use();
        let failed = |error: heed::Error| E::from(Failed::from(error).into());
        let mut writing = Writing { entries: self.entries, transaction: self.environment.write_txn().map_err(failed)? };
        let known = writing.get(SIZES).map_err(Down::from)?.and_then(|bytes| Sizes::decode(&bytes)).unwrap_or_default();
        let (mut sizes, now) = (known, SystemTime::now());
        let result = operation(&mut Operations::new(&mut writing, &mut sizes, now, self.max_bytes), now)?;
        if sizes != known {
            writing.put(SIZES, &sizes.encode()).map_err(Down::from)?;
        }
        writing.transaction.commit().map_err(failed)?;
        Ok(result)
    }
}
