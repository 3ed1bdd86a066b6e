//! Stores, as rules name them and hosts use them.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::{BadAddress, Connection, MemoryStore, RequestKey, Store, StoreKind, Waf, WafBuilder};
use secrule_testkit::{store_soak, store_suite};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Counts requests of all clients, and denies from the second on.
const SECOND_IS_DENIED: &str = "SecRuleEngine On\n\
    SecAction \"id:1,phase:1,pass,nolog,initcol:global=all,setvar:global.n=+1\"\n\
    SecRule GLOBAL:n \"@gt 1\" \"id:2,phase:1,deny,status:429\"";

/// A kind of store for tests: it keeps its values in memory, and refuses the address `test:wrong`.
const TEST: StoreKind = StoreKind {
    schemes: &["test"],
    make: |address| match address {
        "test:wrong" => Err(BadAddress::new("`wrong` is no name of a store", "write another")),
        _ => Ok(Arc::new(MemoryStore::new())),
    },
};

fn rules(store: &str) -> WafBuilder {
    Waf::builder().rules("store", store).rules("rules", SECOND_IS_DENIED)
}

/// Returns the status of a request, if it is denied.
fn status_at(waf: &Waf, client: [u8; 4], uri: &str) -> Option<u16> {
    let mut transaction = waf.begin(Connection::new((client, 40_000).into(), ([198, 51, 100, 1], 443).into()));
    let (head, ()) = http::Request::get(uri).header("host", "Shop.Example:443").body(()).unwrap().into_parts();
    transaction.request_head(&head).err().map(|stop| stop.status())
}

fn status(waf: &Waf) -> Option<u16> {
    status_at(waf, [192, 0, 2, 7], "/")
}

fn refusal(store: &str, builder: WafBuilder) -> String {
    builder.rules("store", store).build().unwrap_err().to_string()
}

#[test]
fn the_store_in_memory_passes_the_suite() {
    store_suite::run(&MemoryStore::new());
}

#[test]
fn rule_sets_that_name_one_address_share_a_store() {
    let build = |address: &str| rules(&format!("SecCollectionStore {address}")).store_kind(TEST).build().unwrap();
    let (one, same, other) = (build("test:one"), build("test:one"), build("test:other"));
    assert_eq!([status(&one), status(&same), status(&other)], [None, Some(429), None]);
    let (memory, apart) = (build("memory"), build("Memory"));
    assert_eq!([status(&memory), status(&memory), status(&apart)], [None, Some(429), None]);
}

#[test]
fn a_store_of_the_host_goes_before_one_that_rules_name() {
    let store = Arc::new(MemoryStore::new());
    let build = |address: &str| rules(address).store_kind(TEST).store(store.clone()).build().unwrap();
    assert_eq!([status(&build("SecCollectionStore test:host")), status(&build(""))], [None, Some(429)]);
}

#[test]
fn tools_check_the_address_and_keep_values_to_themselves() {
    let build = || rules("SecCollectionStore test:tool").store_kind(TEST).without_store().build().unwrap();
    assert_eq!([status(&build()), status(&build())], [None, None]);
    assert!(refusal("SecCollectionStore test:wrong", Waf::builder().store_kind(TEST).without_store()).contains("is no name"));
}

#[test]
fn a_reload_keeps_the_store_unless_the_rules_name_another() {
    let waf = rules("").store_kind(TEST).build().unwrap();
    assert_eq!(status(&waf), None);
    waf.reload(rules("")).unwrap();
    assert_eq!(status(&waf), Some(429));
    waf.reload(rules("SecCollectionStore test:reload")).unwrap();
    assert_eq!([status(&waf), status(&waf)], [None, Some(429)]);
    waf.reload(rules("SecCollectionStore test:reload")).unwrap();
    assert_eq!(status(&waf), Some(429));
    waf.reload(rules("SecCollectionStore memory")).unwrap();
    assert_eq!(status(&waf), None);
}

