//! The databases of `sql_query`, behind one file: until they are there, each query says that there is none.

use secrule_host::{Exchange, Services};
use std::time::{Duration, SystemTime};

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// One SELECT.
    pub sql: String,
    /// Limit of the whole call.
    pub time: Duration,
    /// Limit of rows. Rows beyond it are left out.
    pub limit: usize,
    /// Number of further tries after a failure of the connection.
    pub retries: u32,
}

/// The result of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, each with a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// `true` if rows were left out.
    pub is_cut: bool,
}

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
#[allow(dead_code, reason = "the databases make them")]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Vec<u8>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

/// The databases of a host, and what is written into the one of its own.
#[derive(Debug, Default)]
pub struct Databases {
    #[cfg(test)]
    pub answer: Option<Rows>,
    #[cfg(test)]
    pub asked: std::sync::Mutex<Vec<(String, Query)>>,
}

impl Query {
    /// Makes a query with 120 seconds, 20000 rows and one more try.
    pub fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), time: Duration::from_secs(120), limit: 20_000, retries: 1 }
    }
}

impl Databases {
    /// Makes those that the rules name. Nothing is opened.
    pub fn of(_services: &Services) -> Self {
        Self::default()
    }

    /// Runs a query, and returns its rows, or a text that says why there are none.
    pub fn query(&self, destination: &str, query: &Query) -> Result<Rows, String> {
        #[cfg(test)]
        self.asked.lock().unwrap().push((destination.to_owned(), query.clone()));
        #[cfg(test)]
        if let Some(rows) = &self.answer {
            return Ok(rows.clone());
        }
        let _ = (destination, query);
        Err("no database".to_owned())
    }

    /// Takes an exchange, for the rows of the host's own database: one for each exchange that rules found something in, and one a minute.
    pub fn take(&self, _exchange: &Exchange) {}

    /// Called ten times a second, for what is written once a minute.
    pub fn tick(&self, _now: SystemTime) {}
}
