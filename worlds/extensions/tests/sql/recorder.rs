//! The writer of the embedded database.

use crate::{Embedded, events, shown};
use secrule_extensions::sql::{Action, Databases, Minute, Query, Recorder, Retention, System, WafEvent};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant, SystemTime};

/// Two minutes of node 7, and one that is two hours old.
pub fn minutes() -> Vec<Minute> {
    let minute = |minutes: u64, node_id, percent| Minute {
        created: SystemTime::now() - Duration::from_secs(minutes * 60),
        node_id,
        system_cpu_percent: percent,
        system_memory_percent: None,
        requests: 10,
        blocked: 1,
    };
    vec![minute(1, 7, Some(25.0)), minute(2, 7, Some(75.0)), minute(120, 8, Some(1.0))]
        .into_iter()
        .map(|minute| Minute {
            system_cpu_percent: minute.system_cpu_percent.map(|percent| if minute.node_id == 7 { 50.0 } else { percent }),
            ..minute
        })
        .collect()
}

pub fn events_and_minutes_are_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut recorder = Recorder::open(&path, Retention::default()).unwrap();
    let event = WafEvent {
        created: SystemTime::UNIX_EPOCH + Duration::from_millis(4_000_000_000_123),
        app_id: 1033,
        request_id: "0000270010243927eb48000d".to_owned(),
        remote_addr: "192.0.2.9".to_owned(),
        host: b"example.com".to_vec(),
        method: b"GET".to_vec(),
        uri: b"/a?b=\xff".to_vec(),
        request: b"GET /a HTTP/1.1".to_vec(),
        header: b"Host: example.com\r\n\r\n".to_vec(),
        body: vec![b'x'; 100_000],
        status: 403,
        action: Action::Block,
        score: 3,
        threshold: 3,
        rule_id: "942100".to_owned(),
        rule_set_id: 10025,
        msg: "ä".repeat(50_000),
        user_agent: b"curl".to_vec(),
        ..WafEvent::default()
    };
    recorder.record_event(event).unwrap();
    let databases = Databases::new(&path);
    let ask = |sql: &str| shown(&databases.query("admin", &Query::new(sql)).unwrap());
    assert_eq!(ask("select count(*) from waf_request_tsdb"), "0", "it waits for others of the same second");
    recorder.flush().unwrap();
    let columns =
        "created, app_id, request_id, remote_addr, host, method, request, header, status, action, score, threshold, rule_id, rule_set_id";
    assert_eq!(
        ask(&format!("select {columns} from waf_request_tsdb")),
        "'2096-10-02 07:06:40.123' 1033 '0000270010243927eb48000d' '192.0.2.9' 'example.com' 'GET' 'GET /a HTTP/1.1' \
         'Host: example.com\r\n\r\n' 403 'block' 3 3 '942100' 10025"
    );
    assert_eq!(
        ask("select client_country, client_province, client_city, client_isp, user_agent from waf_request_tsdb"),
        "'' 'unknown' 'unknown' '' 'curl'"
    );
    assert_eq!(ask("select length(body), length(msg) from waf_request_tsdb"), "65536 32768");
    let rows = databases.query("admin", &Query::new("select uri from waf_request_tsdb")).unwrap();
    assert_eq!(rows.rows, [[secrule_extensions::sql::Value::Text(b"/a?b=\xff".to_vec())]]);
    let mut system = System::default();
    let minute = Minute {
        created: SystemTime::now(),
        node_id: 1,
        system_cpu_percent: system.processor_percent(),
        system_memory_percent: system.memory_percent(),
        requests: u64::MAX,
        blocked: 0,
    };
    recorder.record_minute(minute).unwrap();
    let sane = "\"system_CPU_percent\" between 0 and 100 and \"system_memory_percent\" between 1 and 100";
    assert_eq!(ask(&format!("select node_id, requests, {sane} as sane from monitor")), "1 9223372036854775807 true");
}

pub fn the_file_is_for_its_owner_alone() {
    let embedded = Embedded::filled();
    let _recorder = Recorder::open(embedded.path(), Retention::default()).unwrap();
    for file in std::fs::read_dir(embedded.folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
    }
}

