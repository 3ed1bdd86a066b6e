//! Lists of addresses in a store, which `SecIpList` names.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::internals::store::{Failure, Route, note_changed_list};
use secrule::{Connection, Down, ListError, MemoryStore, Store, Transaction, Waf};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The rules run: they deny with 500.
const RULES: &str = "SecRuleEngine On\nSecPluginStatus 418\nSecAction \"id:1,phase:1,deny,status:500\"";

/// A store in memory that can be switched off, that counts its calls, and whose memory can be lost.
#[derive(Debug, Default)]
struct Switch {
    memory: Mutex<Arc<MemoryStore>>,
    is_off: AtomicBool,
    calls: AtomicUsize,
}

impl Route for Switch {
    fn route<R, E: Failure>(&self, _: Instant, ask: impl FnOnce(&dyn Store) -> Result<R, E>) -> Result<R, E> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let memory = Arc::clone(&self.memory.lock().unwrap());
        if self.is_off.load(Ordering::Relaxed) { Err(Down::new("switched off").into()) } else { ask(&*memory) }
    }

    fn has_bans(&self) -> bool {
        false
    }
}

impl Switch {
    fn new() -> Arc<Self> {
        Arc::default()
    }

    fn turn(&self, is_on: bool) {
        self.is_off.store(!is_on, Ordering::Relaxed);
    }
}

fn waf(store: &Arc<Switch>, rules: &str) -> Waf {
    Waf::builder().rules("rules", RULES).rules("lists", rules).store(store.clone()).build().unwrap()
}

/// Returns a judged request of a client, and its status if it is denied.
fn judged(waf: &Waf, client: &str) -> (Transaction, Option<u16>) {
    let client: IpAddr = client.parse().unwrap();
    let mut transaction = waf.begin(Connection::new((client, 40_000).into(), ([198, 51, 100, 1], 443).into()));
    let (head, ()) = http::Request::get("/").header("host", "shop.example").body(()).unwrap().into_parts();
    let status = transaction.request_head(&head).err().map(|stop| stop.status());
    (transaction, status)
}

fn status(waf: &Waf, client: &str) -> Option<u16> {
    judged(waf, client).1
}

fn statuses<const N: usize>(waf: &Waf, clients: [&str; N]) -> [u16; N] {
    clients.map(|client| status(waf, client).unwrap())
}

#[test]
fn a_client_on_a_blacklist_of_the_store_is_denied_before_the_rules_run() {
    let waf = waf(&Switch::new(), "SecIpList blacklist list:attackers");
    let clients = ["192.0.2.7", "192.0.3.7", "2001:db8::7", "::ffff:192.0.2.7"];
    assert_eq!(statuses(&waf, clients), [500; 4], "a list that does not exist has nobody on it");
    waf.put_list("attackers", &["192.0.2.0/24", "2001:db8::/32"]).unwrap();
    assert_eq!(statuses(&waf, clients), [418, 500, 418, 418]);
    let mut transaction = judged(&waf, "192.0.2.7").0;
    let (head, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    let log = format!("{:?}", transaction.request_head(&head).unwrap_err());
    assert!(log.contains("Access denied with code 418 (phase 1). 192.0.2.7 is on the list attackers."), "{log}");
    waf.put_list("attackers", &["192.0.3.7"]).unwrap();
    assert_eq!(statuses(&waf, clients), [500, 418, 500, 500]);
    waf.put_list("attackers", &[]).unwrap();
    assert_eq!(statuses(&waf, clients), [500; 4]);
}

#[test]
fn addresses_and_files_of_a_blacklist_are_for_scripts_and_deny_nothing() {
    let waf = waf(&Switch::new(), "SecIpList blacklist 192.0.2.7\nSecIpList blacklist 192.0.2.8 list:a 192.0.2.9");
    waf.put_list("a", &["192.0.2.1"]).unwrap();
    assert_eq!(statuses(&waf, ["192.0.2.7", "192.0.2.8", "192.0.2.9", "192.0.2.1"]), [500, 500, 500, 418]);
    let is_listed = |last: u8| waf.is_blacklisted([192, 0, 2, last].into(), 0).unwrap();
    assert_eq!([7, 8, 9, 1, 2].map(is_listed), [true, true, true, true, false]);
}

#[test]
fn a_whitelist_wins_whether_its_addresses_are_in_the_rules_or_in_the_store() {
    let waf = waf(&Switch::new(), "SecIpList blacklist list:all\nSecIpList whitelist list:friends 192.0.2.1");
    waf.put_list("all", &["0.0.0.0/0"]).unwrap();
    waf.put_list("friends", &["192.0.2.2"]).unwrap();
    assert_eq!(statuses(&waf, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]), [500, 500, 418]);
    assert!(waf.is_whitelisted([192, 0, 2, 2].into(), 0) && !waf.is_whitelisted([192, 0, 2, 3].into(), 0));
    waf.put_list("friends", &["192.0.2.3"]).unwrap();
    assert_eq!(statuses(&waf, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]), [500, 418, 500]);
}

