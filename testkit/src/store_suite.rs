//! Requirements of every store: one suite for all of them.
//!
//! A store outside of the process has a clock of its own, so that times are real ones, as short as a store can tell them apart.

use secrule::internals::graph::{Pace, PersistentCollection, SiteId};
use secrule::{AddError, Full, Quota, Rate, RecordKey, RequestKey, Store, StoreLimits, Update, WriteError};
use std::net::IpAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// A check of a store, and its name.
pub type Check = (&'static str, fn(&dyn Store));

/// All checks. Each uses records of its own, so that they may share a store.
pub const CHECKS: &[Check] = &[
    ("names have no case, and records are apart", names_have_no_case_and_records_are_apart),
    ("a variable keeps its expiry and goes when it comes", a_variable_keeps_its_expiry_and_goes_when_it_comes),
    ("a full record takes what it has and nothing new", a_full_record_takes_what_it_has_and_nothing_new),
    ("a value that takes more than its share is not kept", a_value_that_takes_more_than_its_share_is_not_kept),
    ("what is no number counts as 0, and sums saturate", what_is_no_number_counts_as_0_and_sums_saturate),
    ("a record without a change ends with its timeout", a_record_without_a_change_ends_with_its_timeout),
    ("a record keeps a timeout of its own", a_record_keeps_a_timeout_of_its_own),
    ("a touch is a change", a_touch_is_a_change),
    ("history counts transactions", history_counts_transactions),
    ("a number goes down by whole periods", a_number_goes_down_by_whole_periods),
    ("records are listed and removed", records_are_listed_and_removed),
    ("bans end by themselves and by hand", bans_end_by_themselves_and_by_hand),
    ("a ban means requests with all of its parts", a_ban_means_requests_with_all_of_its_parts),
    ("a burst passes, and then the rate", a_burst_passes_and_then_the_rate),
    ("a limit counts until its end", a_limit_counts_until_its_end),
    ("a list is told once a version", a_list_is_told_once_a_version),
    ("changes of bans, limits and lists are counted", changes_of_bans_limits_and_lists_are_counted),
    ("a map keeps values and is cleared at once", a_map_keeps_values_and_is_cleared_at_once),
    ("a map adds real numbers and refuses texts", a_map_adds_real_numbers_and_refuses_texts),
    ("a lease has one owner until it ends", a_lease_has_one_owner_until_it_ends),
    ("no addition of several threads is lost", no_addition_of_several_threads_is_lost),
];

/// Runs all checks with one store.
pub fn run(store: &dyn Store) {
    for (name, check) in CHECKS {
        eprintln!("{name}");
        check(store);
    }
}

/// Two processes with two threads each add to one record of a store.
///
/// Each process runs one test of the program that runs now, the `adder`: it opens the store of [`place_of_additions`], if there is one, and calls
/// [`add_as_asked`]. The number of additions of a thread is 10,000, or what `SECRULE_ADDITIONS` says.
pub fn no_addition_of_several_processes_is_lost(store: &dyn Store, adder: &str, place: &str) {
    let record = record();
    let additions = std::env::var("SECRULE_ADDITIONS").ok().and_then(|number| number.parse().ok()).unwrap_or(10_000);
    let start = Instant::now();
    let processes = [(); PROCESSES].map(|()| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([adder, "--exact"]).env(PLACE, place).env(RECORD, std::str::from_utf8(&record.key).unwrap());
        command.env(ADDITIONS, additions.to_string()).spawn().unwrap()
    });
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let sum = (PROCESSES * THREADS * additions).to_string();
    eprintln!("{sum} additions of {PROCESSES} processes took {:?}", start.elapsed());
    assert_eq!(store.read(&record, b"n", by()).unwrap(), Some(sum.into_bytes()));
}

/// Returns the place of the store in a process that is asked to add to it.
pub fn place_of_additions() -> Option<String> {
    std::env::var(PLACE).ok()
}

