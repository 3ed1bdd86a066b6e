//! The store in LMDB does what every store must do.

use secrule_lmdb::LmdbStore;
use secrule_testkit::store_suite;

#[test]
fn the_store_in_lmdb_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    store_suite::run(&LmdbStore::new(folder.path().join("store.mdb"), LmdbStore::SIZE));
}
