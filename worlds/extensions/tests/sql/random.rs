//! Texts of all kinds.

use crate::Embedded;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::path::Path;

/// Parts of statements, of both databases.
const PARTS: [&str; 96] = [
    "select ",
    "select ",
    "select ",
    "from ",
    "from ",
    "where ",
    "group by ",
    "order by ",
    "having ",
    "limit ",
    "offset ",
    "with ",
    "recursive ",
    "as ",
    "(",
    "(",
    ")",
    ")",
    ",",
    ",",
    ";",
    "*",
    "1",
    "2.5",
    "'a'",
    "'2026-01-01'",
    "null",
    "true",
    "not ",
    "and ",
    "or ",
    "=",
    "<",
    ">=",
    "+",
    "-",
    "/",
    "||",
    "::int ",
    "::text ",
    "::timestamp ",
    "::interval ",
    "interval '1 hour' ",
    "interval '1' day ",
    "now() ",
    "current_date ",
    "created ",
    "node_id ",
    "monitor ",
    "waf_request_tsdb ",
    "\"system_CPU_percent\" ",
    "avg(",
    "count(*) ",
    "string_agg(",
    "extract(epoch from ",
    "date_trunc('hour', ",
    "case when ",
    "then ",
    "else ",
    "end ",
    "in (",
    "between ",
    "like ",
    "ilike ",
    "is null ",
    "is not true ",
    "exists (",
    "union all ",
    "values (",
    "distinct ",
    "delete from monitor ",
    "insert into monitor ",
    "update monitor set node_id = 1 ",
    "drop table monitor ",
    "returning * ",
    "into x ",
    "for update ",
    "create table x as ",
    "attach ",
    "pragma ",
    "load_extension(",
    "replace ",
    "begin ",
    "commit ",
    "x",
    ".",
    "array[",
    "]",
    "->>",
    "$1",
    "lateral ",
    "join ",
    "on true ",
    "-- ",
    "/*",
    "*/",
];

pub fn no_text_changes_the_database_or_ends_in_a_panic() {
    run(2000, any::<String>().prop_map(|text| format!("select {text}")).boxed());
}

pub fn no_text_made_of_sql_changes_the_database_or_ends_in_a_panic() {
    let parts = proptest::collection::vec(proptest::sample::select(&PARTS[..]), 1..40);
    run(6000, parts.prop_map(|parts| format!("select {}", parts.concat())).boxed());
}

fn run(cases: u32, texts: BoxedStrategy<String>) {
    let embedded = Embedded::filled();
    let before = contents(&embedded.path());
    let (ran, answered) = (Cell::new(0), Cell::new(0));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&texts, |text| {
        let result = embedded.ask(&text);
        ran.set(ran.get() + 1);
        answered.set(answered.get() + u32::from(result.is_ok()));
        if let Err(error) = result {
            prop_assert!(!error.is_empty() && !error.contains("without a result"), "{error}");
        }
        Ok(())
    });
    result.unwrap();
    assert!(ran.get() >= cases && answered.get() > 0, "{} ran, {} of them gave rows", ran.get(), answered.get());
    assert_eq!(contents(&embedded.path()), before);
}

/// Returns all that is in a database, and the names of its files.
fn contents(path: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut rows = Vec::new();
    for sql in ["select sql from sqlite_schema", "select * from monitor", "select * from waf_request_tsdb", "pragma user_version"] {
        let mut statement = connection.prepare(sql).unwrap();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            rows.push(format!("{row:?}"));
        }
    }
    rows
}
