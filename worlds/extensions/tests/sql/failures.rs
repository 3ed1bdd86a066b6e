//! Databases that fail.

use crate::server::{self, Server, signal};
use crate::{Embedded, ask, databases, shown};
use secrule_extensions::sql::{Databases, Query};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, scope};
use std::time::{Duration, Instant};

/// A statement that runs for seconds, with a text to know it by.
fn slow(mark: &str, count: u64) -> String {
    format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count}) select count(*), '{mark}' from n")
}

pub fn a_database_that_is_not_there_or_damaged_is_an_error_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let databases = Databases::new(&path);
    assert!(ask(&databases, "admin", "select 1").unwrap_err().contains("is made by the script host"));
    std::fs::write(&path, b"this is not a database".repeat(1000)).unwrap();
    let error = ask(&databases, "admin", "select 1 from monitor").unwrap_err();
    assert!(error.contains("move it away"), "{error}");
    let error = ask(&Databases::new(folder.path()), "admin", "select 1").unwrap_err();
    assert!(error.contains("no database at"), "{error}");
    // Damaged in the middle, and cut.
    let embedded = Embedded::filled();
    rusqlite::Connection::open(embedded.path()).unwrap().pragma_update(None, "journal_mode", "delete").unwrap();
    let whole = std::fs::read(embedded.path()).unwrap();
    for end in [100, 4096, 8192, 10_000, whole.len()] {
        let mut damaged = whole[..end].to_vec();
        damaged.iter_mut().skip(108).step_by(3).for_each(|byte| *byte ^= 0x5a);
        std::fs::write(embedded.path(), damaged).unwrap();
        let error = embedded.ask("select * from monitor, waf_request_tsdb").unwrap_err();
        assert!(error.contains("move it away") || error.contains("no such table"), "{end}: {error}");
    }
}

pub fn a_locked_database_is_an_error_in_time() {
    let embedded = Embedded::filled();
    let other = rusqlite::Connection::open(embedded.path()).unwrap();
    other.pragma_update(None, "journal_mode", "delete").unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let start = Instant::now();
    let query = Query { time: Duration::from_millis(500), ..Query::new("select 1 from monitor") };
    let error = embedded.databases.query("admin", &query).unwrap_err();
    assert!(error.contains("longer than") || error.contains("locked by another program"), "{error}");
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    other.execute_batch("rollback").unwrap();
    assert!(embedded.ask("select 1 from monitor").is_ok());
}

pub fn a_pipe_in_place_of_a_database_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(ask(&Databases::new(&path), "admin", "select 1").unwrap_err().contains("no database at"));
}

/// Answers each connection with the bytes, after something was sent.
fn answering(bytes: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    port
}

pub fn a_server_that_answers_nonsense_is_an_error() {
    let logged_in = [&b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"[..]].concat();
    let with = |more: &[u8]| [&logged_in[..], b"Z\0\0\0\x05T", more].concat();
    let row = b"T\0\0\0\x06\x00\x05D\0\0\0\x0a\0\x01\x7f\xff\xff\xff";
    for bytes in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"R\xff\xff\xff\xff\0\0\0\0".to_vec(),
        b"R\0\0\0\x03".to_vec(),
        b"R\0\0\0\x0c\0\0\0\x05ab".to_vec(),
        b"R\0\0\0\x08\0\0\0\x0a".to_vec(),
        b"R\0\0\0\x08\0\0\0\x0b".to_vec(),
        b"E\0\0\0\x06x\0".to_vec(),
        b"E\0\0\0\x04".to_vec(),
        with(b"T\0\0\0\x06\xff\xff"),
        with(row),
        with(b"D\0\0\0\x06\0\x01"),
        with(b"D\x7f\xff\xff\xff"),
        with(b"Z\0\0\0\x05X"),
        logged_in.clone(),
        Vec::new(),
        vec![b'Z'; 5000],
    ] {
        let databases = databases(&format!("postgres://a:b@127.0.0.1:{}", answering(bytes.clone())));
        let start = Instant::now();
        let query = Query { time: Duration::from_millis(700), ..Query::new("select 1") };
        let result = databases.query("logs", &query);
        assert!(
            result.as_ref().is_ok_and(|rows| rows.rows.is_empty())
                || result.as_ref().is_err_and(|error| !error.contains("without a result")),
            "{bytes:?}: {result:?}"
        );
        assert!(start.elapsed() < Duration::from_millis(2500), "{bytes:?}: {:?}", start.elapsed());
    }
}

