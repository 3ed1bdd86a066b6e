//! Limits of time, memory and size.

use crate::{Embedded, ask, databases, server, shown};
use secrule_extensions::sql::{Databases, Query};
use std::time::{Duration, Instant};

const HEAVY: &str = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000000000) select count(*) from n";

fn assert_late(databases: &Databases, destination: &str, sql: &str) {
    let start = Instant::now();
    let error = databases.query(destination, &Query { time: Duration::from_millis(500), ..Query::new(sql) }).expect_err(sql);
    assert!(error.contains("longer than its 0.5 s"), "{sql}: {error}");
    assert!((Duration::from_millis(400)..Duration::from_millis(1500)).contains(&start.elapsed()), "{sql}: {:?}", start.elapsed());
}

pub fn a_heavy_query_of_the_embedded_database_ends_in_time() {
    let embedded = Embedded::filled();
    assert_late(&embedded.databases, "admin", HEAVY);
    assert_late(&embedded.databases, "admin", "select count(*) from waf_request_tsdb a, waf_request_tsdb b, waf_request_tsdb c, waf_request_tsdb d,
        waf_request_tsdb e, waf_request_tsdb f, waf_request_tsdb g, waf_request_tsdb h, waf_request_tsdb i, waf_request_tsdb j, waf_request_tsdb k,
        waf_request_tsdb l, waf_request_tsdb m, waf_request_tsdb n, waf_request_tsdb o");
    assert!(embedded.ask("select 1").is_ok());
}

pub fn functions_that_look_at_no_clock_do_not_hold_the_caller() {
    let embedded = Embedded::filled();
    let text = "replace(hex(zeroblob(250000)), '0', 'a')";
    assert_late(
        &embedded.databases,
        "admin",
        &format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select sum(instr({text}, substr({text}, 250001) || 'b' || i)) from n"
        ),
    );
    let error = embedded.ask("select hex(zeroblob(10000000))").unwrap_err();
    assert!(error.contains("more than 1 MiB"), "{error}");
    let error = embedded.ask(&format!("select 'a' like '{}'", "%a".repeat(1000))).unwrap_err();
    assert!(error.contains("too complex"), "{error}");
}

pub fn the_memory_of_a_query_is_limited() {
    let embedded = Embedded::filled();
    let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000000)";
    let error = embedded.ask(&format!("{many} select hex(zeroblob(500)) || i as a from n order by a limit 1 offset 50000000")).unwrap_err();
    assert!(error.contains("256 MiB of memory") || error.contains("longer than its"), "{error}");
    assert!(embedded.ask("select 1").is_ok());
}

pub fn rows_beyond_the_limit_are_left_out() {
    let embedded = Embedded::filled();
    let many = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select i from n";
    let ask = |limit| embedded.databases.query("admin", &Query { limit, ..Query::new(many) }).unwrap();
    let rows = ask(3);
    assert_eq!((shown(&rows).as_str(), rows.is_cut), ("1 | 2 | 3", true));
    assert_eq!((ask(0).rows.len(), ask(0).is_cut), (0, true));
    assert_eq!(ask(20_000).rows.len(), 20_000);
    let all = embedded.databases.query("admin", &Query { limit: 4, ..Query::new("select 1 from waf_request_tsdb") }).unwrap();
    assert_eq!((all.rows.len(), all.is_cut), (4, false));
}

pub fn a_result_has_16_mib_at_most() {
    let embedded = Embedded::filled();
    let rows = embedded
        .ask("with recursive n(i) as (select 1 union all select i + 1 from n where i < 100) select hex(zeroblob(500000)) from n")
        .unwrap();
    assert_eq!((rows.rows.len(), rows.is_cut), (16, true));
}

