//! Queries that are refused.

use crate::{Embedded, ask, databases, server};

/// Statements, and what the error names.
const REFUSED: [(&str, &str); 49] = [
    ("", "no statement"),
    (" ; ", "no statement"),
    ("-- select 1", "no statement"),
    ("select 1; select 2", "2 statements"),
    ("select 1; drop table monitor", "2 statements"),
    ("delete from monitor", "DELETE is not run"),
    ("insert into monitor values (1)", "INSERT is not run"),
    ("update monitor set node_id = 1", "UPDATE is not run"),
    ("create table x (a int)", "CREATE is not run"),
    ("drop table monitor", "DROP is not run"),
    ("truncate monitor", "TRUNCATE is not run"),
    ("copy monitor to '/tmp/x'", "COPY is not run"),
    ("set statement_timeout = 0", "SET is not run"),
    ("begin", "is not run"),
    ("vacuum", "VACUUM is not run"),
    ("explain analyze delete from monitor", "EXPLAIN is not run"),
    ("call f()", "CALL is not run"),
    ("lock table monitor", "is not run"),
    ("attach database '/tmp/x' as x", "ATTACH is not run"),
    ("pragma user_version = 5", "PRAGMA is not run"),
    ("with x as (delete from monitor returning *) select * from x", "DELETE is not run"),
    ("with x as (insert into monitor values (1) returning *) select * from x", "INSERT is not run"),
    ("with x as (update monitor set node_id = 1 returning *) select * from x", "UPDATE is not run"),
    ("with x as (select 1) delete from monitor", "DELETE is not run"),
    ("select (with x as (delete from monitor returning *) select count(*) from x)", "DELETE is not run"),
    ("select * from (with x as (delete from monitor returning *) select * from x) y", "DELETE is not run"),
    ("select 1 where exists (with x as (delete from monitor returning *) select * from x)", "DELETE is not run"),
    ("select * into x from monitor", "SELECT INTO"),
    ("select * from (select * into x from monitor) y", "SELECT INTO"),
    ("select 1 union select * into x from monitor", "SELECT INTO"),
    ("select * from monitor for update", "FOR UPDATE locks rows"),
    ("select * from monitor for share", "FOR SHARE locks rows"),
    ("select * from (select * from monitor for update) x", "locks rows"),
    ("select pg_sleep(5)", "pg_sleep is not called"),
    ("select PG_SLEEP (5)", "PG_SLEEP is not called"),
    ("select pg_sleep/* */(5)", "pg_sleep is not called"),
    ("select pg_catalog.pg_sleep_for('1 s')", "pg_sleep_for is not called"),
    ("select \"pg_read_file\"('/etc/passwd')", "pg_read_file is not called"),
    ("select * from pg_ls_dir('.')", "pg_ls_dir is not called"),
    ("select 1 from monitor where lo_import('/etc/passwd') > 0", "lo_import is not called"),
    ("select case when 1 = 1 then pg_terminate_backend(1) end", "pg_terminate_backend is not called"),
    ("select set_config('a.b', '1', false)", "set_config is not called"),
    ("select nextval('x')", "nextval is not called"),
    ("select * from dblink('host=x', 'select 1') as t(a int)", "dblink is not called"),
    ("select pg_advisory_lock(1)", "pg_advisory_lock is not called"),
    ("select query_to_xml('delete from monitor', true, true, '')", "query_to_xml is not called"),
    ("select 1 order by (select setval('x', 1))", "setval is not called"),
    ("select $1", "the parameter $1"),
    ("select 'a\0b'", "zero byte"),
];

pub fn what_does_more_than_read_is_refused() {
    let embedded = Embedded::filled();
    for (sql, named) in REFUSED {
        let error = embedded.ask(sql).expect_err(sql);
        assert!(error.contains(named), "{sql}: {error}");
    }
    // What only looks like it is not.
    for sql in ["select 'delete; drop pg_sleep(5)'", "select 1 /* delete */ -- drop", "select 1;", "select node_id as nextval from monitor"]
    {
        embedded.ask(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    // Functions of SQLite that do more than compute, and tables that are settings.
    for sql in ["select load_extension('x')", "select * from pragma_user_version", "select fts3_tokenizer('x')"] {
        let error = embedded.ask(sql).expect_err(sql);
        assert!(error.contains("not authorized") || error.contains("no such") || error.contains("not permitted"), "{sql}: {error}");
    }
}

pub fn an_unknown_destination_is_an_error_that_names_those_there_are() {
    let embedded = Embedded::filled();
    let error = ask(&embedded.databases, "nowhere", "select 1").unwrap_err();
    assert!(error.contains("\"nowhere\"") && error.contains("admin, log_server"), "{error}");
}

pub fn both_spellings_of_the_log_server_mean_the_same() {
    let embedded = Embedded::filled();
    for name in ["log_server", "log-server", "admin"] {
        assert!(ask(&embedded.databases, name, "select 1").is_ok(), "{name}");
    }
    let mut databases = secrule_extensions::sql::Databases::new("/nowhere/a.db");
    let address = format!("embedded:{}", embedded.path().display());
    databases.add("log-server", secrule_extensions::sql::Address::parse(&address).unwrap()).unwrap();
    assert!(ask(&databases, "log_server", "select 1").is_ok());
    assert!(ask(&databases, "admin", "select 1").unwrap_err().contains("no database at /nowhere/a.db"));
}

pub fn postgresql_does_not_write() {
    let server = server::shared();
    server.sql(
        "create table kept (a int); insert into kept values (1);
                create function sneaky() returns int language sql as 'delete from kept returning a';
                create sequence numbers;
                create function next_number() returns bigint language sql as $$select nextval('numbers')$$;",
    );
    let databases = databases(&server.address("postgres"));
    for (sql, named) in REFUSED {
        let error = ask(&databases, "logs", sql).expect_err(sql);
        assert!(error.contains(named), "{sql}: {error}");
    }
    // A function of the database's own is not seen by the parser: there the transaction is the wall.
    for sql in ["select sneaky()", "select next_number()", "with x as (select sneaky()) select * from x"] {
        let error = ask(&databases, "logs", sql).expect_err(sql);
        assert!(error.contains("read-only transaction"), "{sql}: {error}");
    }
    assert_eq!(crate::shown(&ask(&databases, "logs", "select count(*) from kept").unwrap()), "1");
}

pub fn names_with_escapes_call_no_refused_function() {
    let databases = databases(&server::shared().address("postgres"));
    let error = ask(&databases, "logs", r#"select U&"pg_sl\0065ep"(10)"#).unwrap_err();
    assert!(error.contains("escapes"), "{error}");
    // Comments end where PostgreSQL ends them.
    let error = ask(&databases, "logs", "select 1 --\r, pg_sleep(10)").unwrap_err();
    assert!(error.contains("pg_sleep"), "{error}");
    assert_eq!(crate::shown(&ask(&databases, "logs", "select 1 /* /* */ , pg_sleep(10) */").unwrap()), "1");
}