#[test]
fn a_list_counts_for_the_site_that_the_directive_names() {
    let (store, lists) = (Switch::new(), "SecIpList blacklist list:all\nSecIpList blacklist list:shop site:3");
    let (shop, blog) = (waf(&store, &format!("{lists}\nSecSite 3 shop.example")), waf(&store, &format!("{lists}\nSecSiteId 4")));
    blog.put_list("all", &["192.0.2.1"]).unwrap();
    blog.put_list("shop", &["192.0.2.2"]).unwrap();
    let clients = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    assert_eq!((statuses(&shop, clients), statuses(&blog, clients)), ([418, 418, 500], [418, 500, 500]));
    assert!(shop.is_blacklisted([192, 0, 2, 2].into(), 3).unwrap() && !shop.is_blacklisted([192, 0, 2, 2].into(), 4).unwrap());
}

#[test]
fn rule_sets_that_share_a_store_share_the_copies_and_a_reload_keeps_them() {
    let store = Switch::new();
    let (one, other) = (waf(&store, "SecIpList blacklist list:a"), waf(&store, "SecIpList blacklist list:a list:b"));
    one.put_list("a", &["192.0.2.1"]).unwrap();
    one.put_list("b", &["192.0.2.2"]).unwrap();
    let clients = ["192.0.2.1", "192.0.2.2"];
    assert_eq!((statuses(&one, clients), statuses(&other, clients)), ([418, 500], [418, 418]));
    one.reload(Waf::builder().rules("rules", RULES).rules("lists", "SecIpList blacklist list:b")).unwrap();
    store.turn(false);
    assert_eq!(statuses(&one, clients), [500, 418]);
    let third = waf(&store, "SecIpList blacklist list:b");
    assert_eq!(statuses(&third, clients), [500, 418]);
}

