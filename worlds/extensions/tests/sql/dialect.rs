//! The dialect of the embedded database.

use crate::{Embedded, shown};

/// Expressions, and what both databases give for them.
pub const EXPRESSIONS: [(&str, &str); 67] = [
    ("1", "1"),
    ("'a''b' || 'c'", "'a'bc'"),
    (r"E'a\'b\n'", "'a'b\n'"),
    ("$$a'b$$", "'a'b'"),
    (r"'back\slash'", r"'back\slash'"),
    (r#"'a\''' || '"'"#, r#"'a\'"'"#),
    ("7 / 2", "3"),
    ("7.0 / 2", "3.5"),
    ("true", "true"),
    ("not true", "false"),
    ("1 < 2 and 2 < 3", "true"),
    ("null is null", "true"),
    ("(null::boolean) is not true", "true"),
    ("(1 = 2) is false", "true"),
    ("null::boolean is unknown", "true"),
    ("1 is distinct from null", "true"),
    ("'yes'::boolean", "true"),
    ("cast('f' as boolean)", "false"),
    ("'12'::int + 1", "13"),
    ("'1.5'::float8", "1.5"),
    ("12::text || 'a'", "'12a'"),
    ("round(2.456::numeric, 2)", "2.46"),
    ("2.456::numeric(10,1)", "2.5"),
    ("'abc' like 'a%'", "true"),
    ("'ABC' like 'a%'", "false"),
    ("'ABC' ilike 'a_c'", "true"),
    (r"'a%c' like 'a\%c'", "true"),
    (r"'abc' like 'a\%c'", "false"),
    ("'a%c' like 'a!%c' escape '!'", "true"),
    ("2 between 1 and 3", "true"),
    ("2 in (1, 2)", "true"),
    ("2 = any(array[1, 2])", "true"),
    ("exists (select 1)", "true"),
    ("case when 1 = 1 then 'a' else 'b' end", "'a'"),
    ("coalesce(null, 'x')", "'x'"),
    ("nullif(1, 1)", "NULL"),
    ("length('häß')", "3"),
    ("char_length('abc')", "3"),
    ("substring('abcdef' from 2 for 3)", "'bcd'"),
    ("substr('abcdef', 3)", "'cdef'"),
    ("left('abcdef', 2) || right('abcdef', 2)", "'abef'"),
    ("position('c' in 'abc')", "3"),
    ("strpos('abc', 'b')", "2"),
    ("trim(both 'x' from 'xax') || trim('  b ')", "'ab'"),
    ("ltrim('xxa', 'x')", "'a'"),
    ("starts_with('abc', 'ab')", "true"),
    ("replace(upper('abc'), 'B', 'x')", "'AxC'"),
    ("ceil(1.2::float8)", "2.0"),
    ("floor(-1.2::float8) + sqrt(4::float8) + power(2::float8, 3)", "8.0"),
    ("greatest(1, null, 3) - least(2, null, 1)", "2"),
    ("greatest('a', 'b') || least('a', 'b')", "'ba'"),
    ("now() > now() - interval '1 hour'", "true"),
    ("now() - interval '1 day' + interval '24 hours' = now()", "true"),
    ("now() + interval '1 day 2 hours' > now() + interval '25 hours'", "true"),
    ("now() - interval '1 hour' * 2 < now() - interval '119 minutes'", "true"),
    ("timestamp '2026-01-31 10:00:00' + interval '1 month' = timestamp '2026-02-28 10:00:00'", "true"),
    ("now() - (now() - interval '1 hour') < interval '61 minutes'", "true"),
    ("extract(epoch from timestamp '2026-11-30 18:15:48')::bigint", "1796062548"),
    ("extract(epoch from (timestamp '2026-11-30 01:00:00' - timestamp '2026-11-30 00:00:00'))::int", "3600"),
    ("extract(year from timestamp '2026-11-30 18:15:48')::int", "2026"),
    ("date_part('hour', timestamp '2026-11-30 18:15:48')::int", "18"),
    ("extract(quarter from timestamp '2026-11-30 18:15:48')::int", "4"),
    ("date_trunc('hour', timestamp '2026-11-30 18:15:48') = timestamp '2026-11-30 18:00:00'", "true"),
    ("date_trunc('week', timestamp '2026-11-29 18:15:48') = timestamp '2026-11-23 00:00:00'", "true"),
    ("date '2026-11-30' - 7 = date '2026-11-23'", "true"),
    ("current_date <= now()", "true"),
    ("'{\"a\": {\"b\": [1, \"x\"]}}'::json -> 'a' -> 'b' ->> 1", "'x'"),
];

/// Queries over the events of [`events`](crate::events), and what both databases give for them.
pub const QUERIES: [(&str, &str); 16] = [
    ("select count(*), min(score), max(score), sum(score), avg(score)::float8 from waf_request_tsdb", "4 5 5 20 5.0"),
    (
        "select string_agg(remote_addr, ',' order by remote_addr) from waf_request_tsdb where score >= threshold and action = 'block'",
        "'192.0.2.1,192.0.2.1,192.0.2.3'",
    ),
    ("select remote_addr, count(*) as n from waf_request_tsdb group by remote_addr having count(*) > 1 order by n desc", "'192.0.2.1' 2"),
    ("select count(*) filter (where action = 'log') from waf_request_tsdb", "1"),
    ("select distinct action from waf_request_tsdb order by 1", "'block' | 'log'"),
    ("with hot as (select remote_addr from waf_request_tsdb where action = 'block') select count(distinct remote_addr) from hot", "2"),
    ("select action from waf_request_tsdb union select 'other' order by action limit 2 offset 1", "'log' | 'other'"),
    ("select remote_addr from waf_request_tsdb order by remote_addr offset 2", "'192.0.2.2' | '192.0.2.3'"),
    ("select remote_addr from waf_request_tsdb order by created desc fetch first 1 rows only", "'192.0.2.1'"),
    ("select x from (values (1), (null), (3)) v(x) order by x desc", "NULL | 3 | 1"),
    ("select distinct a.node_id from monitor a left join monitor b on a.node_id = b.node_id + 1 where b.node_id is null order by 1", "7"),
    ("select bool_or(score > 4), bool_and(score > 5) from waf_request_tsdb", "true false"),
    (
        "select array_agg(remote_addr order by remote_addr) from waf_request_tsdb where action = 'block'",
        "['192.0.2.1','192.0.2.1','192.0.2.3']",
    ),
    ("select json_build_object('n', count(*)) from waf_request_tsdb", "{n:4}"),
    (
        "select count(*) from waf_request_tsdb where created > '2026-01-01T00:00:00Z' and created between '2000-01-01' and '2999-12-31 00:00:00+00'",
        "4",
    ),
    ("select row_number() over (order by node_id), \"system_CPU_percent\" from public.monitor where node_id = 7 limit 1", "1 50.0"),
];

pub fn expressions_of_postgresql_give_what_they_give_there() {
    let embedded = Embedded::filled();
    for (expression, expected) in EXPRESSIONS {
        let rows = embedded.ask(&format!("SELECT {expression}"));
        assert_eq!(rows.as_ref().map(shown).as_deref(), Ok(expected), "{expression}");
    }
    for (query, expected) in QUERIES.into_iter().filter(|(query, _)| !query.contains("v(x)")) {
        let rows = embedded.ask(query);
        assert_eq!(rows.as_ref().map(shown).as_deref(), Ok(expected), "{query}");
    }
}

pub const NAMES: [(&str, &str); 19] = [
    ("avg(\"system_CPU_percent\")", "avg"),
    ("Node_ID", "node_id"),
    ("\"system_CPU_percent\"", "system_CPU_percent"),
    ("node_id AS Node", "node"),
    ("node_id AS \"Node\"", "Node"),
    ("node_id \"domain\"", "domain"),
    ("monitor.node_id", "node_id"),
    ("node_id::text", "node_id"),
    ("1::int", "int4"),
    ("'a'::text", "text"),
    ("1", "?column?"),
    ("1 + 1", "?column?"),
    ("NOW()", "now"),
    ("coalesce(node_id, 1)", "coalesce"),
    ("case when true then 1 end", "case"),
    ("case when true then 1 else node_id end", "node_id"),
    ("exists (select 1)", "exists"),
    ("(select created from monitor limit 1)", "created"),
    ("extract(year from created)", "extract"),
];

pub fn columns_have_the_names_that_postgresql_gives_them() {
    let embedded = Embedded::filled();
    for (expression, name) in NAMES {
        let group = if expression.starts_with("avg") { "" } else { "group by node_id, created, \"system_CPU_percent\"" };
        let rows =
            embedded.ask(&format!("select {expression} from Monitor {group}")).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(rows.columns, [name], "{expression}");
    }
    let all = embedded.ask("select * from monitor").unwrap();
    assert_eq!(all.columns, ["created", "node_id", "system_CPU_percent", "system_memory_percent", "requests", "blocked"]);
}

pub fn what_sqlite_does_not_have_is_named() {
    let embedded = Embedded::filled();
    for (sql, named) in [
        ("select generate_series(1, 2)", "generate_series"),
        ("select * from generate_series(1, 2)", "generate_series"),
        ("select to_char(now(), 'YYYY')", "to_char"),
        ("select 1 from monitor, lateral (select 1) x", "LATERAL"),
        ("select distinct on (node_id) node_id from monitor", "DISTINCT ON"),
        ("select 'a' ~ 'b'", "the operator ~"),
        ("select 'a' similar to 'b'", "SIMILAR TO"),
        ("select array[1, 2]", "arrays"),
        ("select interval '1 hour'", "intervals"),
        ("select now() - created from monitor", "extract(epoch from a - b)"),
        ("select now() - interval '1 fortnight'", "fortnight"),
        ("select now() - 5", "interval '1 hour'"),
        ("select date_trunc('century', now())", "'century'"),
        ("select extract(century from now())", "CENTURY"),
        ("select now() at time zone 'Asia/Shanghai'", "time zones"),
        ("select 'a'::tsvector", "TSVECTOR"),
        ("select '1.2.3.4'::macaddr", "macaddr"),
        ("select created from monitor where created > 'yesterday'", "'yesterday'"),
        ("select node_id from monitor group by rollup (node_id)", "ROLLUP"),
        ("select x'1f'", "bits"),
        ("select 1 from monitor tablesample system (10)", "TABLESAMPLE"),
        ("select unnest(array[1])", "arrays"),
        ("select 1 as \"a\"\"b\"", "quotation marks"),
        ("select relname from pg_catalog.pg_class", "pg_catalog"),
        ("select percentile_cont(0.5) within group (order by node_id) from monitor", "WITHIN GROUP"),
    ] {
        let error = embedded.ask(sql).expect_err(sql);
        assert!(error.contains(named) && error.contains("SecExtensionDatabase"), "{sql}: {error}");
    }
}

pub fn a_column_that_is_not_there_is_named() {
    let embedded = Embedded::filled();
    for (sql, named) in [
        ("select nothing from monitor", "nothing"),
        ("select \"System_CPU_percent_\" from monitor", "System_CPU_percent_"),
        ("select 1 from no_table", "no_table"),
        ("select 1 from monitor where", "the SQL cannot be read"),
    ] {
        let error = embedded.ask(sql).expect_err(sql);
        assert!(error.contains(named), "{sql}: {error}");
    }
}

pub fn an_index_finds_the_rows_of_the_last_hour() {
    let embedded = Embedded::filled();
    let connection = rusqlite::Connection::open(embedded.path()).unwrap();
    connection
        .execute_batch(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000)
             insert into monitor select '2020-01-01 00:00:00.000', i, 1, 1, 1, 1 from n",
        )
        .unwrap();
    let time = |sql: &str| {
        let start = std::time::Instant::now();
        assert_eq!(shown(&embedded.ask(sql).unwrap()), "7 50.0");
        start.elapsed()
    };
    let all = time(
        "select node_id, avg(\"system_CPU_percent\") from monitor where created || '' > now() - interval '1 hour' group by node_id limit 1",
    );
    let found = time(crate::MONITOR);
    assert!(found * 2 < all, "{found:?} with the index, {all:?} without");
}
