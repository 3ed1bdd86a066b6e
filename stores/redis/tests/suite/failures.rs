//! Servers that do not answer, or not yet: each call ends by its deadline.

use crate::proxy::Proxy;
use crate::server::{Kind, Server, free_port};
use crate::{LIMITS, by, record, within};
use secrule::internals::store::Breaker;
use secrule::{AddError, Full, Quota, Store, Update, WriteError};
use secrule_redis::RedisStore;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The deadline of calls to a server that does not answer.
const WAIT_LIMIT: Duration = Duration::from_millis(50);

/// What a call may take beyond its deadline on a machine that does other things, too.
const TOLERANCE: Duration = Duration::from_millis(40);

/// Adds, and returns the sum if the store answers. It must not take longer than it may.
fn add(store: &dyn Store, record: &secrule::RecordKey, patience: Duration) -> Option<i64> {
    let start = Instant::now();
    let sum = store.add(Update::first(record, LIMITS), b"n", 1, start + patience).ok();
    assert!(start.elapsed() < patience + TOLERANCE, "a call took {:?}", start.elapsed());
    sum.map(|(sum, _)| sum)
}

pub fn a_stopped_server_delays_no_call_beyond_its_deadline_and_opens_the_circuit(kind: Kind) {
    let server = Server::start(kind);
    let store = Breaker::new(RedisStore::new(&server.url()).unwrap());
    let record = record();
    assert_eq!(add(&store, &record, within()), Some(1));
    server.signal("STOP");
    assert!((0..5).all(|_| add(&store, &record, WAIT_LIMIT).is_none()));
    let start = Instant::now();
    assert!((0..100).all(|_| add(&store, &record, WAIT_LIMIT).is_none()));
    assert!(start.elapsed() < WAIT_LIMIT, "the circuit is not open: {:?}", start.elapsed());
    server.signal("CONT");
    sleep(Duration::from_millis(1_100));
    // What was sent before is carried out: a call that failed may count. What was acknowledged counts.
    let sum = add(&store, &record, within()).expect("the circuit is closed again");
    assert!((2..=7).contains(&sum), "{sum}");
    assert_eq!(add(&store, &record, within()), Some(sum + 1));
}

pub fn several_threads_do_not_wait_for_a_stopped_server_one_after_the_other(kind: Kind) {
    let server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    let record = record();
    assert_eq!(add(&store, &record, within()), Some(1));
    server.signal("STOP");
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| assert_eq!(add(&store, &record, WAIT_LIMIT), None));
        }
    });
    server.signal("CONT");
    assert!(add(&store, &record, within()).is_some());
}

pub fn a_server_that_is_killed_and_started_again_is_used_again_at_once(kind: Kind) {
    let mut server = Server::start(kind);
    let store = RedisStore::new(&server.url()).unwrap();
    let record = record();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert!(add(&store, &record, within()).is_some())));
        }
    });
    server.restart();
    // It kept nothing, not even the scripts.
    assert_eq!([(); 3].map(|()| add(&store, &record, within())), [Some(1), Some(2), Some(3)]);
}

pub fn a_server_that_is_not_there_is_down_at_once(_: Kind) {
    let store = RedisStore::new(&format!("redis://127.0.0.1:{}", free_port())).unwrap();
    let down = store.read(&record(), b"n", by()).unwrap_err().to_string();
    assert!(down.contains("refused"), "{down}");
    let store = RedisStore::new("redis://no-such-host.invalid").unwrap();
    let start = Instant::now();
    let down = store.read(&record(), b"n", start + WAIT_LIMIT).unwrap_err().to_string();
    assert!(start.elapsed() < WAIT_LIMIT + TOLERANCE && down.contains("no-such-host"), "{down}");
}

