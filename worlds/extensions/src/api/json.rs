//! Tables as JSON, with sorted keys.

use super::arguments::kind;
use super::numbers;
use mlua::{Table, Value};
use secrule::internals::lua::Budget;

/// Maximum nesting of tables.
const MAX_DEPTH: usize = 16;

/// Cost of a member, in bytes of linear work.
const MEMBER_COST: usize = 64;

/// Minimum length of a member in JSON, in bytes.
const MIN_MEMBER: usize = 2;

/// Purpose of the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody reads it: what JSON does not have is the name of its type, and what is too deep is `"..."`.
    Reading,
    /// Another program reads it: what JSON does not have is an error.
    Sending,
}

/// Writes JSON until it is longer than its limit.
pub struct Writer<'b> {
    text: Vec<u8>,
    limit: usize,
    purpose: Purpose,
    budget: &'b Budget,
}

/// The reason why a value cannot be written.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is longer than the limit.
    TooLong,
    /// JSON does not have it.
    NotJson(String),
}

impl<'b> Writer<'b> {
    /// Makes a writer with a limit in bytes. What it reads counts as work of the script.
    pub fn new(purpose: Purpose, limit: usize, budget: &'b Budget) -> Self {
        Self { text: Vec::new(), limit, purpose, budget }
    }

    /// Writes a value. For reading, a text that is too long is at least as long as the limit.
    pub fn write(mut self, value: &Value) -> Result<Vec<u8>, Fault> {
        match self.value(value, 1) {
            Ok(()) => Ok(self.text),
            Err(Fault::TooLong) if self.purpose == Purpose::Reading => Ok(self.text),
            Err(fault) => Err(fault),
        }
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        match value {
            Value::Nil => self.put(b"null"),
            value if *value == Value::NULL => self.put(b"null"),
            Value::Boolean(true) => self.put(b"true"),
            Value::Boolean(false) => self.put(b"false"),
            Value::Number(number) if !number.is_finite() => match self.purpose {
                Purpose::Reading => self.put(b"null"),
                Purpose::Sending => Err(Fault::NotJson(format!("{number} is not a number of JSON"))),
            },
            Value::Integer(_) | Value::Number(_) => {
                let text = numbers::json(value).unwrap_or_default();
                self.put(text.as_bytes())
            }
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(_) if depth > MAX_DEPTH => match self.purpose {
                Purpose::Reading => self.put(b"\"...\""),
                Purpose::Sending => Err(Fault::NotJson(format!("the table is nested more than {MAX_DEPTH} levels deep"))),
            },
            Value::Table(table) if self.is_list(table)? => self.list(table, depth),
            Value::Table(table) => self.object(table, depth),
            other => match self.purpose {
                Purpose::Reading => self.string(other.type_name().as_bytes()),
                Purpose::Sending => Err(Fault::NotJson(format!("JSON does not have {}", named(other)))),
            },
        }
    }

    /// Returns `true` if the keys of a table are 1 up to their number.
    fn is_list(&self, table: &Table) -> Result<bool, Fault> {
        let length = table.raw_len();
        let mut count = 0_usize;
        for pair in table.pairs::<Value, Value>() {
            self.work(MEMBER_COST)?;
            match pair {
                Ok((Value::Integer(key), _)) if usize::try_from(key).is_ok_and(|key| (1..=length).contains(&key)) => count += 1,
                _ => return Ok(false),
            }
        }
        Ok(length > 0 && count == length)
    }

    fn list(&mut self, table: &Table, depth: usize) -> Result<(), Fault> {
        self.put(b"[")?;
        for at in 1..=table.raw_len() {
            self.work(MEMBER_COST)?;
            if at > 1 {
                self.put(b",")?;
            }
            let value = table.raw_get(at).unwrap_or(Value::Nil);
            self.value(&value, depth + 1)?;
        }
        self.put(b"]")
    }

    fn object(&mut self, table: &Table, depth: usize) -> Result<(), Fault> {
        // More members than these do not fit in any case.
        let max = self.limit.saturating_sub(self.text.len()) / MIN_MEMBER + 1;
        let mut members: Vec<(Vec<u8>, Value)> = Vec::new();
        for pair in table.pairs::<Value, Value>() {
            let Ok((key, value)) = pair else { continue };
            if members.len() >= max {
                if self.purpose == Purpose::Sending {
                    return Err(Fault::TooLong);
                }
                break;
            }
            let key = match (&key, numbers::json(&key), self.purpose) {
                (Value::String(text), ..) => text.as_bytes().to_vec(),
                (_, Some(number), _) => number.into_bytes(),
                (Value::Boolean(truth), _, Purpose::Reading) => truth.to_string().into_bytes(),
                (other, _, Purpose::Reading) => other.type_name().into(),
                (other, _, Purpose::Sending) => return Err(Fault::NotJson(format!("JSON has no keys that are {}", named(other)))),
            };
            self.work(key.len() + MEMBER_COST)?;
            members.push((key, value));
        }
        members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        self.put(b"{")?;
        for (at, (key, value)) in members.iter().enumerate() {
            if at > 0 {
                self.put(b",")?;
            }
            self.string(key)?;
            self.put(b":")?;
            self.value(value, depth + 1)?;
        }
        self.put(b"}")
    }

    fn string(&mut self, text: &[u8]) -> Result<(), Fault> {
        self.work(text.len())?;
        // The rest would not be written.
        let text = text.get(..self.limit.saturating_add(1)).unwrap_or(text);
        let written = serde_json::to_string(&String::from_utf8_lossy(text)).unwrap_or_default();
        self.put(written.as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.text.extend_from_slice(bytes);
        if self.text.len() > self.limit { Err(Fault::TooLong) } else { Ok(()) }
    }

    fn work(&self, bytes: usize) -> Result<(), Fault> {
        // The run is over then; nothing of the text is seen.
        self.budget.spend_on(bytes).map_err(|_| Fault::TooLong)
    }
}

fn named(value: &Value) -> String {
    match kind(value) {
        "something else" => value.type_name().to_owned(),
        kind => kind.to_owned(),
    }
}
