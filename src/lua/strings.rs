//! The functions of `string` with patterns, as Lua calls them.

use super::budget::{Budget, Excess};
use super::pattern::{Capture, Fault, Match, find, is_plain};
use mlua::{BorrowedBytes, Lua, LuaString, MultiValue, Result, Table, Value};
use std::rc::Rc;

/// Kind of search for one match.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    /// `string.find`: returns offsets and captures; its last argument is `true` for a plain text.
    Find,
    /// `string.match`: returns captures, or the match if there are none.
    Match,
    /// A step of `gmatch` and `gsub`: returns offsets and the values of `match`; its last argument is `true` if `^` is an anchor.
    Step,
}

/// Adds `find`, `match`, `search` and `gsub` to a table. Each returns `false` and a message if the pattern is malformed.
pub fn add(lua: &Lua, native: &Table, budget: &Rc<Budget>) -> Result<()> {
    for (name, search) in [("find", Search::Find), ("match", Search::Match), ("search", Search::Step)] {
        let own = Rc::clone(budget);
        let function = lua.create_function(move |lua, (subject, pattern, init, flag): (LuaString, LuaString, f64, bool)| {
            let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
            let from = offset(init, subject.len());
            if search == Search::Find && (flag || is_plain(&pattern)) {
                own.spend_on(subject.len()).map_err(stopped)?;
                let found = subject.get(from..).and_then(|rest| memchr::memmem::find(rest, &pattern)).map(|at| from + at);
                return Ok(found.map_or_else(none, |at| many([integer(at + 1), integer(at + pattern.len())])));
            }
            match searched(&subject, &pattern, from, search != Search::Step || flag, &own)? {
                Ok(Some(found)) => values(lua, search, &subject, &found),
                Ok(None) => Ok(none()),
                Err(message) => senseless(lua, message),
            }
        })?;
        native.raw_set(name, function)?;
    }

    let own = Rc::clone(budget);
    let function =
        lua.create_function(move |lua, (subject, pattern, by, max): (LuaString, LuaString, LuaString, f64)| {
            match replaced(&subject.as_bytes(), &pattern.as_bytes(), &by.as_bytes(), max, &own)? {
                Ok((text, count)) => Ok(many([Value::String(string(lua, &text)?), integer(count)])),
                Err(message) => senseless(lua, message),
            }
        })?;
    native.raw_set("gsub", function)
}

/// The result of a search, or the fault of its pattern.
type Sensible<T> = std::result::Result<T, &'static str>;

fn searched(subject: &[u8], pattern: &[u8], from: usize, anchors: bool, budget: &Budget) -> Result<Sensible<Option<Match>>> {
    sensible(find(subject, pattern, from, anchors, budget))
}

/// Separates the fault of a pattern from an exhausted budget, which ends the call.
fn sensible<T>(found: std::result::Result<T, Fault>) -> Result<Sensible<T>> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(Fault::Malformed(message)) => Ok(Err(message)),
        Err(Fault::Over(excess)) => Err(stopped(excess)),
    }
}

/// `gsub` with a text: returns the new text, and the number of replacements.
fn replaced(subject: &[u8], pattern: &[u8], by: &[u8], max: f64, budget: &Budget) -> Result<Sensible<(Vec<u8>, usize)>> {
    let anchored = pattern.first() == Some(&b'^');
    let mut output = Vec::new();
    let (mut at, mut count) = (0, 0_usize);
    while (count as f64) < max && at <= subject.len() {
        let found = match searched(subject, pattern, at, true, budget)? {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(message) => return Ok(Err(message)),
        };
        count += 1;
        output.extend_from_slice(subject.get(at..found.start).unwrap_or_default());
        let before = output.len();
        if let Err(message) = put_replacement(subject, &found, by, &mut output, budget.memory()) {
            return Ok(Err(message));
        }
        budget.spend_on(output.len() - before).map_err(stopped)?;
        at = found.end;
        if found.end == found.start {
            output.extend(subject.get(at));
            at += 1;
        }
        if output.len() > budget.memory() {
            return Err(stopped(budget.exceed(Excess::Memory)));
        }
        if anchored {
            break;
        }
    }
    output.extend_from_slice(subject.get(at..).unwrap_or_default());
    Ok(Ok((output, count)))
}

