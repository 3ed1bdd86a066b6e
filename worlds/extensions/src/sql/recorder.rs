//! The writer of the embedded database.

use super::embedded::{explain, set_memory_limit};
use super::tables::{INSERT_EVENT, INSERT_MINUTE, Minute, SCHEMA, VERSION, WafEvent, time_text};
use super::waiting::Waiting;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ToSql, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Limit of waiting for another program that holds the database.
const LOCK_TIME: Duration = Duration::from_millis(250);
/// Number of events that are written together, and how long the first of them waits, or all of them after a failure.
const BATCH: usize = 256;
const BATCH_TIME: Duration = Duration::from_secs(1);
/// Number of rows that are removed at once, and how often at the end of a batch: twice as many as a batch adds, so that the file cannot fill up.
const STEP: usize = 64;
const STEPS: usize = 8;
/// A text that is later than all times.
const END: &str = "9999";
/// Limit of the journal that is kept beside the database, in bytes.
const MAX_JOURNAL: i64 = 16 << 20;
const PAGE: i64 = 4096;

/// How long rows are kept. The oldest go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Age of the oldest row.
    pub age: Duration,
    /// Size of the file, at least 1 MiB. It never exceeds that; the journal beside it comes on top.
    pub bytes: u64,
}

/// 30 days, 1 GiB.
impl Default for Retention {
    fn default() -> Self {
        Self { age: Duration::from_secs(30 * 86_400), bytes: 1 << 30 }
    }
}

/// Writes WAF events and minutes into the embedded database. There is one for a file; queries read it meanwhile.
///
/// A call waits a quarter of a second at most for another program that holds the file. What cannot be written waits in memory for the next call, up to 32 MiB;
/// beyond that the oldest events are dropped and counted.
pub struct Recorder {
    path: PathBuf,
    connection: Connection,
    retention: Retention,
    waiting: Waiting,
    due: Option<Instant>,
    has_failed: bool,
}

impl Recorder {
    /// Opens a database, and makes it if there is none: a file that only its owner can read. Its folder must exist.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or made, is damaged, is locked by another program or has tables of a newer version.
    pub fn open(path: impl Into<PathBuf>, retention: Retention) -> Result<Self, String> {
        let path = path.into();
        let connection = open(&path, retention)?;
        let mut recorder = Self { path, connection, retention, waiting: Waiting::default(), due: None, has_failed: false };
        recorder.make_tables()?;
        Ok(recorder)
    }

    /// Takes the rows that waited for the file to open, before any other.
    pub(crate) fn take_over(&mut self, waiting: Waiting) {
        self.waiting = waiting;
    }

    /// Takes an event. It is written with those of the same second, or with 255 others.
    ///
    /// # Errors
    ///
    /// The events that wait could not be written. They wait on.
    pub fn record_event(&mut self, event: WafEvent) -> Result<(), String> {
        self.waiting.add_event(event);
        let now = Instant::now();
        let is_due = now >= *self.due.get_or_insert(now + BATCH_TIME);
        if is_due || (self.waiting.events().len() >= BATCH && !self.has_failed) { self.flush() } else { Ok(()) }
    }

    /// Writes a minute, and the events that wait.
    ///
    /// # Errors
    ///
    /// The database could not be written; the minute waits on. A day of them is kept.
    pub fn record_minute(&mut self, minute: Minute) -> Result<(), String> {
        self.waiting.add_minute(minute);
        self.write()
    }

    /// Writes what waits. A host calls it each second, so that events of a quiet hour are seen.
    ///
    /// # Errors
    ///
    /// The database could not be written; the events wait on.
    pub fn flush(&mut self) -> Result<(), String> {
        if self.waiting.is_empty() { Ok(()) } else { self.write() }
    }

    /// Returns the number of rows that were dropped because the database could not be written.
    pub fn dropped(&self) -> u64 {
        self.waiting.dropped()
    }

    /// Drops and counts the rows that wait. Returns their number.
    pub(crate) fn give_up(&mut self) -> u64 {
        self.waiting.give_up()
    }

    /// Removes rows that are too old, in small steps, and the oldest while the file is nearly full.
    ///
    /// # Errors
    ///
    /// The database could not be written.
    pub fn remove_old(&mut self, now: SystemTime) -> Result<(), String> {
        let oldest = time_text(now.checked_sub(self.retention.age).unwrap_or(SystemTime::UNIX_EPOCH));
        self.try_remove_old(&oldest).map_err(|error| explain(&self.path, &error))
    }

