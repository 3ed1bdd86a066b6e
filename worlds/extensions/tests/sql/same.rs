//! Both kinds of databases give the same.

use crate::dialect::{EXPRESSIONS, NAMES, QUERIES};
use crate::server::{self, Server};
use crate::{BLOCKED, Embedded, MONITOR, ask, databases, shown};
use std::sync::Arc;

const TABLES: &str = r#"
create table if not exists waf_request_tsdb (created timestamptz not null, app_id bigint, remote_addr text, host text, action text, score int, threshold int);
create table if not exists monitor (created timestamptz not null, node_id int, "system_CPU_percent" float8, "system_memory_percent" float8, requests bigint,
    blocked bigint);
truncate waf_request_tsdb; truncate monitor;
insert into waf_request_tsdb select now() - hours * interval '1 hour', 1, addr, 'example.com', action, 5, 5
    from (values (1, '192.0.2.1', 'block'), (2, '192.0.2.1', 'block'), (3, '192.0.2.2', 'log'), (30, '192.0.2.3', 'block')) e(hours, addr, action);
insert into monitor select now() - minutes * interval '1 minute', node, percent, null, 10, 1 from (values (1, 7, 50), (2, 7, 50), (120, 8, 1)) m(minutes, node, percent);
"#;

/// A server with the rows that the embedded database has.
fn server() -> Arc<Server> {
    static ONCE: std::sync::Once = std::sync::Once::new();
    let server = server::shared();
    ONCE.call_once(|| drop(server.sql(TABLES)));
    server
}

pub fn published_queries_give_the_same_on_both() {
    let embedded = Embedded::filled();
    let databases = databases(&server().address("postgres"));
    for (sql, columns, rows) in [(MONITOR, &["node_id", "avg"][..], "7 50.0"), (BLOCKED, &["ip"], "'192.0.2.1'")] {
        for result in [embedded.ask(sql), ask(&databases, "logs", sql)] {
            let result = result.unwrap_or_else(|error| panic!("{sql}: {error}"));
            assert_eq!((result.columns, result.rows.len()), (columns.iter().map(|&name| name.to_owned()).collect(), 1));
        }
        assert_eq!(shown(&embedded.ask(sql).unwrap()), rows);
        assert_eq!(shown(&ask(&databases, "logs", sql).unwrap()), rows);
    }
}

pub fn expressions_give_the_same_on_both() {
    let databases = databases(&server().address("postgres"));
    let expressions = EXPRESSIONS.into_iter().map(|(expression, expected)| (format!("select {expression}"), expected));
    for (sql, expected) in expressions.chain(QUERIES.into_iter().map(|(sql, expected)| (sql.to_owned(), expected))) {
        let rows = ask(&databases, "logs", &sql);
        assert_eq!(rows.as_ref().map(shown).as_deref(), Ok(expected), "{sql}");
    }
    for (expression, name) in NAMES {
        let group = if expression.starts_with("avg") { "" } else { "group by node_id, created, \"system_CPU_percent\"" };
        let rows = ask(&databases, "logs", &format!("select {expression} from Monitor {group}"))
            .unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(rows.columns, [name], "{expression}");
    }
}