/// Adds what [`no_addition_of_several_processes_is_lost`] asks for.
pub fn add_as_asked(store: &dyn Store) {
    let record = RecordKey::new(PersistentCollection::Ip, std::env::var(RECORD).unwrap().as_bytes(), "shop");
    let additions = std::env::var(ADDITIONS).unwrap().parse().unwrap();
    add(store, &record, THREADS, additions);
}

const PROCESSES: usize = 2;
const THREADS: usize = 2;

/// Variables of the environment of a process that adds.
const PLACE: &str = "SECRULE_STORE_OF_TEST";
const RECORD: &str = "SECRULE_RECORD_OF_TEST";
const ADDITIONS: &str = "SECRULE_ADDITIONS_OF_TEST";

const LIMITS: StoreLimits = StoreLimits::new(1_000, 64 << 20);

/// A time that is enough for a call of any store that answers.
fn by() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// Returns a text that no other check has, nor an earlier run on the same server.
fn unique(text: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{text}-{}-{}-{}", std::process::id(), now.as_nanos(), LAST.fetch_add(1, Ordering::Relaxed))
}

fn record() -> RecordKey {
    RecordKey::new(PersistentCollection::Ip, unique("192.0.2.1").as_bytes(), "shop")
}

fn host() -> RequestKey {
    RequestKey::of_host(None, &unique("shop.example"))
}

fn in_seconds(seconds: f64) -> SystemTime {
    SystemTime::now() + Duration::from_secs_f64(seconds)
}

fn past() -> SystemTime {
    SystemTime::now() - Duration::from_secs(1)
}

fn names_have_no_case_and_records_are_apart(store: &dyn Store) {
    let (one, other) = (record(), record());
    store.write(Update::first(&one, LIMITS), b"Seen", b"yes", by()).unwrap();
    store.write(Update::first(&one, LIMITS), b"a", b"\0\xff", by()).unwrap();
    assert_eq!(store.read(&one, b"SEEN", by()).unwrap(), Some(b"yes".to_vec()));
    assert_eq!(store.read(&other, b"seen", by()).unwrap(), None);
    let session = RecordKey::new(PersistentCollection::Session, &one.key, &one.web_app);
    assert_eq!(store.read(&session, b"seen", by()).unwrap(), None);
    let elsewhere = RecordKey::new(one.collection, &one.key, "blog");
    assert_eq!(store.read(&elsewhere, b"seen", by()).unwrap(), None);
    let all = [(b"a".to_vec(), b"\0\xff".to_vec()), (b"seen".to_vec(), b"yes".to_vec())];
    assert_eq!(store.read_all(&one, by()).unwrap(), all);
    store.remove(&one, b"sEEN", by()).unwrap();
    store.remove(&one, b"a", by()).unwrap();
    store.remove(&one, b"never", by()).unwrap();
    assert_eq!(store.read_all(&one, by()).unwrap(), []);
    assert_eq!(store.history(&one, by()).unwrap(), None, "a record without variables is none");
    let long = RecordKey::new(one.collection, &[b'k'; 5_000], "shop");
    store.write(Update::first(&long, LIMITS), &[b'n'; 2_000], &[b'v'; 100_000], by()).unwrap();
    assert_eq!(store.read(&long, &[b'N'; 2_000], by()).unwrap(), Some(vec![b'v'; 100_000]));
}