pub fn a_deep_or_long_statement_is_refused() {
    let embedded = Embedded::filled();
    let of = |text: &str, count: usize| text.repeat(count);
    for (sql, named) in [
        (format!("select {}1{}", of("(", 20_000), of(")", 20_000)), "levels deep"),
        (format!("select {}1", of("- ", 3000)), "names and operators"),
        (format!("select {}1", of("not ", 900)), "cannot be read"),
        (format!("select 1{}", of("+1", 3000)), "names and operators"),
        (format!("select '{}'", of("a", 70_000)), "65536"),
        (format!("select {}", of("a,", 2500)), "names and operators"),
        (format!("{}select 1{}", of("select * from (", 100), of(") x", 100)), "levels deep"),
        (format!("select * from {}monitor{}", of("(select * from ", 100), of(") x", 100)), "levels deep"),
    ] {
        let error = embedded.ask(&sql).expect_err("refused");
        assert!(error.contains(named), "{}: {error}", &sql[..40]);
    }
    // As deep as is taken: neither the walks nor SQLite overflow a stack.
    for sql in [
        format!("select 1{}", of("+1", 1900)),
        format!("select 1{}", of(" is null", 900)),
        format!("select 1{}", of("::int", 900)),
        format!("select 1{}", of(" union all select 1", 600)),
        format!("select 1 from monitor {}", of(" join monitor on true", 450)),
        format!("select 1 where 1 = 1{}", of(" and 1 = 1", 900)),
        format!("select a{}", of(".a", 1900)),
    ] {
        if let Err(error) = embedded.ask(&sql) {
            assert!(!error.contains("without a result"), "{}: {error}", &sql[..40]);
        }
    }
    let list = format!("select 3 in ({}2)", of("1,", 20_000));
    assert_eq!(embedded.ask(&list).map(|rows| shown(&rows)), Ok("false".to_owned()));
}

pub fn so_many_queries_run_at_once() {
    let embedded = Embedded::filled();
    let query = Query { time: Duration::from_secs(2), ..Query::new(HEAVY) };
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..20).map(|_| scope.spawn(|| embedded.databases.query("admin", &query).unwrap_err())).collect();
        let errors: Vec<String> = asked.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(errors.iter().filter(|error| error.contains("16 queries are running")).count(), 4, "{errors:?}");
    });
}

pub fn a_heavy_query_of_postgresql_ends_in_time() {
    let databases = databases(&server::shared().address("postgres"));
    let number = || shown(&ask(&databases, "logs", "select pg_backend_pid()").unwrap());
    assert_late(&databases, "logs", HEAVY);
    // The server ends it before the caller goes: the connection is used again. A busy machine may be too slow for that once.
    let is_used_again = || {
        let before = number();
        assert!(databases.query("logs", &Query { time: Duration::from_secs(2), ..Query::new(HEAVY) }).unwrap_err().contains("longer than"));
        number() == before
    };
    assert!((0..3).any(|_| is_used_again()));
}

pub fn postgresql_makes_no_rows_beyond_the_limit() {
    let databases = databases(&server::shared().address("postgres"));
    let rows = databases
        .query("logs", &Query { limit: 3, ..Query::new("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n") })
        .unwrap();
    assert_eq!((rows.rows.len(), rows.is_cut), (3, true));
    let rows = databases.query("logs", &Query { limit: 3, ..Query::new("values (1), (2), (3)") }).unwrap();
    assert_eq!((rows.rows.len(), rows.is_cut), (3, false));
    assert_eq!(databases.query("logs", &Query { limit: 0, ..Query::new("values (1)") }).unwrap().rows.len(), 0);
    assert!(databases.query("logs", &Query { limit: usize::MAX, ..Query::new("values (1)") }).is_ok());
}

pub fn a_result_of_postgresql_has_16_mib_at_most() {
    let databases = databases(&server::shared().address("postgres"));
    let rows =
        ask(&databases, "logs", "with recursive n(i) as (select 1 union all select i + 1 from n) select repeat('a', 1000000) from n")
            .unwrap();
    assert_eq!((rows.rows.len(), rows.is_cut), (16, true));
    let error = ask(&databases, "logs", "select repeat('a', 100000000)").unwrap_err();
    assert!(error.contains("more than 16 MiB"), "{error}");
    assert!(ask(&databases, "logs", "select 1").is_ok());
}