pub fn old_rows_go_and_the_file_does_not_grow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let megabyte = 1 << 20;
    let mut recorder = Recorder::open(&path, Retention { bytes: 4 * megabyte, ..Retention::default() }).unwrap();
    let databases = Databases::new(&path);
    let ask = |sql: &str| shown(&databases.query("admin", &Query::new(sql)).unwrap());
    // 20 MiB, in order of time.
    let start = SystemTime::now() - Duration::from_secs(3600);
    for number in 0..2560 {
        let created = start + Duration::from_secs(number);
        let app_id = i64::try_from(number).unwrap();
        recorder.record_event(WafEvent { created, app_id, body: vec![b'a'; 8 << 10], ..WafEvent::default() }).unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size <= 4 * megabyte, "{size} bytes after {number} events");
    }
    recorder.flush().unwrap();
    assert_eq!(recorder.dropped(), 0);
    assert_eq!(
        ask("select max(app_id), min(app_id) > 1500, count(*) = max(app_id) - min(app_id) + 1 from waf_request_tsdb"),
        "2559 true true"
    );
    // By age.
    let before = ask("select count(*) from waf_request_tsdb");
    let soon = SystemTime::now() + Duration::from_secs(29 * 86_400);
    recorder.remove_old(soon).unwrap();
    assert_eq!(ask("select count(*) from waf_request_tsdb"), before);
    let later = SystemTime::now() + Duration::from_secs(31 * 86_400);
    recorder.remove_old(later).unwrap();
    assert_eq!(ask("select count(*) from waf_request_tsdb"), "0");
}

pub fn a_database_that_cannot_be_written_keeps_events_until_it_can() {
    let embedded = Embedded::filled();
    let mut recorder = Recorder::open(embedded.path(), Retention::default()).unwrap();
    let other = rusqlite::Connection::open(embedded.path()).unwrap();
    other.execute_batch("begin immediate").unwrap();
    recorder.record_event(events().remove(0)).unwrap();
    let start = Instant::now();
    let error = recorder.flush().unwrap_err();
    assert!(error.contains("locked by another program") && start.elapsed() < Duration::from_secs(5), "{error}");
    // Reading goes on meanwhile.
    assert_eq!(shown(&embedded.ask("select count(*) from waf_request_tsdb").unwrap()), "4");
    other.execute_batch("rollback").unwrap();
    recorder.flush().unwrap();
    assert_eq!(shown(&embedded.ask("select count(*) from waf_request_tsdb").unwrap()), "5");
    // 48 MiB while nothing can be written: 32 MiB are kept.
    other.execute_batch("begin immediate").unwrap();
    let mut failures = 0;
    for _ in 0..768 {
        let event = WafEvent { body: vec![b'a'; 64 << 10], created: SystemTime::now(), ..WafEvent::default() };
        failures += usize::from(recorder.record_event(event).is_err());
    }
    assert!(failures > 0 && (256..400).contains(&recorder.dropped()), "{failures} failures, {} dropped", recorder.dropped());
    other.execute_batch("rollback").unwrap();
    recorder.flush().unwrap();
    let dropped = i64::try_from(recorder.dropped()).unwrap();
    assert_eq!(shown(&embedded.ask("select count(*) from waf_request_tsdb").unwrap()), (5 + 768 - dropped).to_string());
}

pub fn a_damaged_file_is_an_error_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    std::fs::write(&path, b"this is not a database".repeat(1000)).unwrap();
    let error = Recorder::open(&path, Retention::default()).unwrap_err();
    assert!(error.contains("move it away"), "{error}");
    let error = Recorder::open(folder.path().join("no/a.db"), Retention::default()).unwrap_err();
    assert!(error.contains("make its folder"), "{error}");
    // Damaged while it is open.
    let embedded = Embedded::filled();
    let mut recorder = Recorder::open(embedded.path(), Retention::default()).unwrap();
    let length = usize::try_from(std::fs::metadata(embedded.path()).unwrap().len()).unwrap();
    std::fs::write(embedded.path(), vec![0x55; length]).unwrap();
    recorder.record_event(events().remove(0)).unwrap();
    let written = recorder.flush();
    let again = Recorder::open(embedded.path(), Retention::default());
    assert!(written.is_err() || again.is_err(), "{written:?} {again:?}");
}

pub fn a_newer_version_is_an_error() {
    let embedded = Embedded::filled();
    rusqlite::Connection::open(embedded.path()).unwrap().execute_batch("pragma user_version = 9").unwrap();
    let error = Recorder::open(embedded.path(), Retention::default()).unwrap_err();
    assert!(error.contains("version 9") && error.contains("move the file away"), "{error}");
}
