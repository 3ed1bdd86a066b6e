//! Queries of extensions: takes the text of a SELECT and the name of a database, and gives rows.
//!
//! ```text
//! text ── statement::parse ──> a query that only reads ──> embedded: rewritten for SQLite ──> Rows
//!                                                     └──> PostgreSQL: as it was written ───┘
//! ```
//!
//! A database is a file of this machine, which the [`Recorder`] fills with WAF events and with a row a minute, or a PostgreSQL of the operator's.
//! The destinations `admin` and `log_server` (also `log-server`) are always there: both are the embedded database until `SecExtensionDatabase` names
//! another.
//!
//! # What a query cannot do
//!
//! * Change anything: it is parsed and must be one SELECT, it runs in a read-only transaction or on a file that is opened for reading, and SQLite asks
//!   for permission before each step. On PostgreSQL the rights of the user are the wall that counts: name one that may only read.
//! * Take longer than its time: the caller gets an error then, whatever the database does.
//! * Take more memory than its limits: rows, 16 MiB of values, 64 KiB of text, and 256 MiB for all of SQLite.
//!
//! # The embedded dialect
//!
//! Queries are written for PostgreSQL. Times of the embedded database are texts in UTC, `2026-11-30 18:15:48.123`, so that comparing them is comparing
//! texts. `now()` and related functions, intervals, casts, `extract`, `date_trunc`, `ilike`, `string_agg` and the names of columns are rewritten; what SQLite does
//! not have is an error that names it.

mod address;
mod embedded;
#[cfg(feature = "postgres")]
mod postgres;
mod recorder;
mod refused;
mod statement;
mod system;
mod tables;
mod value;
mod waiting;

pub use address::{Address, AddressError, Server};
pub use recorder::{Recorder, Retention};
pub use system::System;
pub use tables::{Action, Minute, WafEvent};
pub use value::{Rows, Value};
pub(crate) use waiting::Waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Stack of the thread that reads a statement: its tree may be as deep as it has names and operators.
const STACK: usize = 32 << 20;
/// Limit of queries at once, with those that were given up and are not done yet.
const MAX_RUNNING: usize = 16;
/// Limit of the time of a query.
const MAX_TIME: Duration = Duration::from_secs(3600);

/// A query. [`Query::new`] gives the limits that `sql_query` has by default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// One SELECT, in the dialect of PostgreSQL.
    pub sql: String,
    /// Limit of the whole call, an hour at most: waiting for a connection, all tries and reading the result.
    pub time: Duration,
    /// Limit of rows. Rows beyond it are left out.
    pub limit: usize,
    /// Number of further tries after a failure of the connection. An error of the database is not tried again.
    pub retries: u32,
}

impl Query {
    /// Makes a query with 120 seconds, 20000 rows and one more try.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), time: Duration::from_secs(120), limit: 20_000, retries: 1 }
    }
}

/// Databases by the names that scripts use.
#[derive(Debug)]
pub struct Databases {
    by_name: BTreeMap<String, Arc<Database>>,
    running: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Database {
    Embedded(PathBuf),
    #[cfg(feature = "postgres")]
    Postgres(postgres::Pool),
}

impl Databases {
    /// Makes `admin` and `log_server`, both of which are the embedded database at a path. Nothing is opened.
    pub fn new(embedded: impl Into<PathBuf>) -> Self {
        let database = Arc::new(Database::Embedded(embedded.into()));
        let by_name = ["admin", "log_server"].map(|name| (name.to_owned(), Arc::clone(&database)));
        Self { by_name: by_name.into(), running: Arc::default() }
    }

    /// Makes no database: each query says that there is none.
    pub fn none() -> Self {
        Self { by_name: BTreeMap::new(), running: Arc::default() }
    }

    /// Names a database, in place of one that had the name: `SecExtensionDatabase NAME ADDRESS`. Nothing is opened.
    ///
    /// # Errors
    ///
    /// The address is of a PostgreSQL, and the feature `postgres` is not built in.
    pub fn add(&mut self, name: &str, address: Address) -> Result<(), String> {
        let database = match address {
            Address::Embedded(path) => Database::Embedded(path),
            #[cfg(feature = "postgres")]
            Address::Postgres(server) => Database::Postgres(postgres::Pool::new(server)),
            #[cfg(not(feature = "postgres"))]
            Address::Postgres(_) => {
                return Err("PostgreSQL is not built in; build with the feature `postgres`, or use embedded:PATH".to_owned());
            }
        };
        self.by_name.insert(canonical(name), Arc::new(database));
        Ok(())
    }

    /// Runs a query and returns its rows, or a text that says why there are none. Returns by [`Query::time`].
    ///
    /// # Errors
    ///
    /// The destination is not known, the statement is not a SELECT, the time is over, or the database failed or refused.
    pub fn query(&self, destination: &str, query: &Query) -> Result<Rows, String> {
        let database = self.by_name.get(&canonical(destination)).ok_or_else(|| {
            if self.by_name.is_empty() {
                return "there is no database; name one with SecExtensionDatabase, or a folder for it with SecDataDir".to_owned();
            }
            let names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
            format!("the destination {destination:?} is not known; use {}, or name it with SecExtensionDatabase", names.join(", "))
        })?;
        let start = Instant::now();
        let time = query.time.min(MAX_TIME);
        let permit = Permit::take(&self.running)?;
        let (database, query) = (Arc::clone(database), query.clone());
        // A thread of its own: the caller goes on in time even if a look-up of names, a file system or a function of the database does not end.
        let (send, receive) = sync_channel(1);
        let work = move || {
            let result = database.run(&query, Deadline { start, time });
            drop(permit);
            let _ = send.send(result);
        };
        Builder::new()
            .name("sql".to_owned())
            .stack_size(STACK)
            .spawn(work)
            .map_err(|error| format!("no thread for the query: {error}; try again"))?;
        let deadline = Deadline { start, time };
        match receive.recv_timeout(deadline.left()) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(deadline.error()),
            Err(RecvTimeoutError::Disconnected) => {
                Err("the query ended without a result; report the statement as a fault of secrule".to_owned())
            }
        }
    }
}

impl Database {
    fn run(&self, query: &Query, deadline: Deadline) -> Result<Rows, String> {
        let tree = statement::parse(&query.sql)?;
        match self {
            Self::Embedded(path) => embedded::run(path, tree, query.limit, deadline),
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => pool.run(&query.sql, query.limit, query.retries, deadline),
        }
    }
}

/// The time of a call.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    start: Instant,
    time: Duration,
}

impl Deadline {
    fn left(self) -> Duration {
        self.time.saturating_sub(self.start.elapsed())
    }

    fn is_over(self) -> bool {
        self.left().is_zero()
    }

    fn error(self) -> String {
        format!("the query took longer than its {} s; select less, or give it more time", self.time.as_secs_f64())
    }
}

/// A place among the queries that run at once.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(running: &Arc<AtomicUsize>) -> Result<Self, String> {
        let permit = Self(Arc::clone(running));
        if running.fetch_add(1, Ordering::Relaxed) < MAX_RUNNING {
            return Ok(permit);
        }
        Err(format!("{MAX_RUNNING} queries are running already; try again later"))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the name with `_` for `-`: the published text has `log-server` in its prose and `log_server` in its examples.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}
