//! A store in LMDB: all processes of a machine share collections, bans and rates, and keep them over a restart.
//!
//! The store is opened by the first call of each process, because hosts load rules and then fork. Reads take no lock. One write at a time runs in the
//! thread that asks for it, under a lock of the file beside the database that can be waited for until a deadline: LMDB's own lock cannot, so that a
//! process that is stopped within a write would hold up all others without end. With this lock they say that the store is down, until it goes on.
//! The lock of a process that ends, however it ends, is released by the system.
//!
//! Writes are not flushed to the disk one by one: they survive the end of all processes, but not that of the machine's power.

mod gate;
mod opened;
mod store;
mod table;

pub use store::LmdbStore;