fn a_variable_keeps_its_expiry_and_goes_when_it_comes(store: &dyn Store) {
    let record = record();
    let update = Update::first(&record, LIMITS);
    assert_eq!(store.add(update, b"n", 2, by()).unwrap().0, 2);
    store.expire(&record, b"n", in_seconds(0.3), by()).unwrap();
    store.expire(&record, b"never", in_seconds(0.3), by()).unwrap();
    assert_eq!(store.add(update, b"n", 3, by()).unwrap().0, 5);
    store.write(update, b"stays", b"1", by()).unwrap();
    store.write(update, b"text", b"1", by()).unwrap();
    store.expire(&record, b"text", in_seconds(0.3), by()).unwrap();
    store.write(update, b"text", b"2", by()).unwrap();
    sleep(Duration::from_millis(400));
    assert_eq!(store.read(&record, b"n", by()).unwrap(), None);
    assert_eq!(store.read_all(&record, by()).unwrap(), [(b"stays".to_vec(), b"1".to_vec())]);
    store.write(update, b"text", b"3", by()).unwrap();
    assert_eq!(store.add(update, b"n", 1, by()).unwrap().0, 1);
    sleep(Duration::from_millis(10));
    assert_eq!(store.read(&record, b"text", by()).unwrap(), Some(b"3".to_vec()), "what is gone is made without an expiry");
    store.expire(&record, b"n", past(), by()).unwrap();
    assert_eq!(store.read(&record, b"n", by()).unwrap(), None);
}

fn a_full_record_takes_what_it_has_and_nothing_new(store: &dyn Store) {
    let record = record();
    let two = Update::first(&record, StoreLimits::new(2, 64 << 20));
    store.write(two, b"a", b"1", by()).unwrap();
    assert_eq!(store.add(two, b"b", 1, by()).unwrap().0, 1);
    let full = WriteError::Full(Full::Record);
    assert_eq!(store.write(two, b"c", b"1", by()).unwrap_err(), full);
    assert_eq!(store.add(two, b"c", 1, by()).unwrap_err(), full);
    store.write(two, b"A", b"2", by()).unwrap();
    assert_eq!(store.add(two, b"B", 1, by()).unwrap().0, 2);
    assert_eq!(store.read(&record, b"c", by()).unwrap(), None);
    store.expire(&record, b"b", past(), by()).unwrap();
    store.write(two, b"c", b"1", by()).unwrap();
}

fn a_value_that_takes_more_than_its_share_is_not_kept(store: &dyn Store) {
    let record = record();
    let small = Update::first(&record, StoreLimits::new(10, 16 << 10));
    store.write(small, b"a", b"1", by()).unwrap();
    let full = WriteError::Full(Full::Store);
    assert_eq!(store.write(small, b"a", &[b'x'; 2_000], by()).unwrap_err(), full);
    assert_eq!(store.write(small, &[b'n'; 2_000], b"1", by()).unwrap_err(), full);
    assert_eq!(store.read_all(&record, by()).unwrap(), [(b"a".to_vec(), b"1".to_vec())]);
}

fn what_is_no_number_counts_as_0_and_sums_saturate(store: &dyn Store) {
    let record = record();
    let update = Update::first(&record, LIMITS);
    store.write(update, b"n", b"many", by()).unwrap();
    assert_eq!(store.add(update, b"n", 7, by()).unwrap().0, 7);
    assert_eq!(store.add(update, b"n", -10, by()).unwrap().0, -3);
    assert_eq!(store.add(update, b"m", i64::MAX, by()).unwrap().0, i64::MAX);
    assert_eq!(store.add(update, b"m", 1, by()).unwrap().0, i64::MAX);
    assert_eq!(store.add(update, b"l", i64::MIN, by()).unwrap().0, i64::MIN);
    assert_eq!(store.add(update, b"l", -1, by()).unwrap().0, i64::MIN);
    assert_eq!(store.read(&record, b"m", by()).unwrap(), Some(i64::MAX.to_string().into_bytes()));
}

