//! Queries of the embedded database: a file of SQLite that is opened for reading, under limits of time and memory.

mod computed;
mod functions;
mod interval;
mod leftover;
mod names;
mod rewrite;
mod syntax;
mod times;
mod translate;

use super::Deadline;
use super::tables::time_text;
use super::value::{Collector, Rows, Value};
use names::Shape;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, params_from_iter};
use sqlparser::ast::Query;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use translate::{Translation, translate};

/// Limit of a value and of a row, in bytes: functions such as `replace` and `instr` look at no clock.
const MAX_VALUE: i32 = 1 << 20;
/// Limit of a pattern of LIKE, in bytes: matching takes up to the product of its length and the text's.
const MAX_PATTERN: i32 = 256;
/// Limit of the memory that all connections of the process to embedded databases have together, in bytes.
const MAX_MEMORY: i64 = 256 << 20;
/// Number of steps of SQLite's machine between two looks at the clock: some 10 µs.
const STEPS: i32 = 1000;

/// Runs a query on the database at a path.
pub(super) fn run(path: &Path, query: Query, limit: usize, deadline: Deadline) -> Result<Rows, String> {
    // Opening a pipe would wait for its other end.
    if !path.is_file() {
        let path = path.display();
        return Err(format!("there is no database at {path}; it is made by the script host, with the first event or minute"));
    }
    let translation = translate(query, &time_text(SystemTime::now()))?;
    read(path, &translation, limit, deadline).map_err(|error| match error {
        _ if deadline.is_over() => deadline.error(),
        error => explain(path, &error),
    })
}

/// Returns the path as SQLite reads it as a path: `file:…` and `:memory:` mean other things.
pub(super) fn plain(path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { Path::new(".").join(path) }
}

/// Limits the memory of SQLite in this process.
pub(super) fn set_memory_limit(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row(&format!("pragma hard_heap_limit={MAX_MEMORY}"), [], |_| Ok(()))
}

/// Says what is wrong, and what to do.
pub(super) fn explain(path: &Path, error: &Error) -> String {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("{path} is damaged or not a database; move it away, and a new one is made")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{path} is locked by another program; end that program, or try again")
        }
        Some(ErrorCode::DiskFull) => format!("{path} cannot grow: its disk or its limit of size is full; make room"),
        Some(ErrorCode::OutOfMemory) => {
            format!("the queries that run need more than {} MiB of memory; group or select less", MAX_MEMORY >> 20)
        }
        Some(ErrorCode::TooBig) => format!("a value has more than {} MiB; select a part of it", MAX_VALUE >> 20),
        Some(ErrorCode::OperationInterrupted) => "the query was interrupted; try again".to_owned(),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => {
            format!("{path} cannot be read or written: {error}; check its disk, its owner and its rights")
        }
        _ => {
            let problem = match error {
                Error::SqlInputError { msg, .. } | Error::SqliteFailure(_, Some(msg)) => msg.clone(),
                other => other.to_string(),
            };
            format!("the embedded database does not run this: {problem}; rewrite it, or name a PostgreSQL with SecExtensionDatabase")
        }
    }
}

fn read(path: &Path, translation: &Translation, limit: usize, deadline: Deadline) -> rusqlite::Result<Rows> {
    let connection = open(path, deadline)?;
    let mut statement = connection.prepare(&translation.sql)?;
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let shapes: Vec<Shape> = columns.iter().map(|name| translation.shapes.get(name).copied().unwrap_or_default()).collect();
    let mut collector = Collector::new(columns, limit);
    let mut rows = statement.query(params_from_iter(&translation.texts))?;
    while let Some(row) = rows.next()? {
        let values = shapes.iter().enumerate().map(|(place, shape)| row.get_ref(place).map(|value| shape.value(value)));
        if !collector.add(values.collect::<rusqlite::Result<_>>()?) {
            break;
        }
    }
    Ok(collector.into_rows())
}

/// Opens a database for reading, and lets nothing else be done with it.
fn open(path: &Path, deadline: Deadline) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(plain(path), OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(deadline.left())?;
    set_memory_limit(&connection)?;
    // `case_sensitive_like` makes LIKE what it is in PostgreSQL. Sorting within memory keeps the disk from filling up.
    connection.execute_batch("pragma query_only=1; pragma temp_store=memory; pragma cache_size=-8192; pragma case_sensitive_like=1")?;
    for (option, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        // Otherwise a name in quotation marks that is not there would be a text.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(option, value)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, MAX_VALUE),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    computed::add(&connection)?;
    connection.progress_handler(STEPS, Some(move || deadline.is_over()))?;
    connection.authorizer(Some(|context: AuthContext<'_>| allow(&context.action)))?;
    Ok(connection)
}

fn allow(action: &AuthAction<'_>) -> Authorization {
    match action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Read { .. } => Authorization::Allow,
        AuthAction::Function { function_name } if !matches!(*function_name, "load_extension" | "fts3_tokenizer") => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

impl Shape {
    fn value(self, value: ValueRef<'_>) -> Value {
        match (self, value) {
            (_, ValueRef::Null) => Value::Null,
            (Self::Boolean, ValueRef::Integer(number)) => Value::Boolean(number != 0),
            (_, ValueRef::Integer(number)) => Value::Integer(number),
            (_, ValueRef::Real(number)) => Value::Real(number),
            (Self::Json, ValueRef::Text(text)) => Value::from_json(text),
            (_, ValueRef::Text(text) | ValueRef::Blob(text)) => Value::text(text),
        }
    }
}
