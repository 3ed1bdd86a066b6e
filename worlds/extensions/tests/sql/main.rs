//! Queries of extensions on both kinds of databases: what they give, what they cannot do, and what happens when a database fails.

mod dialect;
mod failures;
mod limits;
mod login;
mod random;
mod recorder;
mod refused;
mod same;
mod server;

use secrule_extensions::sql::{Address, Databases, Query, Recorder, Retention, Rows, Value, WafEvent};
use secrule_testkit::trials::{self, Needs, trial};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The query of the published example that asks for busy nodes.
pub const MONITOR: &str = r#"
select node_id, avg("system_CPU_percent") from monitor where created > now() - INTERVAL '1 hour' group by node_id limit 1
"#;
/// That of the example that fills a list of addresses, with the application that it puts in.
pub const BLOCKED: &str = "
SELECT DISTINCT remote_addr as ip
FROM waf_request_tsdb
WHERE action='block'
        AND score >= threshold
        AND created >= now() - interval '24 hours'
        AND app_id='1'
";

const POSTGRES: Needs = Needs::File("bin/postgres", server::FOLDERS);
const OPENSSL: Needs = Needs::Program("openssl");

/// Makes tests out of functions, which all need the same.
macro_rules! all {
    ($needs:expr, [$($room:ident::$test:ident),* $(,)?]) => {
        vec![$(trial(stringify!($test), $needs, $room::$test)),*]
    };
}

fn main() -> ExitCode {
    let embedded = all!(
        &[],
        [
            dialect::expressions_of_postgresql_give_what_they_give_there,
            dialect::columns_have_the_names_that_postgresql_gives_them,
            dialect::what_sqlite_does_not_have_is_named,
            dialect::a_column_that_is_not_there_is_named,
            dialect::an_index_finds_the_rows_of_the_last_hour,
            failures::a_database_that_is_not_there_or_damaged_is_an_error_with_a_remedy,
            failures::a_locked_database_is_an_error_in_time,
            failures::a_pipe_in_place_of_a_database_is_an_error,
            failures::a_server_that_answers_nonsense_is_an_error,
            limits::a_heavy_query_of_the_embedded_database_ends_in_time,
            limits::functions_that_look_at_no_clock_do_not_hold_the_caller,
            limits::rows_beyond_the_limit_are_left_out,
            limits::a_result_has_16_mib_at_most,
            limits::a_deep_or_long_statement_is_refused,
            limits::so_many_queries_run_at_once,
            random::no_text_changes_the_database_or_ends_in_a_panic,
            random::no_query_changes_the_database_or_ends_in_a_panic,
            random::no_text_made_of_sql_changes_the_database_or_ends_in_a_panic,
            recorder::events_and_minutes_are_rows,
            recorder::the_file_is_for_its_owner_alone,
            recorder::old_rows_go_and_the_file_does_not_grow,
            recorder::a_database_that_cannot_be_written_keeps_events_until_it_can,
            recorder::a_damaged_file_is_an_error_with_a_remedy,
            recorder::a_newer_version_is_an_error,
            refused::what_does_more_than_read_is_refused,
            refused::an_unknown_destination_is_an_error_that_names_those_there_are,
            refused::both_spellings_of_the_log_server_mean_the_same,
        ]
    );
    let postgres = all!(
        &[POSTGRES],
        [
            failures::an_idle_connection_that_was_closed_is_replaced,
            failures::a_connection_that_ends_within_a_query_is_tried_again,
            failures::a_server_that_is_stopped_within_a_query_is_an_error_in_time,
            failures::a_server_that_is_killed_within_a_query_is_an_error_in_time,
            failures::an_error_of_the_database_is_reported_and_the_connection_used_again,
            limits::a_heavy_query_of_postgresql_ends_in_time,
            limits::postgresql_makes_no_rows_beyond_the_limit,
            limits::a_result_of_postgresql_has_16_mib_at_most,
            login::logins_work_and_show_no_password,
            login::a_socket_of_the_machine_works,
            refused::postgresql_does_not_write,
            refused::names_with_escapes_call_no_refused_function,
            random::no_text_changes_postgresql,
            same::published_queries_give_the_same_on_both,
            same::expressions_give_the_same_on_both,
            same::the_queries_of_the_certificate_example_run,
            same::values_of_postgresql_are_trees,
        ]
    );
    let secure = all!(&[POSTGRES, OPENSSL], [login::the_certificate_of_a_server_is_checked]);
    let code = trials::run(embedded.into_iter().chain(postgres).chain(secure));
    server::end();
    // Alone: the limit is that of the process.
    let alone = trials::run(all!(&[], [limits::the_memory_of_a_query_is_limited]));
    if code == ExitCode::SUCCESS { alone } else { code }
}

/// Runs a query with the default limits.
pub fn ask(databases: &Databases, destination: &str, sql: &str) -> Result<Rows, String> {
    databases.query(destination, &Query { time: Duration::from_secs(20), ..Query::new(sql) })
}

/// An embedded database with some rows, and what queries it.
pub struct Embedded {
    pub folder: TempDir,
    pub databases: Databases,
}

impl Embedded {
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("secrule.db")
    }

    pub fn filled() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrule.db");
        let mut recorder = Recorder::open(&path, Retention::default()).unwrap();
        for event in events() {
            recorder.record_event(event).unwrap();
        }
        for minute in recorder::minutes() {
            recorder.record_minute(minute).unwrap();
        }
        recorder.flush().unwrap();
        Self { folder, databases: Databases::new(path) }
    }

    pub fn ask(&self, sql: &str) -> Result<Rows, String> {
        ask(&self.databases, "log_server", sql)
    }

    /// Returns the first value of a result.
    pub fn value(&self, sql: &str) -> Value {
        self.ask(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).rows.into_iter().next().unwrap().into_iter().next().unwrap()
    }
}

/// Names a database `logs`.
pub fn databases(address: &str) -> Databases {
    let mut databases = Databases::new("/nowhere/secrule.db");
    databases.add("logs", Address::parse(address).unwrap()).unwrap();
    databases
}

/// Four events: two that count for [`BLOCKED`], one that was not blocked, and one that is too old.
pub fn events() -> Vec<WafEvent> {
    use secrule_extensions::sql::Action::{Block, Log};
    let event = |hours: u64, remote_addr: &str, action, app_id| WafEvent {
        created: SystemTime::now() - Duration::from_secs(hours * 3600),
        app_id,
        remote_addr: remote_addr.to_owned(),
        host: b"example.com".to_vec(),
        action,
        score: 5,
        threshold: 5,
        ..WafEvent::default()
    };
    vec![event(1, "192.0.2.1", Block, 1), event(2, "192.0.2.1", Block, 1), event(3, "192.0.2.2", Log, 1), event(30, "192.0.2.3", Block, 1)]
}

/// Shows rows as one text: values with blanks between, rows with bars.
pub fn shown(rows: &Rows) -> String {
    rows.rows.iter().map(|row| row.iter().map(show).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join(" | ")
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => format!("{value:?}"),
        Value::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        Value::List(values) => format!("[{}]", values.iter().map(show).collect::<Vec<_>>().join(",")),
        Value::Map(members) => {
            format!("{{{}}}", members.iter().map(|(name, value)| format!("{name}:{}", show(value))).collect::<Vec<_>>().join(","))
        }
        other => panic!("{other:?}"),
    }
}