fn a_record_without_a_change_ends_with_its_timeout(store: &dyn Store) {
    let record = record();
    let update = Update::first(&record, LIMITS).with_timeout(Duration::from_millis(500));
    store.write(update, b"a", b"1", by()).unwrap();
    sleep(Duration::from_millis(300));
    let changed = Instant::now();
    store.write(update, b"b", b"1", by()).unwrap();
    sleep(Duration::from_millis(300));
    let is_there = store.read(&record, b"a", by()).unwrap().is_some();
    assert!(is_there || changed.elapsed() >= Duration::from_millis(500), "a change begins it anew");
    store.expire(&record, b"a", in_seconds(60.0), by()).unwrap();
    sleep(Duration::from_millis(300));
    assert_eq!(store.read_all(&record, by()).unwrap(), [], "an expiry does not prolong it");
    store.write(update, b"a", b"1", by()).unwrap();
    store.expire(&record, b"a", in_seconds(0.3), by()).unwrap();
    store.expire(&record, b"a", in_seconds(60.0), by()).unwrap();
    sleep(Duration::from_millis(600));
    assert_eq!(store.read_all(&record, by()).unwrap(), [], "nor does one that replaces another");
}

fn a_record_keeps_a_timeout_of_its_own(store: &dyn Store) {
    let timeout = Duration::from_millis(500);
    let (short, long) = (record(), record());
    let [update, longer] = [&short, &long].map(|record| Update::first(record, LIMITS).with_timeout(Duration::from_millis(200)));
    assert_eq!(store.set_timeout(update, timeout, by()).unwrap(), None);
    let history = store.history(&short, by()).unwrap().unwrap();
    assert!(history.timeout == Some(timeout) && history.updates == 0 && store.read_all(&short, by()).unwrap().is_empty());
    store.write(longer, b"a", b"1", by()).unwrap();
    let before = store.set_timeout(longer, Duration::from_secs(60), by()).unwrap().unwrap();
    assert_eq!((before.timeout, before.updates), (None, 0));
    sleep(Duration::from_millis(300));
    assert_eq!(store.add(update.further(), b"n", 1, by()).unwrap(), (1, None), "it is not that of the update");
    store.expire(&short, b"n", in_seconds(0.1), by()).unwrap();
    sleep(Duration::from_millis(300));
    assert_eq!(store.history(&short, by()).unwrap().unwrap().timeout, Some(timeout), "it stays without variables");
    assert_eq!(store.read(&long, b"a", by()).unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.history(&long, by()).unwrap().unwrap().updates, 1);
    sleep(Duration::from_millis(300));
    assert_eq!(store.history(&short, by()).unwrap(), None);
    store.set_timeout(longer.further(), Duration::ZERO, by()).unwrap();
    assert_eq!((store.read(&long, b"a", by()).unwrap(), store.history(&long, by()).unwrap()), (None, None));
    let large = RecordKey::new(short.collection, &[b'k'; 5_000], &unique("shop"));
    let small = Update::first(&large, StoreLimits::new(10, 16 << 10));
    assert_eq!(store.set_timeout(small, timeout, by()).unwrap_err(), WriteError::Full(Full::Store));
}

fn a_touch_is_a_change(store: &dyn Store) {
    let record = record();
    let update = Update::first(&record, LIMITS).with_timeout(Duration::from_millis(500));
    assert_eq!((store.touch(update, by()).unwrap(), store.history(&record, by()).unwrap()), (None, None));
    store.write(update, b"a", b"1", by()).unwrap();
    let first = store.history(&record, by()).unwrap();
    sleep(Duration::from_millis(300));
    assert_eq!(store.touch(update, by()).unwrap(), first);
    assert_eq!(store.touch(update.further(), by()).unwrap(), None);
    sleep(Duration::from_millis(300));
    assert_eq!(store.read(&record, b"a", by()).unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.history(&record, by()).unwrap().map(|history| history.updates), Some(1));
}