pub fn values_of_postgresql_are_trees() {
    let databases = databases(&server().address("postgres"));
    for (expression, expected) in [
        ("null", "NULL"),
        ("array[443, 8443]", "[443,8443]"),
        ("array['a,b', null, 'c\"d']", "['a,b',NULL,'c\"d']"),
        ("array[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        ("'{}'::int[]", "[]"),
        ("array[true]", "[true]"),
        ("array[1.5, 2]::numeric[]", "[1.5,2]"),
        ("array['{\"a\": [1]}'::jsonb]", "[{a:[1]}]"),
        ("'{\"a\": {\"b\": null}}'::json", "{a:{b:NULL}}"),
        ("'[1, 2.5, \"x\"]'::jsonb", "[1,2.5,'x']"),
        ("avg(x) from (values (1), (2), (2)) v(x)", "1.6666666666666667"),
        ("sum(x) from (values (1), (2)) v(x)", "3"),
        ("12345678901234567890123::numeric", "'12345678901234567890123'"),
        ("9223372036854775807", "9223372036854775807"),
        ("timestamptz '2026-11-30 18:15:48.5+00'", "'2026-11-30 18:15:48.5+00'"),
        ("interval '1 day 2 hours'", "'1 day 02:00:00'"),
        ("'192.0.2.1'::inet", "'192.0.2.1'"),
        ("row(1, 'a')", "'(1,a)'"),
        ("'infinity'::float8", "inf"),
        ("int4range(1, 5)", "'[1,5)'"),
        ("array['b', 'a']::mood[]", "['b','a']"),
        ("''", "''"),
    ] {
        server().sql("do $$ begin create type mood as enum ('a', 'b'); exception when duplicate_object then null; end $$");
        let rows = ask(&databases, "logs", &format!("select {expression}"));
        assert_eq!(rows.as_ref().map(shown).as_deref(), Ok(expected), "{expression}");
    }
    let rows = ask(&databases, "logs", "select 1 as a, null as b where false").unwrap();
    assert_eq!((rows.columns, rows.rows.len()), (vec!["a".to_owned(), "b".to_owned()], 0));
}

/// The three queries of the published example that checks certificates. The text that is public lost the names around its `.id`; they are put back.
pub fn the_queries_of_the_certificate_example_run() {
    let server = server();
    server.sql(
        "create schema vendor; set search_path = vendor;
         create table applications (id int, _partitions_id int, offline_enabled bool, https_ports int[]);
         create table applications_domains (_applications_id int, domain text, is_wildcard bool);
         create table applications_phases_ssl_cert_certs (id int, _applications_id int, global_cert int);
         create table applications_phases_ssl_cert_certs_acme_host (_applications_phases_ssl_cert_certs_id int, item text);
         create table global_certs (id int, acme_host text);
         create table applications_partitions (_applications_id int, item int);
         create table gateway (id int, partition int);
         create table gateway_nodes (_gateway_id int, external_ip text, external_ipv6 text, offline_enabled bool);
         insert into applications values (7, 1, null, '{443,8443}');
         insert into applications_domains values (7, '*.example.com', true);
         insert into applications_phases_ssl_cert_certs values (1, 7, null), (2, 7, 3);
         insert into applications_phases_ssl_cert_certs_acme_host values (1, 'a.example.com');
         insert into global_certs values (3, 'b.example.com');
         insert into applications_partitions values (7, 5); insert into gateway values (9, 5);
         insert into gateway_nodes values (9, '192.0.2.9', null, null), (9, null, '2001:db8::9', false), (9, '192.0.2.10', null, true);
         alter role reader set search_path = vendor; grant usage on schema vendor to reader; grant select on all tables in schema vendor to reader",
    );
    let databases = databases(&server.address("reader"));
    let domains = r#"
select applications_domains.domain "domain",
    applications_domains.is_wildcard is_wildcard,
    applications.https_ports https_ports
    from applications
left join applications_domains on applications.id = applications_domains._applications_id
where applications.id = 7
"#;
    let rows = ask(&databases, "logs", domains).unwrap();
    assert_eq!(rows.columns, ["domain", "is_wildcard", "https_ports"]);
    assert_eq!(shown(&rows), "'*.example.com' true [443,8443]");
    let certificates = "
select applications_phases_ssl_cert_certs_acme_host.item acme_host
    from applications_phases_ssl_cert_certs
join applications_phases_ssl_cert_certs_acme_host on
    applications_phases_ssl_cert_certs.id = applications_phases_ssl_cert_certs_acme_host._applications_phases_ssl_cert_certs_id
where global_cert is null and applications_phases_ssl_cert_certs._applications_id = 7
union
select global_certs.acme_host acme_host
    from applications_phases_ssl_cert_certs
join global_certs on applications_phases_ssl_cert_certs.global_cert = global_certs.id
where global_cert is not null and applications_phases_ssl_cert_certs._applications_id = 7
order by acme_host";
    assert_eq!(shown(&ask(&databases, "logs", certificates).unwrap()), "'a.example.com' | 'b.example.com'");
    let nodes = "
select gateway_nodes.external_ip external_ip,
    gateway_nodes.external_ipv6 external_ipv6
    from applications
left join applications_partitions on applications.id = applications_partitions._applications_id
left join gateway on applications_partitions.item = gateway.partition
left join gateway_nodes on gateway.id = gateway_nodes._gateway_id
where gateway_nodes.offline_enabled is not true
    and (gateway_nodes.external_ip is not null or gateway_nodes.external_ipv6 is not null)
    and applications.id = 7";
    assert_eq!(shown(&ask(&databases, "logs", nodes).unwrap()), "'192.0.2.9' NULL | NULL '2001:db8::9'");
}
