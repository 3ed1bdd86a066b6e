//! Several processes that use one store: a test runs itself again, as one of them.

use secrule::internals::graph::PersistentCollection;
use secrule::{RecordKey, Store, StoreLimits, Update};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Names the store to a process that a test has started.
const ADDRESS: &str = "SECRULE_TEST_STORE";

const LIMITS: StoreLimits = StoreLimits::new(1_000, 64 << 20);

fn record() -> RecordKey {
    RecordKey::new(PersistentCollection::Global, b"all processes", "")
}

/// Returns the address of the store if this process was started by a test.
pub fn address() -> Option<String> {
    std::env::var(ADDRESS).ok()
}

/// A process that a test has started. It ends with the test.
#[derive(Debug)]
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process that runs one test of this program, with the address of a store.
pub fn start(test: &str, address: &str) -> Process {
    let program = std::env::current_exe().unwrap();
    Process(Command::new(program).args(["--exact", test, "--nocapture"]).env(ADDRESS, address).spawn().unwrap())
}

/// Adds 1 to a counter until the process ends.
pub fn add_without_end(store: &dyn Store) {
    loop {
        let _ = store.add(Update::first(&record(), LIMITS), b"endless", 1, Instant::now() + Duration::from_secs(10));
    }
}

/// Adds 1 to a counter that other processes do not use, with the time that a call may take by default. Returns the time that it took, and `true` if the
/// store answered.
pub fn add_once(store: &dyn Store) -> (Duration, bool) {
    let start = Instant::now();
    let answered = store.add(Update::first(&record(), LIMITS), b"other", 1, start + CALL).is_ok();
    (start.elapsed(), answered)
}

/// The time that a call may take by default: `SecStoreCallLimit`.
pub const CALL: Duration = Duration::from_millis(50);