fn history_counts_transactions(store: &dyn Store) {
    let record = record();
    let update = Update::first(&record, LIMITS);
    let before = SystemTime::now() - Duration::from_secs(2);
    assert_eq!(store.history(&record, by()).unwrap(), None);
    assert_eq!(store.write(update, b"a", b"1", by()).unwrap(), None);
    assert_eq!(store.add(update.further(), b"b", 1, by()).unwrap(), (1, None));
    let first = store.history(&record, by()).unwrap().unwrap();
    assert!(first.updates == 0 && first.created > before && first.updated >= first.created);
    assert_eq!(store.add(update, b"b", 1, by()).unwrap(), (2, Some(first)));
    assert_eq!(store.write(update, b"a", b"2", by()).unwrap().map(|history| history.updates), Some(1));
    let last = store.history(&record, by()).unwrap().unwrap();
    assert!(last.updates == 2 && last.created == first.created && last.updated >= first.updated);
}

fn a_number_goes_down_by_whole_periods(store: &dyn Store) {
    let record = record();
    let pace = Pace::parse(b"2/1").unwrap();
    store.write(Update::first(&record, LIMITS), b"n", b"9", by()).unwrap();
    assert_eq!(store.deprecate(&record, b"n", pace, by()).unwrap(), Some(9));
    sleep(Duration::from_millis(1_100));
    assert_eq!(store.deprecate(&record, b"N", pace, by()).unwrap(), Some(7));
    assert_eq!(store.deprecate(&record, b"n", pace, by()).unwrap(), Some(7));
    assert_eq!(store.deprecate(&record, b"never", pace, by()).unwrap(), None);
}

fn records_are_listed_and_removed(store: &dyn Store) {
    let web_app = unique("list");
    let keys: Vec<RecordKey> = ["a", "b", "c"].map(|key| RecordKey::new(PersistentCollection::User, key.as_bytes(), &web_app)).into();
    for key in &keys {
        store.write(Update::first(key, LIMITS), b"n", b"1", by()).unwrap();
    }
    let mut found: Vec<RecordKey> = Vec::new();
    loop {
        let more = store.records(&web_app, found.last(), 2, by()).unwrap();
        if more.is_empty() {
            break;
        }
        assert!(more.len() <= 2);
        found.extend(more);
    }
    found.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(found, keys);
    assert!(store.remove_record(&keys[0], by()).unwrap() && !store.remove_record(&keys[0], by()).unwrap());
    assert_eq!(store.read(&keys[0], b"n", by()).unwrap(), None);
    assert_eq!(store.records(&web_app, None, 10, by()).unwrap().len(), 2);
}

fn bans_end_by_themselves_and_by_hand(store: &dyn Store) {
    let (one, other) = (host(), host());
    assert_eq!(store.banned_until(&[one.clone(), other.clone()], by()).unwrap(), None);
    store.ban(&one, in_seconds(0.4), by()).unwrap();
    store.ban(&other, in_seconds(60.0), by()).unwrap();
    assert!(store.has_bans());
    let until = store.banned_until(&[one.clone(), other.clone()], by()).unwrap().unwrap();
    assert!(until > in_seconds(50.0) && until < in_seconds(70.0));
    assert!(store.banned_until(std::slice::from_ref(&one), by()).unwrap().is_some());
    let all = store.bans(None, 10_000, by()).unwrap();
    assert!(all.iter().any(|ban| ban.key == one) && all.iter().any(|ban| ban.key == other));
    assert!(store.unban(&other, by()).unwrap() && !store.unban(&other, by()).unwrap());
    sleep(Duration::from_millis(500));
    assert_eq!(store.banned_until(&[one.clone(), other.clone()], by()).unwrap(), None);
    assert!(!store.unban(&one, by()).unwrap(), "it has ended");
    store.ban(&other, in_seconds(60.0), by()).unwrap();
    store.ban(&other, past(), by()).unwrap();
    assert_eq!(store.banned_until(std::slice::from_ref(&other), by()).unwrap(), None, "the last one counts");
}

