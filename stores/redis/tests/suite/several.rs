//! Several servers: sentinels that name the master, and clusters.

use crate::server::{Kind, Server, free_port};
use crate::{LIMITS, by, record, within};
use redis::Value;
use secrule::{PersistentCollection, RecordKey, Store, Update};
use secrule_redis::RedisStore;
use secrule_testkit::store_suite;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Tries until something succeeds.
fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < end, "{what}");
        sleep(Duration::from_millis(20));
    }
}

pub fn the_master_that_a_sentinel_names_is_used_after_a_failover_too(kind: Kind) {
    let master = Server::start(kind);
    let port = free_port();
    let replica = Server::start_with(kind, port, &["--port", &port.to_string(), "--replicaof", "127.0.0.1", &master.port.to_string()]);
    let sentinel = Server::start_sentinel(kind, &master);
    // The first one does not answer.
    let store = RedisStore::new(&format!("redis-sentinel://127.0.0.1:{},127.0.0.1:{}/main", free_port(), sentinel.port)).unwrap();
    let record = record();
    let add = || store.add(Update::first(&record, LIMITS), b"n", 1, Instant::now() + Duration::from_millis(500)).ok().map(|(sum, _)| sum);
    assert_eq!(add(), Some(1));
    until("the sentinel does not know the replica", || {
        let known: Vec<Value> = sentinel.ask("SENTINEL REPLICAS main").ok()?;
        let state: String = replica.ask("INFO replication").ok()?;
        (!known.is_empty() && state.contains("master_link_status:up")).then_some(())
    });
    until("the sentinel does not start the failover", || sentinel.ask::<()>("SENTINEL FAILOVER main").ok());
    // Until then the former master takes writes, which are lost: the server's way of a failover.
    until("the former master does not become a replica", || {
        let state: String = master.ask("INFO replication").ok()?;
        state.contains("role:slave").then_some(())
    });
    assert_eq!(until("the store does not find the new master", add), 2);
    drop(master);
    assert_eq!(add(), Some(3));
    let wrong = RedisStore::new(&format!("redis-sentinel://127.0.0.1:{}/other", sentinel.port)).unwrap();
    let down = wrong.changes(by()).unwrap_err().to_string();
    assert!(down.contains("knows no service other"), "{down}");
}

/// Starts a cluster of three nodes, each with a third of the slots.
fn cluster(kind: Kind) -> [Server; 3] {
    let nodes = [(); 3].map(|()| Server::start_node(kind));
    for (node, slots) in nodes.iter().zip(["0 5000", "5001 10000", "10001 16383"]) {
        node.query::<()>(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
    }
    for node in &nodes[1..] {
        let bus: String = node.query::<Vec<String>>("CONFIG GET cluster-port").remove(1);
        nodes[0].query::<()>(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port));
    }
    for node in &nodes {
        until("the cluster does not form", || {
            let slots: Vec<Value> = node.query("CLUSTER SLOTS");
            (slots.len() == 3 && node.query::<String>("CLUSTER INFO").contains("cluster_state:ok")).then_some(())
        });
    }
    nodes
}

pub fn a_cluster_passes_the_suite_and_shares_the_records(kind: Kind) {
    let nodes = cluster(kind);
    let store = RedisStore::new(&format!("redis-cluster://127.0.0.1:{},127.0.0.1:{}", free_port(), nodes[1].port)).unwrap();
    store_suite::run(&store);
    for number in 0..300 {
        let record = RecordKey::new(PersistentCollection::Ip, format!("192.0.2.{number}").as_bytes(), "shared");
        store.write(Update::first(&record, LIMITS), b"n", b"1", by()).unwrap();
    }
    assert_eq!(store.records("shared", None, 1_000, by()).unwrap().len(), 300);
    for node in &nodes {
        let records: Vec<String> = node.query("KEYS secrule:record:shared:*");
        assert!(records.len() > 50, "{}", records.len());
    }
}

pub fn a_slot_of_a_cluster_is_followed_while_it_moves_and_after(kind: Kind) {
    let nodes = cluster(kind);
    let store = RedisStore::new(&format!("redis-cluster://127.0.0.1:{}", nodes[0].port)).unwrap();
    let record = record();
    let sum = |amount: i64| store.add(Update::first(&record, LIMITS), b"n", amount, Instant::now() + within()).unwrap().0;
    assert_eq!(sum(1), 1);
    let key = format!("secrule:record:shop:ip:{}", String::from_utf8_lossy(&record.key));
    let slot: u16 = nodes[0].query(&format!("CLUSTER KEYSLOT {key}"));
    let from = usize::from(slot > 5000) + usize::from(slot > 10000);
    let (from, to) = (&nodes[from], &nodes[(from + 1) % 3]);
    let (from_id, to_id): (String, String) = (from.query("CLUSTER MYID"), to.query("CLUSTER MYID"));
    to.query::<()>(&format!("CLUSTER SETSLOT {slot} IMPORTING {from_id}"));
    from.query::<()>(&format!("CLUSTER SETSLOT {slot} MIGRATING {to_id}"));
    assert_eq!(sum(1), 2);
    from.query::<()>(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port));
    // The node asks for another one to be asked.
    assert_eq!(sum(1), 3);
    for node in [to, from] {
        node.query::<()>(&format!("CLUSTER SETSLOT {slot} NODE {to_id}"));
    }
    assert_eq!(sum(1), 4);
    assert_eq!(to.query::<u64>(&format!("CLUSTER COUNTKEYSINSLOT {slot}")), 1);
}
