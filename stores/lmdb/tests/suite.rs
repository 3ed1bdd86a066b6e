//! The store in LMDB does what every store must do.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule_lmdb::LmdbStore;
use secrule_testkit::{store_soak, store_suite};
use std::fs;

#[test]
fn the_store_in_lmdb_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    store_suite::run(&LmdbStore::new(folder.path().join("store.mdb"), LmdbStore::SIZE));
}

#[test]
fn more_clients_than_the_file_holds_make_room_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, size) = (folder.path().join("store.mdb"), 32 << 20);
    let store = LmdbStore::new(&path, size);
    let mut largest = 0;
    let soaked = store_soak::run(&store, || largest = largest.max(fs::metadata(&path).unwrap().len()));
    eprintln!("{soaked:?}, a file of at most {largest} bytes");
    assert!(largest <= size && (soaked.newest, soaked.oldest) == (1_000, 0));
}

#[test]
fn no_addition_of_several_processes_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.mdb");
    let store = LmdbStore::new(&path, LmdbStore::SIZE);
    store_suite::no_addition_of_several_processes_is_lost(&store, "a_process_adds_if_it_is_asked_to", path.to_str().unwrap());
}

#[test]
fn a_process_adds_if_it_is_asked_to() {
    if let Some(place) = store_suite::place_of_additions() {
        store_suite::add_as_asked(&LmdbStore::new(place, LmdbStore::SIZE));
    }
}
