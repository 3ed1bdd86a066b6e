//! A store in LMDB: all processes of a machine share collections, bans and rates, and keep them over their restart.
//!
//! The store is opened by the first call of each process, because hosts load rules and then fork. Reads take no lock. One write at a time runs in the
//! thread that asks for it, under a lock of the file beside the database that can be waited for until a deadline: LMDB's own lock cannot, so that a
//! process that is stopped within a write would hold up all others without end. With this lock they say that the store is down, until it goes on.
//! The lock of a process that ends, however it ends, is released by the system.
//!
//! # What is lost
//!
//! Writes are not flushed to the disk one by one, which would take milliseconds each. So what is kept outlives all processes, `kill -9` included, but not
//! the machine: after its start the file is made anew, because nobody knows which pages reached the disk.
//!
//! The file does not grow beyond its size. Entries take half of it at most; beyond that, and beyond `SecStoreBytesLimit`, the records and counts that
//! did not change for longest go.
//!
//! ```
//! # use secrule::{PersistentCollection, RecordKey, Store, StoreLimits, Update};
//! # use std::time::{Duration, Instant};
//! # let folder = std::env::temp_dir().join(format!("secrule-lmdb-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let store = secrule_lmdb::LmdbStore::new(folder.join("store.mdb"), 64 << 20);
//! let record = RecordKey::new(PersistentCollection::Ip, b"192.0.2.7", "");
//! let by = Instant::now() + Duration::from_millis(50);
//! let (sum, _) = store.add(Update::first(&record, StoreLimits::new(100, 1 << 20)), b"visits", 1, by)?;
//! assert_eq!(sum, 1);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod opened;
mod place;
mod store;
mod table;
mod write_lock;

pub use store::LmdbStore;
