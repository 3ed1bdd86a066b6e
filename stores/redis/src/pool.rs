//! The connections of a process to one server.

use super::connection::Connection;
use redis::Value;
use secrule::Down;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Maximum number of connections to a server.
const MOST: usize = 8;

/// Connections, each for one call at a time. A call waits for one no longer than its deadline.
#[derive(Debug, Default)]
pub struct Pool {
    connections: Mutex<Connections>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Connections {
    /// The one that was used last is at the end.
    idle: Vec<Connection>,
    /// Number of connections, with those that are in use.
    open: usize,
}

/// A place in the pool for a call.
struct Place<'p>(&'p Pool);

impl Pool {
    /// Sends a request over a connection and returns its answer. `connect` opens a new one.
    pub fn call(&self, requests: &[&[u8]], by: Instant, connect: impl FnOnce() -> Result<Connection, Down>) -> Result<Value, Down> {
        let (place, idle) = self.take(by)?;
        let mut connection = match idle {
            Some(connection) => connection,
            None => connect()?,
        };
        let mut answer = Value::Nil;
        for request in requests {
            answer = connection.call(request, by)?;
        }
        if !matches!(&answer, Value::ServerError(error) if is_of_no_use(error.code())) {
            place.keep(connection);
        }
        Ok(answer)
    }

    /// Forgets the connections that are not in use.
    pub fn forget_idle(&self) {
        let mut connections = self.lock();
        let idle = std::mem::take(&mut connections.idle);
        connections.open = connections.open.saturating_sub(idle.len());
        drop(connections);
        self.freed.notify_all();
    }

    fn take(&self, by: Instant) -> Result<(Place<'_>, Option<Connection>), Down> {
        let mut connections = self.lock();
        loop {
            while let Some(connection) = connections.idle.pop() {
                if connection.is_idle() {
                    return Ok((Place(self), Some(connection)));
                }
                connections.open = connections.open.saturating_sub(1);
            }
            if connections.open < MOST {
                connections.open += 1;
                return Ok((Place(self), None));
            }
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Down::new("all connections to the server are in use"));
            }
            connections = self.freed.wait_timeout(connections, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Returns a connection to the pool.
    fn keep(self, connection: Connection) {
        let mut connections = self.0.lock();
        connections.idle.push(connection);
        // The place is counted as that of an idle connection, and again as given back.
        connections.open += 1;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut connections = self.0.lock();
        connections.open = connections.open.saturating_sub(1);
        drop(connections);
        self.0.freed.notify_one();
    }
}

/// Returns `true` for errors after which another server may be the right one.
fn is_of_no_use(code: &str) -> bool {
    matches!(code, "READONLY" | "MASTERDOWN" | "LOADING" | "NOAUTH")
}