    fn write(&mut self) -> Result<(), String> {
        let mut result = self.try_write();
        // Full: the oldest rows make room, so that the newest are kept.
        for _ in 0..STEPS {
            if !is_full(&result) {
                break;
            }
            result = self.remove_step(END).and_then(|_| self.try_write());
        }
        self.has_failed = result.is_err();
        self.due = result.is_err().then(|| Instant::now() + BATCH_TIME);
        result.map_err(|error| explain(&self.path, &error))?;
        self.waiting.clear();
        self.remove_old(SystemTime::now())
    }

    fn try_write(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut statement = transaction.prepare(INSERT_EVENT)?;
        for event in self.waiting.events() {
            insert(&mut statement, event)?;
        }
        drop(statement);
        for minute in self.waiting.minutes() {
            let (requests, blocked) = (signed(minute.requests), signed(minute.blocked));
            let (processor, memory) = (minute.system_cpu_percent, minute.system_memory_percent);
            transaction.execute(INSERT_MINUTE, params![time_text(minute.created), minute.node_id, processor, memory, requests, blocked])?;
        }
        transaction.commit()
    }

    fn try_remove_old(&mut self, oldest: &str) -> rusqlite::Result<()> {
        for _ in 0..STEPS {
            let until = if self.is_nearly_full()? { END } else { oldest };
            if self.remove_step(until)? < STEP {
                break;
            }
        }
        Ok(())
    }

    /// Removes the oldest events before a time, and minutes before the same; a step at most. Returns how many there were.
    fn remove_step(&mut self, until: &str) -> rusqlite::Result<usize> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = 0;
        for table in ["waf_request_tsdb", "monitor"] {
            // Minutes are small: events make room, and minutes only where there is no event any more.
            if removed > 0 && until == END {
                break;
            }
            let old = format!("select rowid from {table} where created < ?1 order by created limit {STEP}");
            removed += transaction.execute(&format!("delete from {table} where rowid in ({old})"), [until])?;
        }
        transaction.commit()?;
        Ok(removed)
    }

    /// Returns `true` if less than a tenth of the file's size is left.
    fn is_nearly_full(&self) -> rusqlite::Result<bool> {
        let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let used = number("page_count")?.saturating_sub(number("freelist_count")?) * PAGE;
        Ok(used > size(self.retention) / 10 * 9)
    }

    fn make_tables(&mut self) -> Result<(), String> {
        let version = self.try_make_tables().map_err(|error| explain(&self.path, &error))?;
        if version == VERSION {
            return Ok(());
        }
        let path = self.path.display();
        Err(format!("{path} has tables of version {version}, and this program knows {VERSION}; move the file away, and a new one is made"))
    }

    /// Returns the version of the tables.
    fn try_make_tables(&mut self) -> rusqlite::Result<i64> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let tables: i64 = transaction.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
        if (version, tables) != (0, 0) {
            return Ok(version);
        }
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
        transaction.commit()?;
        Ok(VERSION)
    }
}

/// Writes what waits, if that works.
impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("path", &self.path).finish_non_exhaustive()
    }
}

fn open(path: &Path, retention: Retention) -> Result<Connection, String> {
    make_file(path).map_err(|error| format!("{}: {error}; make its folder, and let this user write there", path.display()))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(super::embedded::plain(path), flags)?;
        connection.busy_timeout(LOCK_TIME)?;
        set_memory_limit(&connection)?;
        // Before anything is written: both are properties of a file.
        connection.pragma_update(None, "page_size", PAGE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "journal_size_limit", MAX_JOURNAL)?;
        connection.pragma_update(None, "max_page_count", size(retention) / PAGE)?;
        Ok(connection)
    };
    open().map_err(|error| explain(path, &error))
}

/// Makes an empty file that only its owner can read. SQLite gives its journal the same rights.
fn make_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map(drop),
    }
}

fn insert(statement: &mut Statement<'_>, event: &WafEvent) -> rusqlite::Result<()> {
    let row = params![
        time_text(event.created),
        event.app_id,
        event.request_id,
        event.remote_addr,
        Text(&event.host),
        Text(&event.method),
        Text(&event.uri),
        Text(&event.request),
        Text(&event.header),
        Text(&event.body),
        event.status,
        event.action.as_str(),
        event.score,
        event.threshold,
        event.rule_id,
        event.rule_set_id,
        event.msg,
        event.client_country,
        event.client_province,
        event.client_city,
        event.client_isp,
        Text(&event.user_agent),
    ];
    statement.execute(row).map(drop)
}

/// Bytes that are stored as a text, of whatever encoding.
struct Text<'a>(&'a [u8]);

impl ToSql for Text<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

fn size(retention: Retention) -> i64 {
    signed(retention.bytes).max(1 << 20)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn is_full(result: &rusqlite::Result<()>) -> bool {
    matches!(result, Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull))
}
