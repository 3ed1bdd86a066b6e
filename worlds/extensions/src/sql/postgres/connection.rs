//! A connection to a server: transactions that read, and the rows that they give.

use super::super::Deadline;
use super::super::address::Server;
use super::super::value::{Collector, Rows, Value};
use super::Failure;
use super::login::login;
use super::stream::Stream;
use super::values::value;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message, RowDescriptionBody};
use postgres_protocol::message::frontend;
use std::time::{Duration, Instant};

/// Limit of connecting, with the login.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Time that the server has less than the caller, so that its answer arrives in time and the connection can be used again.
const MARGIN: Duration = Duration::from_millis(200);

/// A connection.
pub(super) struct Connection {
    stream: Stream,
    /// `true` if the server still sends rows that nobody wants.
    is_sending: bool,
}

impl Connection {
    /// Connects to a server, and begins a session.
    pub fn open(server: &Server, deadline: Deadline) -> Result<Self, Failure> {
        let by = Instant::now() + deadline.left().min(CONNECT_TIME);
        let mut stream = Stream::connect(server, by)?;
        login(&mut stream, server)?;
        Ok(Self { stream, is_sending: false })
    }

    /// Begins a transaction that can only read, and that the server ends in time.
    pub fn begin(&mut self, deadline: Deadline) -> Result<(), Failure> {
        let left = deadline.left();
        let milliseconds = left.saturating_sub(MARGIN.min(left / 10)).as_millis().max(1);
        self.command(&format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {milliseconds}"), deadline)?;
        Ok(())
    }

    /// Runs a statement, and reads a row more than the limit at most: the server makes no more.
    pub fn select(&mut self, sql: &str, limit: usize, deadline: Deadline) -> Result<Rows, Failure> {
        let rows = i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX);
        let mut messages = BytesMut::new();
        frontend::parse("", sql, [], &mut messages)?;
        frontend::bind("", "", [], [(); 0], |(), _| Ok(postgres_protocol::IsNull::Yes), [], &mut messages).map_err(|_| io_error())?;
        frontend::describe(b'P', "", &mut messages)?;
        frontend::execute("", rows, &mut messages)?;
        frontend::sync(&mut messages);
        self.send(&messages, deadline)?;
        self.read_rows(limit, deadline)
    }

    /// Ends the transaction, and returns `true` if the connection can be used again.
    pub fn rest(&mut self, deadline: Deadline) -> bool {
        !self.is_sending && self.command("ROLLBACK", deadline).is_ok_and(|state| state == b'I')
    }

    fn read_rows(&mut self, limit: usize, deadline: Deadline) -> Result<Rows, Failure> {
        let mut types = Vec::new();
        let mut collector = Collector::new(Vec::new(), limit);
        let mut refused = None;
        loop {
            match self.stream.receive()? {
                Message::RowDescription(body) => {
                    let columns: Vec<(String, u32)> = columns(&body)?;
                    types = columns.iter().map(|(_, oid)| *oid).collect();
                    collector = Collector::new(columns.into_iter().map(|(name, _)| name).collect(), limit);
                }
                // One row more than the limit is the last; beyond the limit of bytes any number may come.
                Message::DataRow(body) if !collector.add(row(&body, &types)?) && collector.len() < limit => {
                    self.is_sending = true;
                    break;
                }
                Message::ErrorResponse(body) => match failure(&body) {
                    Failure::Transport(problem) => return Err(Failure::Transport(problem)),
                    _ if is_cancelled(&body) && deadline.left() <= 2 * MARGIN => refused = Some(Failure::Stopped),
                    failure => refused = Some(failure),
                },
                Message::ReadyForQuery(_) => break,
                _ if deadline.is_over() => return Err(Failure::Late),
                _ => {}
            }
        }
        match refused {
            Some(failure) => Err(failure),
            None => Ok(collector.into_rows()),
        }
    }

    /// Runs commands that give no rows, and returns the state of the transaction.
    fn command(&mut self, sql: &str, deadline: Deadline) -> Result<u8, Failure> {
        let mut message = BytesMut::new();
        frontend::query(sql, &mut message)?;
        self.send(&message, deadline)?;
        let mut refused = None;
        loop {
            match self.stream.receive()? {
                Message::ErrorResponse(body) => match failure(&body) {
                    Failure::Transport(problem) => return Err(Failure::Transport(problem)),
                    failure => refused = Some(failure),
                },
                Message::ReadyForQuery(body) => return refused.map_or(Ok(body.status()), Err),
                _ if deadline.is_over() => return Err(Failure::Late),
                _ => {}
            }
        }
    }

    fn send(&mut self, messages: &[u8], deadline: Deadline) -> Result<(), Failure> {
        self.stream.set_deadline(Instant::now() + deadline.left());
        self.stream.send(messages)
    }
}

fn io_error() -> Failure {
    Failure::Refused("the statement cannot be sent; shorten it".to_owned())
}

/// Returns what an error of the server means for the connection.
pub(super) fn failure(body: &ErrorResponseBody) -> Failure {
    let code = field(body, b'C');
    let problem = format!("PostgreSQL: {} ({code})", field(body, b'M'));
    // `V` is the severity in English. A login that fails, or a database that is not there, will fail again.
    let is_fatal = matches!(field(body, b'V').as_str(), "FATAL" | "PANIC");
    if is_fatal && !code.starts_with("28") && code != "3D000" { Failure::Transport(problem) } else { Failure::Refused(problem) }
}

/// Returns `true` if the server ended the statement, because of its time or because somebody asked for it.
fn is_cancelled(body: &ErrorResponseBody) -> bool {
    field(body, b'C') == "57014"
}

fn field(body: &ErrorResponseBody, kind: u8) -> String {
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        if field.type_() == kind {
            return String::from_utf8_lossy(field.value_bytes()).into_owned();
        }
    }
    String::new()
}

fn columns(body: &RowDescriptionBody) -> Result<Vec<(String, u32)>, Failure> {
    Ok(body.fields().map(|field| Ok((field.name().to_owned(), field.type_oid()))).collect()?)
}

fn row(body: &DataRowBody, types: &[u32]) -> Result<Vec<Value>, Failure> {
    let mut ranges = body.ranges();
    let mut row = Vec::with_capacity(types.len());
    for oid in types {
        let text = ranges.next()?.flatten().and_then(|range| body.buffer().get(range));
        row.push(text.map_or(Value::Null, |text| value(*oid, text)));
    }
    Ok(row)
}
