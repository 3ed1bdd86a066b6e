//! Processes of a machine share a store in LMDB: nothing is lost, and one that is stopped or killed within a write holds up no other for long.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use rustix::process::{Pid, Signal, kill_process};
use secrule::Store as _;
use secrule_lmdb::LmdbStore;
use secrule_testkit::store_processes::{self, CALL, Process, add_once, add_without_end};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Time beyond its deadline after which a call returned late: the machine may be busy.
const TOLERANCE: Duration = Duration::from_millis(50);

fn open(path: impl AsRef<Path>) -> LmdbStore {
    LmdbStore::new(path, LmdbStore::SIZE)
}

fn signal(process: &Process, signal: Signal) {
    kill_process(Pid::from_child(&process.0), signal).unwrap();
}

#[test]
fn a_process_that_is_stopped_within_a_write_holds_up_no_other_beyond_its_deadline() {
    if let Some(path) = store_processes::address() {
        return add_without_end(&open(path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.mdb");
    let store = open(&path);
    assert!(add_once(&store).1);
    let name = "a_process_that_is_stopped_within_a_write_holds_up_no_other_beyond_its_deadline";
    let mut writer = store_processes::start(name, path.to_str().unwrap());
    std::thread::sleep(Duration::from_millis(200));
    let mut stops_within_a_write = 0;
    for _ in 0..200 {
        signal(&writer, Signal::STOP);
        let (time, answered) = add_once(&store);
        assert!(time <= CALL + TOLERANCE, "{time:?}");
        stops_within_a_write += usize::from(!answered);
        // Reads wait for nobody.
        let start = Instant::now();
        assert!(store.changes(start).is_ok() && start.elapsed() < TOLERANCE);
        signal(&writer, Signal::CONT);
        std::thread::sleep(Duration::from_millis(1));
        if stops_within_a_write == 3 {
            break;
        }
    }
    assert!(stops_within_a_write > 0, "no stop came within a write");
    // It goes on, and so do the others.
    let answers = || (0..20).filter(|_| add_once(&store).1).count();
    assert!(answers() > 0);
    // One that is killed within a write is not missed.
    signal(&writer, Signal::KILL);
    writer.0.wait().unwrap();
    assert_eq!(answers(), 20);
}

#[test]
fn a_file_that_others_may_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.mdb");
    assert!(add_once(&open(&path)).1);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let refusal = open(&path).check().unwrap_err().to_string();
    assert!(refusal.contains("others may write to it (mode 0666)"), "{refusal}");
    let unknown = open(&path);
    assert!(unknown.has_bans() && unknown.bans(None, 1, Instant::now() + CALL).is_err(), "there may be bans");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let refusal = open(&path).check().unwrap_err().to_string();
    assert!(refusal.contains("lets others replace its files"), "{refusal}");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    assert!(open(&path).check().is_ok());
}

#[test]
fn what_was_written_before_a_start_of_the_system_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.mdb");
    let value = |store: &LmdbStore| store.map_get("m", b"key", Instant::now() + CALL).unwrap();
    let first = open(&path);
    first.map_set("m", b"key", b"value", Instant::now() + CALL).unwrap();
    assert_eq!(value(&first), Some(b"value".to_vec()));
    drop(first);
    assert_eq!(value(&open(&path)), Some(b"value".to_vec()));
    fs::write(folder.path().join("store.mdb.write-lock"), "another start").unwrap();
    // Programs that other tests start have the file open for a moment.
    let mut values = (0..100).map(|_| {
        std::thread::sleep(Duration::from_millis(1));
        open(&path).map_get("m", b"key", Instant::now() + CALL)
    });
    assert_eq!(values.find(Result::is_ok), Some(Ok(None)));
}

#[test]
fn a_folder_has_a_file_for_each_user_and_looking_for_bans_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let store = LmdbStore::in_folder(folder.path(), LmdbStore::SIZE);
    let files = || fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    assert!(!store.has_bans() && files().is_empty());
    assert!(add_once(&store).1);
    let user = rustix::process::geteuid().as_raw();
    assert!(files().contains(&format!("secrule-{user}.mdb")), "{:?}", files());
}
