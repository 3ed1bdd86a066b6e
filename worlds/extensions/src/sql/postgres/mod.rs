//! Queries of a PostgreSQL: a connection is kept and used again, and made anew after a failure.
//!
//! The protocol's messages are those of the crate `postgres-protocol`; the connection is this room's own, because each step of it ends by the deadline
//! of the call, a server cannot send more than the limits of the result, and values come as the texts that PostgreSQL itself writes.

mod arrays;
mod connection;
mod login;
mod stream;
mod values;

use super::value::Rows;
use super::{Deadline, Server};
use connection::Connection;
use std::sync::Mutex;
use std::time::Duration;

/// Limit of connections that wait for the next query.
const MAX_IDLE: usize = 4;
/// Limit of further tries, and what is waited before each.
const MAX_RETRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// Reason why a query gave no rows.
#[derive(Debug)]
enum Failure {
    /// The connection failed: another one may not.
    Transport(String),
    /// The server refused: it would again.
    Refused(String),
    /// The time is over, and an answer may still come.
    Late,
    /// The server ended the statement because its time is over.
    Stopped,
}

/// The connections to a server.
pub(super) struct Pool {
    server: Server,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub fn new(server: Server) -> Self {
        Self { server, idle: Mutex::default() }
    }

    /// Runs a statement in a read-only transaction.
    pub fn run(&self, sql: &str, limit: usize, retries: u32, deadline: Deadline) -> Result<Rows, String> {
        let mut retries = retries.min(MAX_RETRIES);
        loop {
            match self.attempt(sql, limit, deadline) {
                Ok(rows) => return Ok(rows),
                Err(_) if deadline.is_over() => return Err(deadline.error()),
                Err(Failure::Late | Failure::Stopped) => return Err(deadline.error()),
                Err(Failure::Refused(problem)) => return Err(problem),
                Err(Failure::Transport(problem)) if retries == 0 => {
                    return Err(format!("PostgreSQL at {}: {problem}; check that it runs and can be reached", self.server));
                }
                Err(Failure::Transport(_)) => {
                    retries -= 1;
                    std::thread::sleep(PAUSE.min(deadline.left()));
                }
            }
        }
    }

    fn attempt(&self, sql: &str, limit: usize, deadline: Deadline) -> Result<Rows, Failure> {
        let mut connection = self.begin(deadline)?;
        let result = connection.select(sql, limit, deadline);
        // A connection that is not at rest again is closed.
        if !matches!(result, Err(Failure::Transport(_) | Failure::Late)) && connection.rest(deadline) {
            let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if idle.len() < MAX_IDLE {
                idle.push(connection);
            }
        }
        result
    }

    /// Returns a connection within a transaction. Connections that the server closed meanwhile are not counted as tries: nothing was run on them.
    fn begin(&self, deadline: Deadline) -> Result<Connection, Failure> {
        loop {
            let kept = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
            let Some(mut connection) = kept else { break };
            match connection.begin(deadline) {
                Ok(()) => return Ok(connection),
                Err(Failure::Transport(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let mut connection = Connection::open(&self.server, deadline)?;
        connection.begin(deadline)?;
        Ok(connection)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("server", &self.server).finish_non_exhaustive()
    }
}