fn a_ban_means_requests_with_all_of_its_parts(store: &dyn Store) {
    let address: IpAddr = [198, 51, 100, (std::process::id() % 250) as u8].into();
    let all_sites = RequestKey::of_address(None, address);
    let site = RequestKey::of_address(Some(SiteId(7)), address);
    store.ban(&site, in_seconds(60.0), by()).unwrap();
    assert!(store.banned_until(std::slice::from_ref(&site), by()).unwrap().is_some());
    assert_eq!(store.banned_until(std::slice::from_ref(&all_sites), by()).unwrap(), None);
    assert!(!store.unban(&all_sites, by()).unwrap() && store.unban(&site, by()).unwrap());
}

fn a_burst_passes_and_then_the_rate(store: &dyn Store) {
    let key = host();
    let quota = Quota::new(1, Duration::from_millis(500), 3);
    let within = |count: u32| (0..count).filter(|_| store.count(&key, quota, by()).unwrap() == Rate::Within).count();
    assert_eq!(within(5), 3);
    sleep(Duration::from_millis(550));
    assert_eq!(within(3), 1);
    assert_eq!(store.count(&host(), quota, by()).unwrap(), Rate::Within);
}

fn a_limit_counts_until_its_end(store: &dyn Store) {
    let (limited, free) = (host(), host());
    store.limit(&limited, Quota::new(2, Duration::from_secs(600), 2), in_seconds(0.6), by()).unwrap();
    assert!(store.has_bans());
    let beyond = |keys: &[RequestKey]| store.limited_until(keys, by()).unwrap().is_some();
    assert_eq!([(); 4].map(|()| beyond(&[free.clone(), limited.clone()])), [false, false, true, true]);
    assert!(!beyond(std::slice::from_ref(&free)));
    store.limit(&limited, Quota::new(2, Duration::from_secs(600), 3), in_seconds(0.6), by()).unwrap();
    let again = [(); 2].map(|()| beyond(std::slice::from_ref(&limited)));
    assert_eq!(again, [false, true], "what was counted before counts");
    sleep(Duration::from_millis(700));
    assert!(!beyond(&[limited]));
}

fn a_list_is_told_once_a_version(store: &dyn Store) {
    let name = unique("list");
    assert_eq!(store.list(&name, None, by()).unwrap(), None);
    store.put_list(&name, &["192.0.2.0/24", "2001:db8::1"], by()).unwrap();
    let (version, entries) = store.list(&name, None, by()).unwrap().unwrap();
    assert_eq!(entries, ["192.0.2.0/24", "2001:db8::1"]);
    assert_eq!(store.list(&name, Some(version), by()).unwrap(), None);
    store.put_list(&name, &[], by()).unwrap();
    let (next, entries) = store.list(&name, Some(version), by()).unwrap().unwrap();
    assert!(next != version && entries.is_empty());
}

fn changes_of_bans_limits_and_lists_are_counted(store: &dyn Store) {
    let mut before = store.changes(by()).unwrap();
    let mut has_changed = || {
        let now = store.changes(by()).unwrap();
        std::mem::replace(&mut before, now) != now
    };
    let key = host();
    store.ban(&key, in_seconds(60.0), by()).unwrap();
    assert!(has_changed());
    store.unban(&key, by()).unwrap();
    assert!(has_changed());
    store.limit(&key, Quota::new(1, Duration::from_secs(1), 1), in_seconds(0.1), by()).unwrap();
    assert!(has_changed());
    store.put_list(&unique("list"), &["192.0.2.1"], by()).unwrap();
    assert!(has_changed());
}