#[test]
fn an_address_that_no_store_has_is_an_error_with_a_remedy() {
    let with_kind = || Waf::builder().store_kind(TEST);
    assert!(refusal("SecCollectionStore test:wrong", with_kind()).contains("`wrong` is no name of a store\n"));
    let unknown = refusal("SecCollectionStore memcached://host", with_kind());
    assert!(unknown.contains("there is no kind of store `memcached`") && unknown.contains("write memory, test:…"), "{unknown}");
    let missing = refusal("SecCollectionStore redis://host", with_kind());
    assert!(missing.contains("no stores of the kind `redis`") && missing.contains("build it with the feature `redis`"), "{missing}");
}

#[test]
fn banned_requests_are_denied_before_the_rules_run() {
    let waf = Waf::from_rules(
        "SecRuleEngine On\nSecPluginStatus 418\nSecIpList whitelist 192.0.2.9\nSecAction \"id:1,phase:1,deny,status:500\"\n\
         SecSiteId 3",
    )
    .unwrap();
    let clients = |uri: &str| [7, 8, 9].map(|last| status_at(&waf, [192, 0, 2, last], uri).unwrap());
    let address = |last: u8| IpAddr::from([192, 0, 2, last]);
    let minute = Duration::from_secs(60);
    assert_eq!(clients("/a?q=1"), [500, 500, 500]);
    let any = RequestKey::default();
    for (key, expected) in [
        (RequestKey::of_address(None, address(7)), [418, 500, 500]),
        (RequestKey::of_address(None, address(9)), [500, 500, 500]),
        (RequestKey::of_host(None, "shop.example"), [418, 418, 500]),
        (any.clone().with_url_path(b"/a"), [418, 418, 500]),
        (any.clone().with_url_path(b"/b"), [500, 500, 500]),
        (RequestKey::of_address(None, address(8)).with_host("SHOP.example").with_url_path(b"/a"), [500, 418, 500]),
        (RequestKey::of_address(None, address(8)).with_host("blog.example"), [500, 500, 500]),
    ] {
        waf.ban_requests(&key, minute).unwrap();
        assert_eq!(clients("/a?q=1"), expected, "{key:?}");
        assert_eq!(waf.bans().unwrap().iter().map(|ban| &ban.key).collect::<Vec<_>>(), [&key]);
        assert!(waf.unban_requests(&key).unwrap() && !waf.unban_requests(&key).unwrap());
        assert_eq!(clients("/a?q=1"), [500, 500, 500]);
    }
    waf.ban(address(7), 3, minute).unwrap();
    waf.ban(address(8), 4, minute).unwrap();
    assert_eq!(clients("/"), [418, 500, 500]);
}

#[test]
fn a_ban_is_only_told_in_detection_mode() {
    let waf = Waf::from_rules("SecRuleEngine DetectionOnly").unwrap();
    waf.ban([192, 0, 2, 7].into(), 0, Duration::from_secs(60)).unwrap();
    assert_eq!(status(&waf), None);
}

#[test]
fn requests_beyond_a_limit_of_the_store_are_denied() {
    let store = Arc::new(MemoryStore::new());
    let waf = Waf::builder().rules("rules", "SecRuleEngine On").store(store.clone()).build().unwrap();
    let quota = secrule::Quota::new(2, Duration::from_secs(3_600), 2);
    let until = std::time::SystemTime::now() + Duration::from_secs(60);
    store.limit(&RequestKey::of_host(None, "shop.example"), quota, until, std::time::Instant::now()).unwrap();
    assert_eq!([status(&waf), status(&waf), status(&waf)], [None, None, Some(429)]);
}

#[test]
fn more_clients_than_the_memory_holds_make_room_for_each_other() {
    let store = MemoryStore::new();
    let mut largest = 0;
    let soaked = store_soak::run(&store, || largest = largest.max(store.bytes()));
    eprintln!("{soaked:?}, at most {largest} bytes");
    assert!(largest <= soaked.limit as u64 && (soaked.newest, soaked.oldest) == (1_000, 0));
}