pub fn an_idle_connection_that_was_closed_is_replaced() {
    let server = server::shared();
    let databases = databases(&server.address("postgres"));
    let process = shown(&ask(&databases, "logs", "select pg_backend_pid()").unwrap());
    assert_eq!(shown(&ask(&databases, "logs", "select pg_backend_pid()").unwrap()), process, "it is used again");
    server.sql(&format!("select pg_terminate_backend({process})"));
    thread::sleep(Duration::from_millis(100));
    let query = Query { retries: 0, ..Query::new("select pg_backend_pid()") };
    assert_ne!(shown(&databases.query("logs", &query).unwrap()), process);
}

pub fn a_connection_that_ends_within_a_query_is_tried_again() {
    let server = server::shared();
    let databases = databases(&server.address("postgres"));
    for (retries, mark) in [(0, "no_retry"), (1, "one_retry")] {
        let result = scope(|scope| {
            let query = Query { retries, ..Query::new(slow(mark, 3_000_000)) };
            let asked = scope.spawn(|| databases.query("logs", &{ query }));
            let process = server.process_of(mark);
            server.sql(&format!("select pg_terminate_backend({process})"));
            asked.join().unwrap()
        });
        match retries {
            0 => assert!(result.as_ref().is_err_and(|error| error.contains("check that it runs")), "{result:?}"),
            _ => assert_eq!(shown(&result.unwrap()), "3000000 'one_retry'"),
        }
    }
}

pub fn an_error_of_the_database_is_reported_and_the_connection_used_again() {
    let server = server::shared();
    let databases = databases(&server.address("postgres"));
    let process = shown(&ask(&databases, "logs", "select pg_backend_pid()").unwrap());
    for (sql, named) in [
        ("select 1 / (select 0)", "division by zero"),
        ("select nothing", "\"nothing\" does not exist"),
        ("select 1 from nothing", "\"nothing\" does not exist"),
        ("select a / (5 - a) from generate_series(1, 9) a", "division by zero"),
    ] {
        let error = ask(&databases, "logs", sql).expect_err(sql);
        assert!(error.contains(named), "{sql}: {error}");
    }
    assert_eq!(shown(&ask(&databases, "logs", "select pg_backend_pid()").unwrap()), process);
}

fn assert_in_time(databases: &Databases, mark: &str, disturb: impl FnOnce()) -> String {
    let start = Instant::now();
    let error = scope(|scope| {
        let query = Query { time: Duration::from_secs(4), ..Query::new(slow(mark, 1_000_000_000)) };
        let asked = scope.spawn(|| databases.query("logs", &{ query }));
        disturb();
        asked.join().unwrap().unwrap_err()
    });
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    error
}

pub fn a_server_that_is_stopped_within_a_query_is_an_error_in_time() {
    let server = server::shared();
    let databases = databases(&server.address("postgres"));
    let mut process = String::new();
    let error = assert_in_time(&databases, "stopped", || {
        process = server.process_of("stopped");
        signal("STOP", &process);
    });
    signal("CONT", &process);
    assert!(error.contains("longer than its 4 s"), "{error}");
    assert!(ask(&databases, "logs", "select 1").is_ok());
}

pub fn a_server_that_is_killed_within_a_query_is_an_error_in_time() {
    let server = Server::start();
    let databases = databases(&server.address("postgres"));
    let error = assert_in_time(&databases, "killed", || {
        server.process_of("killed");
        server.kill();
    });
    assert!(error.contains("check that it runs") || error.contains("longer than its"), "{error}");
}
