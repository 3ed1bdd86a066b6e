//! Several stores, threads and processes on one server.

use crate::server::{Kind, Server};
use crate::{LIMITS, by, record};
use redis::{Client, Connection};
use secrule::{PersistentCollection, RecordKey, RequestKey, Store, Update};
use secrule_redis::RedisStore;
use secrule_testkit::store_suite;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

fn connection(server: &Server) -> Connection {
    Client::open(server.url()).unwrap().get_connection().unwrap()
}

pub fn no_addition_of_several_processes_is_lost(kind: Kind) {
    let server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    store_suite::no_addition_of_several_processes_is_lost(&store, crate::ADDER, &server.url());
}

pub fn a_process_has_no_connection_before_its_first_call_and_never_more_than_eight(kind: Kind) {
    let server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    let mut connection = connection(&server);
    let mut others = || {
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
        list.lines().count() - 1
    };
    assert_eq!(others(), 0);
    let record = record();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..50 {
                    store.add(Update::first(&record, LIMITS), b"n", 1, by()).unwrap();
                }
            });
        }
    });
    assert!((1..=8).contains(&others()), "{}", others());
    assert_eq!(store.read(&record, b"n", by()).unwrap(), Some(b"1600".to_vec()));
}

pub fn a_ban_of_one_process_holds_in_all_within_100_ms(kind: Kind) {
    let server = Server::start(kind);
    let (one, other) = (RedisStore::new(&server.url()).unwrap(), RedisStore::new(&server.url()).unwrap());
    let knows_of_none = |store: &RedisStore| {
        let end = Instant::now() + Duration::from_secs(2);
        while store.has_bans() && Instant::now() < end {
            sleep(Duration::from_millis(1));
        }
        !store.has_bans()
    };
    assert!(knows_of_none(&one) && knows_of_none(&other));
    let key = RequestKey::of_host(None, "shop.example");
    for _ in 0..5 {
        one.ban(&key, SystemTime::now() + Duration::from_secs(60), by()).unwrap();
        assert!(one.has_bans());
        let start = Instant::now();
        while !other.has_bans() {
            sleep(Duration::from_millis(1));
        }
        assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
        assert!(other.banned_until(std::slice::from_ref(&key), by()).unwrap().is_some());
        assert!(other.unban(&key, by()).unwrap());
        assert!(knows_of_none(&one) && knows_of_none(&other));
    }
    server.signal("STOP");
    let start = Instant::now();
    while !other.has_bans() {
        sleep(Duration::from_millis(10));
    }
    // Nobody knows whether there are bans: requests must ask.
    assert!(start.elapsed() < Duration::from_secs(2));
    server.signal("CONT");
    assert!(knows_of_none(&other));
}

pub fn the_store_passes_the_suite_and_every_key_has_an_end(kind: Kind) {
    let server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    store_suite::run(&store);
    let key = RequestKey::of_host(None, "shop.example");
    store.ban(&key, SystemTime::now() + Duration::from_secs(60), by()).unwrap();
    store.lease("host", "one", Duration::from_secs(15), by()).unwrap();
    let mut connection = connection(&server);
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    for start in ["secrule:record:", "secrule:map:", "secrule:lease:", "secrule:{all}:bans", "secrule:{all}:list:", "secrule:{all}:changes"]
    {
        assert!(keys.iter().any(|key| key.starts_with(start.as_bytes())), "there is no {start}");
    }
    for key in keys {
        let left: i64 = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
        assert!(left != -1, "{} has no end", String::from_utf8_lossy(&key));
    }
}

pub fn many_records_are_listed_once_each_page_by_page(kind: Kind) {
    const RECORDS: usize = 25_000;
    let server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    let key = |web_app: &str, number: usize| RecordKey::new(PersistentCollection::Session, format!("s{number}").as_bytes(), web_app);
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (store, key) = (&store, &key);
            scope.spawn(move || {
                for number in (part..RECORDS).step_by(4) {
                    store.write(Update::first(&key("shop", number), LIMITS), b"n", b"1", by()).unwrap();
                    if number % 10 == 0 {
                        store.write(Update::first(&key("shop2", number), LIMITS), b"n", b"1", by()).unwrap();
                    }
                }
            });
        }
    });
    let mut found: Vec<RecordKey> = Vec::new();
    loop {
        let page = store.records("shop", found.last(), 999, by()).unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found.len(), RECORDS);
    let distinct: BTreeSet<&[u8]> = found.iter().map(|record| &*record.key).collect();
    assert!(distinct.len() == RECORDS && found.iter().all(|record| &*record.web_app == "shop"));
}

pub fn bans_are_listed_page_by_page_though_some_have_ended(kind: Kind) {
    let server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    let ban = |number: u32, millis: u64| {
        let key = RequestKey::of_host(None, &format!("{number:04}.example"));
        store.ban(&key, SystemTime::now() + Duration::from_millis(millis), by()).unwrap();
    };
    (0..50).for_each(|number| ban(number, if number < 25 { 60_000 } else { 200 }));
    sleep(Duration::from_millis(250));
    let mut found = Vec::new();
    loop {
        let page = store.bans(found.last().map(|ban: &secrule::Ban| &ban.key), 10, by()).unwrap();
        if page.is_empty() {
            break;
        }
        found.extend(page);
    }
    assert_eq!(found.len(), 25);
}