pub fn a_connection_that_is_cut_off_delays_no_call_beyond_its_deadline(kind: Kind) {
    let server = Server::start(kind);
    let proxy = Proxy::to(server.address());
    let store = RedisStore::new(&proxy.url()).unwrap();
    let record = record();
    assert_eq!(add(&store, &record, within()), Some(1));
    proxy.cut();
    let down = store.read(&record, b"n", Instant::now() + WAIT_LIMIT).unwrap_err().to_string();
    assert!(down.contains(&format!(":{}: no answer in time", proxy.port)), "{down}");
    assert!((0..10).all(|_| add(&store, &record, WAIT_LIMIT).is_none()));
    proxy.slow(Duration::ZERO, 0);
    assert!(add(&store, &record, within()).is_some());
}

pub fn an_answer_that_comes_late_is_not_taken_for_that_of_the_next_call(kind: Kind) {
    let server = Server::start(kind);
    let proxy = Proxy::to(server.address());
    let store = RedisStore::new(&proxy.url()).unwrap();
    let record = record();
    for name in 0..20_u8 {
        store.write(Update::first(&record, LIMITS), &[b'a' + name], &[b'a' + name], by()).unwrap();
    }
    proxy.slow(Duration::from_millis(50), 0);
    let mut answers = 0;
    for name in 0..20_u8 {
        let patience = if name % 2 == 0 { Duration::from_millis(10) } else { Duration::from_secs(5) };
        if let Ok(value) = store.read(&record, &[b'a' + name], Instant::now() + patience) {
            assert_eq!(value, Some(vec![b'a' + name]));
            answers += 1;
        }
    }
    assert!((10..20).contains(&answers), "{answers}");
}

pub fn an_answer_that_comes_byte_by_byte_ends_by_the_deadline(kind: Kind) {
    let server = Server::start(kind);
    let proxy = Proxy::to(server.address());
    let store = RedisStore::new(&proxy.url()).unwrap();
    let record = record();
    store.write(Update::first(&record, LIMITS), b"n", &[b'x'; 1_000], by()).unwrap();
    proxy.slow(Duration::from_millis(5), 1);
    let start = Instant::now();
    assert!(store.read(&record, b"n", start + WAIT_LIMIT).is_err());
    assert!(start.elapsed() < WAIT_LIMIT + TOLERANCE, "{:?}", start.elapsed());
}

pub fn a_server_without_memory_is_full_and_can_be_read(kind: Kind) {
    let server = Server::start(kind);
    let store = Breaker::new(RedisStore::new(&server.url()).unwrap());
    let (record, full) = (record(), WriteError::Full(Full::Store));
    assert_eq!(add(&store, &record, within()), Some(1));
    server.query::<()>("CONFIG SET maxmemory 1");
    for _ in 0..10 {
        assert_eq!(store.add(Update::first(&record, LIMITS), b"n", 1, by()).unwrap_err(), full);
    }
    assert_eq!(store.map_set("m", b"a", b"1", by()).unwrap_err(), full);
    assert_eq!(store.map_add("m", b"a", 1.0, by()).unwrap_err(), AddError::Write(full));
    assert_eq!(store.read(&record, b"n", by()).unwrap(), Some(b"1".to_vec()));
    let down = store.count(&secrule::RequestKey::of_host(None, "a"), Quota::new(1, Duration::from_secs(1), 1), by()).unwrap_err();
    assert!(down.to_string().contains("no memory left"), "{down}");
    server.query::<()>("CONFIG SET maxmemory 0");
    assert_eq!(add(&store, &record, within()), Some(2));
}

pub fn what_is_not_a_server_of_this_kind_is_down(_: Kind) {
    let nonsense: [&[u8]; 6] =
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$99999999999999\r\nx", b"*99999999999\r\n", b"\0\xff\r\n", b"$-7\r\n", b""];
    let deep = b"*1\r\n".repeat(1 << 20);
    for answer in nonsense.into_iter().chain([&*deep]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = answer.to_vec();
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let _ = client.read(&mut [0; 1_000]);
                let _ = client.write_all(&answer);
            }
        });
        let store = RedisStore::new(&format!("redis://127.0.0.1:{port}")).unwrap();
        let start = Instant::now();
        assert!(store.read(&record(), b"n", start + WAIT_LIMIT).is_err());
        assert!(start.elapsed() < WAIT_LIMIT + TOLERANCE, "{:?}", start.elapsed());
    }
}