#[test]
fn a_change_that_others_make_counts_within_100_ms() {
    let store = Switch::new();
    let waf = waf(&store, "SecIpList blacklist list:a");
    assert_eq!(status(&waf, "192.0.2.1"), Some(500));
    store.put_list("a", &["192.0.2.1"], Instant::now()).unwrap();
    let start = Instant::now();
    while status(&waf, "192.0.2.1") == Some(500) {
        assert!(start.elapsed() < Duration::from_millis(100));
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn while_nothing_changes_requests_ask_the_store_at_most_every_50_ms() {
    let store = Switch::new();
    let waf = waf(&store, "SecIpList blacklist list:a");
    let (start, before) = (Instant::now(), store.calls.load(Ordering::Relaxed));
    assert!((0..500).all(|_| status(&waf, "192.0.2.1") == Some(500)));
    let (calls, looks) = (store.calls.load(Ordering::Relaxed) - before, start.elapsed().as_millis() / 50);
    assert!((2..=usize::try_from(looks).unwrap() + 3).contains(&calls), "{calls} calls in {looks} times 50 ms");
    let without = self::waf(&store, "SecIpList blacklist 192.0.2.9");
    let before = store.calls.load(Ordering::Relaxed);
    assert!((0..10).all(|_| status(&without, "192.0.2.1") == Some(500)));
    assert_eq!(store.calls.load(Ordering::Relaxed), before);
}

#[test]
fn lists_stay_as_they_were_while_the_store_is_down() {
    let store = Switch::new();
    let waf = waf(&store, "SecCollectionFailure closed\nSecIpList blacklist list:a");
    waf.put_list("a", &["192.0.2.1"]).unwrap();
    assert_eq!(statuses(&waf, ["192.0.2.1", "192.0.2.2"]), [418, 500]);
    store.turn(false);
    let shared: Arc<dyn Store> = store.clone();
    let mut notices = Vec::new();
    for _ in 0..3 {
        note_changed_list(&shared);
        let (transaction, status) = judged(&waf, "192.0.2.1");
        assert_eq!(status, Some(418));
        notices.extend(transaction.notices().iter().cloned());
        assert_eq!(self::status(&waf, "192.0.2.2"), Some(500));
    }
    assert_eq!(notices, ["the store does not answer: switched off: its lists of addresses stay as they were."]);
    store.turn(true);
    waf.put_list("a", &["192.0.2.2"]).unwrap();
    assert_eq!(statuses(&waf, ["192.0.2.1", "192.0.2.2"]), [500, 418]);
}

#[test]
fn a_store_that_was_never_reached_is_one_that_does_not_answer() {
    let store = Switch::new();
    store.put_list("a", &["192.0.2.1"], Instant::now()).unwrap();
    store.turn(false);
    let (open, closed) =
        (waf(&store, "SecIpList blacklist list:a"), waf(&store, "SecCollectionFailure closed\nSecIpList blacklist list:a"));
    assert_eq!((status(&open, "192.0.2.1"), status(&closed, "192.0.2.1")), (Some(500), Some(503)));
    assert!(open.is_blacklisted([192, 0, 2, 1].into(), 0).is_err() && !open.is_whitelisted([192, 0, 2, 1].into(), 0));
    store.turn(true);
    assert_eq!((status(&open, "192.0.2.1"), status(&closed, "192.0.2.1")), (Some(418), Some(418)));
}

#[test]
fn a_store_that_lost_its_lists_has_nobody_on_them() {
    let store = Switch::new();
    let waf = waf(&store, "SecIpList blacklist list:a");
    waf.put_list("a", &["192.0.2.1"]).unwrap();
    waf.put_list("a", &["192.0.2.1", "192.0.2.2"]).unwrap();
    assert_eq!(status(&waf, "192.0.2.1"), Some(418));
    *store.memory.lock().unwrap() = Arc::default();
    let shared: Arc<dyn Store> = store.clone();
    note_changed_list(&shared);
    assert_eq!(status(&waf, "192.0.2.1"), Some(500));
    waf.put_list("a", &["192.0.2.1"]).unwrap();
    assert_eq!(status(&waf, "192.0.2.1"), Some(418));
}

#[test]
fn entries_that_are_no_addresses_are_left_out_and_counted_in_a_notice() {
    let store = Switch::new();
    let waf = waf(&store, "SecIpList blacklist list:a");
    store.put_list("a", &["nobody", "192.0.2.1", "192.0.2.0/99"], Instant::now()).unwrap();
    let (transaction, status) = judged(&waf, "192.0.2.1");
    assert_eq!(status, Some(418));
    assert_eq!(transaction.notices(), ["Entries of the list a that are left out, because they are not addresses or too many: 2."]);
    assert!(judged(&waf, "192.0.2.1").0.notices().is_empty());
}

#[cfg(feature = "lua")]
#[test]
fn decision_scripts_find_the_lists_of_the_store() {
    let script =
        "function should_block() log(tostring(is_ip_blacklisted('192.0.2.1')) .. tostring(is_ip_whitelisted('192.0.2.2'))) return 1 end";
    let files = secrule::internals::source::Memory::new().with("a.lua", script);
    let rules = "SecRuleEngine On\nSecIpList blacklist list:a\nSecIpList whitelist list:b\nSecDecisionScript a.lua";
    let waf = Waf::builder().rules("rules", rules).build_with(&files).unwrap();
    let found = || judged(&waf, "192.0.2.9").0.rule_matches()[0].data().into_owned();
    assert_eq!(found(), "falsefalse");
    waf.put_list("a", &["192.0.2.1"]).unwrap();
    waf.put_list("b", &["192.0.2.2"]).unwrap();
    assert_eq!(found(), "truetrue");
}

#[test]
fn a_client_on_a_list_is_only_told_in_detection_mode() {
    let waf = waf(&Switch::new(), "SecIpList blacklist list:a\nSecRuleEngine DetectionOnly");
    waf.put_list("a", &["192.0.2.1"]).unwrap();
    let (transaction, status) = judged(&waf, "192.0.2.1");
    assert_eq!(status, None);
    assert_eq!(transaction.notices(), ["192.0.2.1 is on the list a. The engine only detects, so the request passes."]);
}

#[test]
fn what_cannot_be_a_list_is_refused_with_the_first_error() {
    let waf = waf(&Switch::new(), "");
    let refusal = |name: &str, entries: &[&str]| waf.put_list(name, entries).unwrap_err().to_string();
    for name in ["", "a b", "a:b", "ä", &"a".repeat(65)] {
        assert_eq!(
            refusal(name, &[]),
            format!("`{name}` is not the name of a list: write 1 to 64 letters, digits and the signs `_`, `-` and `.`")
        );
    }
    let wrong = refusal("a", &["192.0.2.1", "host.example", "x"]);
    assert_eq!(wrong, "entry 2, `host.example`, is not an address or a network: write one such as 192.0.2.7 or 192.0.2.0/24");
    for entry in ["", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/8x", "192.0.2.1,192.0.2.2", "192.0.2"] {
        assert_eq!(waf.put_list("a", &[entry]), Err(ListError::Entry { number: 1, entry: entry.to_owned() }));
    }
    assert_eq!(waf.list("a").unwrap(), None);
    waf.put_list(&"a".repeat(64), &[]).unwrap();
    waf.put_list("a-1_B.c", &["192.0.2.77/24", " 2001:DB8::1 ", "::ffff:192.0.2.1", "192.0.2.1/32"]).unwrap();
    assert_eq!(waf.list("a-1_B.c").unwrap().unwrap(), ["192.0.2.0/24", "2001:db8::1", "192.0.2.1"]);
}

#[test]
fn a_list_has_at_most_a_million_entries_and_no_request_waits_long_for_a_large_one() {
    let waf = waf(&Switch::new(), "SecIpList blacklist list:a");
    let address = |number: u32| IpAddr::from((number << 3).to_be_bytes()).to_string();
    let entries: Vec<String> = (0..=1_000_000).map(address).collect();
    let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
    assert_eq!(waf.put_list("a", &entries), Err(ListError::TooLarge));
    waf.put_list("a", &entries[..200_000]).unwrap();
    let (start, mut longest) = (Instant::now(), Duration::ZERO);
    loop {
        let asked = Instant::now();
        let status = status(&waf, entries[199_999]);
        longest = longest.max(asked.elapsed());
        if status == Some(418) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(5));
    }
    eprintln!("200,000 entries count after {:?}; the longest request took {longest:?}", start.elapsed());
    // `SecStoreCallLimit` is 50 ms; the machine may be busy.
    assert!(longest < Duration::from_millis(300), "{longest:?}");
    assert_eq!(statuses(&waf, [entries[0], entries[200_000]]), [418, 500]);
}