fn a_map_keeps_values_and_is_cleared_at_once(store: &dyn Store) {
    let (map, other) = (unique("map"), unique("map"));
    assert_eq!((store.map_get(&map, b"a", by()).unwrap(), store.map_size(&map, by()).unwrap()), (None, 0));
    for number in 0..100 {
        store.map_set(&map, format!("key {number}").as_bytes(), b"\0value", by()).unwrap();
    }
    store.map_set(&other, b"key 1", b"other", by()).unwrap();
    store.map_set(&map, b"key 1", b"again", by()).unwrap();
    assert_eq!(store.map_size(&map, by()).unwrap(), 100);
    assert_eq!(store.map_get(&map, b"key 1", by()).unwrap(), Some(b"again".to_vec()));
    assert_eq!(store.map_get(&map, b"key 2", by()).unwrap(), Some(b"\0value".to_vec()));
    store.map_remove(&map, b"key 2", by()).unwrap();
    store.map_remove(&map, b"never", by()).unwrap();
    assert_eq!((store.map_get(&map, b"key 2", by()).unwrap(), store.map_size(&map, by()).unwrap()), (None, 99));
    store.map_clear(&map, by()).unwrap();
    assert_eq!((store.map_get(&map, b"key 1", by()).unwrap(), store.map_size(&map, by()).unwrap()), (None, 0));
    store.map_set(&map, b"new", b"1", by()).unwrap();
    assert_eq!(store.map_size(&map, by()).unwrap(), 1);
    assert_eq!(store.map_get(&other, b"key 1", by()).unwrap(), Some(b"other".to_vec()));
}

fn a_map_adds_real_numbers_and_refuses_texts(store: &dyn Store) {
    let map = unique("map");
    assert_eq!(store.map_add(&map, b"n", 1.5, by()).unwrap(), 1.5);
    assert_eq!(store.map_add(&map, b"n", 1.5, by()).unwrap(), 3.0);
    assert_eq!(store.map_get(&map, b"n", by()).unwrap(), Some(b"3".to_vec()));
    assert_eq!(store.map_add(&map, b"n", -4.25, by()).unwrap(), -1.25);
    assert_eq!(store.map_get(&map, b"n", by()).unwrap(), Some(b"-1.25".to_vec()));
    store.map_set(&map, b"t", b"text", by()).unwrap();
    for amount in [0.1, 0.2] {
        store.map_add(&map, b"fraction", amount, by()).unwrap();
    }
    store.map_add(&map, b"large", 1e15, by()).unwrap();
    store.map_add(&map, b"large", 1.0, by()).unwrap();
    let texts = [&b"fraction"[..], b"large"].map(|key| store.map_get(&map, key, by()).unwrap().unwrap());
    assert_eq!(texts, [&b"0.3"[..], b"1000000000000001"], "as scripts write numbers, and counters go on");
    assert_eq!(store.map_add(&map, b"t", 1.0, by()).unwrap_err(), AddError::NoNumber);
    assert_eq!(store.map_size(&map, by()).unwrap(), 4);
}

fn a_lease_has_one_owner_until_it_ends(store: &dyn Store) {
    let (name, time) = (unique("lease"), Duration::from_millis(400));
    assert!(store.lease(&name, "one", time, by()).unwrap());
    sleep(Duration::from_millis(250));
    let renewed = Instant::now();
    assert!(store.lease(&name, "one", time, by()).unwrap(), "the owner may renew it");
    sleep(Duration::from_millis(250));
    let is_held = !store.lease(&name, "other", time, by()).unwrap();
    assert!(is_held || renewed.elapsed() >= time, "the time begins anew");
    sleep(Duration::from_millis(250));
    assert!(store.lease(&name, "other", time, by()).unwrap());
    assert!(!store.lease(&name, "one", Duration::from_secs(60), by()).unwrap());
}

fn no_addition_of_several_threads_is_lost(store: &dyn Store) {
    let record = record();
    add(store, &record, 4, 250);
    assert_eq!(store.read(&record, b"n", by()).unwrap(), Some(b"1000".to_vec()));
}

/// Adds 1 in several threads, again and again.
fn add(store: &dyn Store, record: &RecordKey, threads: usize, additions: usize) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..additions {
                    store.add(Update::first(record, LIMITS), b"n", 1, by()).unwrap();
                }
            });
        }
    });
}
