//! Texts of all kinds.

use crate::{Embedded, databases, server};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use secrule_extensions::sql::{Query, Rows};
use secrule_testkit::trials;
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

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
    run(2000, any::<String>().prop_map(|text| format!("select {text}")).boxed(), 1);
}

pub fn no_text_made_of_sql_changes_the_database_or_ends_in_a_panic() {
    run(4000, of_parts(), 1);
}

pub fn no_query_changes_the_database_or_ends_in_a_panic() {
    run(4000, queries(), 1000);
}

pub fn no_text_changes_postgresql() {
    let server = server::shared();
    server.sql(
        "create schema random; set search_path = random; create table x (node_id int, created timestamptz, \"system_CPU_percent\" float8);
         insert into x values (1, now(), 1), (2, now(), 2); create table monitor as select * from x; create role writer login superuser; alter role writer set search_path = random",
    );
    let names = "select string_agg(relname::text, ',' order by oid) from pg_class where relnamespace = 'random'::regnamespace";
    let state = || server.sql(&format!("select ({names}), (select sum(node_id) from random.monitor)"));
    let before = state();
    let databases = databases(&format!("postgres://writer@:{}/postgres?host={}", server.port, server.folder.path().display()));
    let ask = |text: &str| databases.query("logs", &Query { time: Duration::from_secs(5), limit: 10, ..Query::new(text) });
    check(800, of_parts(), 1, ask);
    check(800, queries(), 10, ask);
    assert_eq!(state(), before);
}

/// Makes texts of parts in any order.
fn of_parts() -> BoxedStrategy<String> {
    let parts = proptest::collection::vec(proptest::sample::select(&PARTS[..]), 1..30);
    parts.prop_map(|parts| format!("select {}", parts.concat())).boxed()
}

/// Makes queries that a database takes, but for types that do not fit.
fn queries() -> BoxedStrategy<String> {
    let names = [
        "node_id",
        "\"system_CPU_percent\"",
        "created",
        "m.node_id",
        "1",
        "'a'",
        "'12'",
        "null",
        "true",
        "2.5",
        "now()",
        "$$b$$",
        "e'\\n'",
    ];
    let expression = proptest::sample::select(names.to_vec()).prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let forms = [
            "(_ + _)",
            "(_ || _)",
            "(_ = _)",
            "(_ < _)",
            "(_ and _)",
            "(not _)",
            "(_ is null)",
            "coalesce(_, _)",
            "(_::text)",
            "(_::int)",
            "lower(_::text)",
            "(case when _ is not true then _ else _ end)",
            "(_ in (_, _))",
            "(_ between _ and _)",
            "(_ like _)",
            "greatest(_, _)",
            "(select max(_) from monitor)",
            "(created - interval '1 hour' > _)",
            "substring(_::text from 2)",
            "extract(epoch from created)",
            "(_ is not distinct from _)",
        ];
        (proptest::sample::select(forms.to_vec()), proptest::collection::vec(inner, 3)).prop_map(|(form, inner)| {
            let mut inner = inner.into_iter().cycle();
            form.split('_')
                .enumerate()
                .fold(String::new(), |text, (place, part)| if place == 0 { part.to_owned() } else { text + &inner.next().unwrap() + part })
        })
    });
    let tails = [
        "",
        " limit 3",
        " order by 1",
        " order by 1 desc limit 2 offset 1",
        " union select 1",
        " for update",
        "; delete from monitor",
        " order by created",
    ];
    let parts = (expression.clone(), expression, proptest::sample::select(tails.to_vec()), any::<bool>());
    let query = parts.prop_map(|(column, condition, tail, is_grouped)| match is_grouped {
        true => format!(
            "with m as (select * from monitor) select count(*), {column} as b from m where ({condition}) is not null group by 2{tail}"
        ),
        false => format!("select {column} from monitor m where ({condition}) is not null{tail}"),
    });
    query.boxed()
}

fn run(cases: u32, texts: BoxedStrategy<String>, min_answered: u32) {
    let embedded = Embedded::filled();
    let before = contents(&embedded.path());
    check(cases, texts, min_answered, |text| embedded.ask(text));
    assert_eq!(contents(&embedded.path()), before);
}

fn check(cases: u32, texts: BoxedStrategy<String>, min_answered: u32, ask: impl Fn(&str) -> Result<Rows, String>) {
    let (ran, answered) = (Cell::new(0), Cell::new(0));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&texts, |text| {
        let result = ask(&text);
        ran.set(ran.get() + 1);
        answered.set(answered.get() + u32::from(result.is_ok()));
        if let Err(error) = result {
            prop_assert!(!error.is_empty() && !error.contains("without a result"), "{error}");
        }
        Ok(())
    });
    result.unwrap();
    assert!(ran.get() >= cases && answered.get() >= min_answered, "{} ran, {} of them gave rows", ran.get(), answered.get());
    trials::note(&format!("{} of {} texts gave rows", answered.get(), ran.get()));
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
