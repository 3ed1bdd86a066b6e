//! The store in memory does what every store must do.

use secrule::MemoryStore;
use secrule_testkit::store_suite;

#[test]
fn the_store_in_memory_passes_the_suite() {
    store_suite::run(&MemoryStore::new());
}
