//! The functions of `string` that look for patterns, as Lua calls them.

use super::budget::{Budget, Excess};
use super::pattern::{Capture, Fault, Match, find, is_plain};
use mlua::{BorrowedBytes, IntoLua, Lua, LuaString, MultiValue, Result, Table, Value};
use std::rc::Rc;

/// Puts `find`, `match`, `search` and `gsub` into a table. Each gives `false` and a message where the pattern makes no sense.
pub fn add(lua: &Lua, native: &Table, budget: &Rc<Budget>) -> Result<()> {
    let own = Rc::clone(budget);
    let function = lua.create_function(move |lua, (subject, pattern, init, plain): (LuaString, LuaString, f64, bool)| {
        let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
        let from = offset(init, subject.len());
        if plain || is_plain(&pattern) {
            spend(&own, subject.len() as u64 / 64)?;
            let found = subject.get(from..).and_then(|rest| memchr::memmem::find(rest, &pattern)).map(|at| from + at);
            let places = found.map(|at| (at + 1, at + pattern.len()));
            return Ok(places.map_or_else(none, |(start, end)| many([integer(start), integer(end)])));
        }
        let found = match searched(&subject, &pattern, from, true, &own)? {
            Ok(found) => found,
            Err(message) => return senseless(lua, message),
        };
        let Some(found) = found else { return Ok(none()) };
        let mut values = vec![integer(found.start + 1), integer(found.end)];
        push_captures(lua, &subject, &found, &mut values)?;
        Ok(values.into_iter().collect())
    })?;
    native.raw_set("find", function)?;

    let own = Rc::clone(budget);
    let function = lua.create_function(move |lua, (subject, pattern, init): (LuaString, LuaString, f64)| {
        let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
        let found = match searched(&subject, &pattern, offset(init, subject.len()), true, &own)? {
            Ok(found) => found,
            Err(message) => return senseless(lua, message),
        };
        let Some(found) = found else { return Ok(none()) };
        let mut values = Vec::new();
        push_whole_or_captures(lua, &subject, &found, &mut values)?;
        Ok(values.into_iter().collect())
    })?;
    native.raw_set("match", function)?;

    let own = Rc::clone(budget);
    let function = lua.create_function(move |lua, (subject, pattern, at, anchors): (LuaString, LuaString, usize, bool)| {
        let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
        let found = match searched(&subject, &pattern, at.saturating_sub(1), anchors, &own)? {
            Ok(found) => found,
            Err(message) => return senseless(lua, message),
        };
        let Some(found) = found else { return Ok(none()) };
        let mut values = vec![integer(found.start + 1), integer(found.end)];
        push_whole_or_captures(lua, &subject, &found, &mut values)?;
        Ok(values.into_iter().collect())
    })?;
    native.raw_set("search", function)?;

    let own = Rc::clone(budget);
    let function =
        lua.create_function(move |lua, (subject, pattern, by, most): (LuaString, LuaString, LuaString, f64)| {
            match replaced(&subject.as_bytes(), &pattern.as_bytes(), &by.as_bytes(), most, &own)? {
                Ok((text, count)) => Ok(many([lua.create_string(text)?.into_lua(lua)?, integer(count)])),
                Err(message) => senseless(lua, message),
            }
        })?;
    native.raw_set("gsub", function)
}

/// What came of a pattern: what was asked for, or why it makes no sense.
type Sensible<T> = std::result::Result<T, &'static str>;

fn searched(subject: &[u8], pattern: &[u8], from: usize, anchors: bool, budget: &Budget) -> Result<Sensible<Option<Match>>> {
    sensible(find(subject, pattern, from, anchors, budget))
}

/// Puts the fault of a pattern apart from a budget that is used up, which ends the call.
fn sensible<T>(found: std::result::Result<T, Fault>) -> Result<Sensible<T>> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(Fault::Malformed(message)) => Ok(Err(message)),
        Err(Fault::Over(excess)) => Err(stopped(excess)),
    }
}

/// `gsub` with a text: the new text, and how many matches were replaced.
fn replaced(subject: &[u8], pattern: &[u8], by: &[u8], most: f64, budget: &Budget) -> Result<Sensible<(Vec<u8>, usize)>> {
    let anchored = pattern.first() == Some(&b'^');
    let mut output = Vec::new();
    let (mut at, mut count) = (0, 0_usize);
    while (count as f64) < most && at <= subject.len() {
        let found = match searched(subject, pattern, at, true, budget)? {
            Ok(Some(found)) => found,
            Ok(None) => break,
            Err(message) => return Ok(Err(message)),
        };
        count += 1;
        output.extend_from_slice(subject.get(at..found.start).unwrap_or_default());
        if let Err(message) = put_replacement(subject, &found, by, &mut output) {
            return Ok(Err(message));
        }
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

/// Appends what takes a match's place: `%0` is the match, `%1` its first capture, or the match where it has none.
fn put_replacement(subject: &[u8], found: &Match, by: &[u8], output: &mut Vec<u8>) -> Sensible<()> {
    let mut bytes = by.iter();
    while let Some(byte) = bytes.next() {
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

fn push_whole_or_captures(lua: &Lua, subject: &BorrowedBytes, found: &Match, values: &mut Vec<Value>) -> Result<()> {
    if found.captures.is_empty() {
        values.push(lua.create_string(subject.get(found.start..found.end).unwrap_or_default())?.into_lua(lua)?);
    }
    push_captures(lua, subject, found, values)
}

fn push_captures(lua: &Lua, subject: &BorrowedBytes, found: &Match, values: &mut Vec<Value>) -> Result<()> {
    for capture in &found.captures {
        values.push(match *capture {
            Capture::Range(start, end) => lua.create_string(subject.get(start..end).unwrap_or_default())?.into_lua(lua)?,
            Capture::Position(place) => integer(place + 1),
        });
    }
    Ok(())
}

/// Where to begin, from 0: `init` counts from 1, and below 0 from the end.
fn offset(init: f64, length: usize) -> usize {
    // A number of Lua as a whole one: what is out of range becomes the nearest in range.
    let from = if init < 0.0 { init + length as f64 } else { init - 1.0 };
    (from.max(0.0) as usize).min(length)
}

fn spend(budget: &Budget, steps: u64) -> Result<()> {
    budget.spend(steps).map_err(stopped)
}

/// The error that ends a call.
pub fn stopped(excess: Excess) -> mlua::Error {
    mlua::Error::runtime(excess)
}

fn senseless(lua: &Lua, message: &str) -> Result<MultiValue> {
    Ok(many([Value::Boolean(false), lua.create_string(message)?.into_lua(lua)?]))
}

fn none() -> MultiValue {
    many([Value::Nil])
}

fn many<const N: usize>(values: [Value; N]) -> MultiValue {
    values.into_iter().collect()
}

/// A place or a count: far below where a number of Lua loses whole ones.
fn integer(number: usize) -> Value {
    Value::Number(number as f64)
}