/// Appends the replacement of a match: `%0` is the match, `%1` its first capture, or the match if it has none. Stops when the output is longer than a limit:
/// a replacement that has the match many times may be far longer than both.
fn put_replacement(subject: &[u8], found: &Match, by: &[u8], output: &mut Vec<u8>, limit: usize) -> Sensible<()> {
    let mut bytes = by.iter();
    while let Some(byte) = bytes.next().filter(|_| output.len() <= limit) {
        if *byte != b'%' {
            output.push(*byte);
            continue;
        }
        let whole = Capture::Range(found.start, found.end);
        let capture = match bytes.next() {
            Some(b'0') => whole,
            Some(b'1') if found.captures.is_empty() => whole,
            Some(digit @ b'1'..=b'9') => match found.captures.get(usize::from(digit - b'1')) {
                Some(capture) => *capture,
                None => return Err("invalid capture index"),
            },
            Some(other) => {
                output.push(*other);
                continue;
            }
            None => return Err("invalid use of '%' in replacement string"),
        };
        match capture {
            Capture::Range(start, end) => output.extend_from_slice(subject.get(start..end).unwrap_or_default()),
            Capture::Position(place) => output.extend_from_slice((place + 1).to_string().as_bytes()),
        }
    }
    Ok(())
}

/// Returns the values of a match for a kind of search.
fn values(lua: &Lua, search: Search, subject: &BorrowedBytes, found: &Match) -> Result<MultiValue> {
    let mut values = Vec::with_capacity(found.captures.len() + 3);
    if search != Search::Match {
        values.extend([integer(found.start + 1), integer(found.end)]);
    }
    let whole = [Capture::Range(found.start, found.end)];
    let captures = if found.captures.is_empty() && search != Search::Find { &whole } else { found.captures.as_slice() };
    for capture in captures {
        values.push(match *capture {
            Capture::Range(start, end) => Value::String(string(lua, subject.get(start..end).unwrap_or_default())?),
            Capture::Position(place) => integer(place + 1),
        });
    }
    Ok(values.into_iter().collect())
}

/// Returns the start of the search, from 0: `init` counts from 1, or if negative from the end.
fn offset(init: f64, length: usize) -> usize {
    // Converts a Lua number to a whole one, saturating.
    let from = if init < 0.0 { init + length as f64 } else { init - 1.0 };
    (from.max(0.0) as usize).min(length)
}

/// Returns the error that ends a call.
pub fn stopped(excess: Excess) -> mlua::Error {
    mlua::Error::runtime(excess)
}

/// Makes a Lua string. If there is memory for it, this cannot fail and needs no protected call, which costs four times as much.
pub fn string(lua: &Lua, text: &[u8]) -> Result<LuaString> {
    let limit = lua.set_memory_limit(0)?;
    if limit != 0 && lua.used_memory().saturating_add(text.len()) >= limit {
        lua.set_memory_limit(limit)?;
        return lua.create_string(text);
    }
    let made = lua.create_string(text);
    lua.set_memory_limit(limit)?;
    made
}

fn senseless(lua: &Lua, message: &str) -> Result<MultiValue> {
    Ok(many([Value::Boolean(false), Value::String(string(lua, message.as_bytes())?)]))
}

fn none() -> MultiValue {
    many([Value::Nil])
}

fn many<const N: usize>(values: [Value; N]) -> MultiValue {
    values.into_iter().collect()
}

/// An offset or a count: small enough to be exact as a Lua number.
fn integer(number: usize) -> Value {
    Value::Number(number as f64)
}
