//! `ngx.re`: regular expressions of PCRE, by the engine's own matcher, with bounded effort.
//!
//! Options are those of OpenResty: `i`, `s`, `m`, `x`, `a` (at the start of the search alone) and `u` (characters of UTF-8) as in PCRE. `d` (another
//! matcher), `D`, `j`, `o` and `U` (no check of UTF-8) change nothing here.

mod expression;
mod replacement;

use super::arguments::{kind, number};
use super::{Functions, problem_of};
use expression::{Expression, Expressions};
use mlua::{Function, IntoLua, Lua, LuaString, MultiValue, Result, Table, Value};
use replacement::Replacement;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Maximum length of a text that `sub` and `gsub` make, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// The ranges of a match and of its groups.
type Groups = Vec<Option<Range<usize>>>;

/// A result, or the text that a function returns behind nil.
type Found<T> = std::result::Result<T, String>;

/// Makes the table.
pub fn table(functions: &Functions<'_>) -> Result<Table> {
    let lua = functions.lua();
    let re = lua.create_table()?;
    let expressions = Rc::new(Expressions::new(Rc::clone(&functions.context.budget)));

    let own = Rc::clone(&expressions);
    let find = move |lua: &Lua, (subject, pattern, options, context, group): (Value, Value, Value, Value, Value)| {
        let subject = subject_text(lua, subject)?;
        let place = Place::read(&context)?;
        let group = if group.is_nil() { 0.0 } else { number(&group).ok_or("the number of the group is not a number")? };
        let found = own.of(lua, &pattern, &options).and_then(|expression| own.search(&expression, &subject.as_bytes(), place.start));
        Ok(match found {
            Err(problem) => failed(lua, 2, &problem),
            Ok(None) => none(),
            Ok(Some(groups)) => {
                place.set(&groups);
                // A group that took no part has no place.
                let range = groups.get(group.max(0.0) as usize).cloned().flatten();
                range.map_or_else(none, |range| many([whole(range.start + 1), whole(range.end)]))
            }
        })
    };
    re.raw_set("find", functions.make(move |_, lua, arguments| find(lua, arguments))?)?;

    let own = Rc::clone(&expressions);
    let find_match = move |lua: &Lua, (subject, pattern, options, context): (Value, Value, Value, Value)| {
        let subject = subject_text(lua, subject)?;
        let place = Place::read(&context)?;
        let found = own.of(lua, &pattern, &options).and_then(|expression| {
            let groups = own.search(&expression, &subject.as_bytes(), place.start)?;
            Ok(groups.map(|groups| (expression, groups)))
        });
        match found {
            Err(problem) => Ok(failed(lua, 1, &problem)),
            Ok(None) => Ok(none()),
            Ok(Some((expression, groups))) => {
                place.set(&groups);
                Ok(many([Value::Table(match_table(lua, &expression, &subject, &groups)?)]))
            }
        }
    };
    re.raw_set("match", functions.make(move |_, lua, arguments| find_match(lua, arguments))?)?;

    let own = Rc::clone(&expressions);
    let find_all = move |lua: &Lua, (subject, pattern, options): (Value, Value, Value)| {
        let subject = subject_text(lua, subject)?;
        match own.of(lua, &pattern, &options) {
            Ok(expression) => Ok(many([Value::Function(iterator(lua, &own, expression, subject)?)])),
            Err(problem) => Ok(failed(lua, 1, &problem)),
        }
    };
    re.raw_set("gmatch", functions.make(move |_, lua, arguments| find_all(lua, arguments))?)?;

    for (name, limit) in [("sub", 1), ("gsub", usize::MAX)] {
        let own = Rc::clone(&expressions);
        let replace = move |lua: &Lua, (subject, pattern, by, options): (Value, Value, Value, Value)| {
            let subject = subject_text(lua, subject)?;
            let by = Replacement::read(&by)?;
            let replaced = match own.of(lua, &pattern, &options) {
                Ok(expression) => own.replaced(lua, &expression, &subject, &by, limit)?,
                Err(problem) => Err(problem),
            };
            Ok::<_, String>(match replaced {
                Ok((text, count)) => many([Value::String(lua.create_string(text).map_err(|error| problem_of(&error))?), whole(count)]),
                Err(problem) => failed(lua, 2, &problem),
            })
        };
        re.raw_set(name, functions.make(move |_, lua, arguments| replace(lua, arguments))?)?;
    }
    Ok(re)
}

/// The table that says where a search starts, and gets the place after the match.
struct Place {
    table: Option<Table>,
    start: usize,
}

impl Place {
    fn read(context: &Value) -> std::result::Result<Self, String> {
        let table = match context {
            Value::Nil => return Ok(Self { table: None, start: 0 }),
            Value::Table(table) => table.clone(),
            other => return Err(format!("the context is not a table, but {}", kind(other))),
        };
        let start = table.raw_get::<Value>("pos").ok().and_then(|pos| number(&pos)).unwrap_or(1.0);
        // Counts from 1; saturates.
        Ok(Self { table: Some(table), start: (start - 1.0).max(0.0) as usize })
    }

    fn set(&self, groups: &Groups) {
        if let (Some(table), Some(Some(whole))) = (&self.table, groups.first()) {
            // Without memory for it, the script is about to end.
            let _ = table.raw_set("pos", whole.end + 1);
        }
    }
}

/// Makes the function that gives one match after the other.
fn iterator(
    lua: &Lua,
    expressions: &Rc<Expressions>,
    expression: Rc<Expression>,
    subject: LuaString,
) -> std::result::Result<Function, String> {
    let (own, at) = (Rc::clone(expressions), RefCell::new(Some(0)));
    let next = move |lua: &Lua, (): ()| {
        let Some(start) = *at.borrow() else { return Ok(none()) };
        let found = own.search(&expression, &subject.as_bytes(), start);
        own.check()?;
        match found {
            Ok(Some(groups)) => {
                *at.borrow_mut() = groups.first().cloned().flatten().map(|whole| after(&whole));
                match_table(lua, &expression, &subject, &groups).map(|table| many([Value::Table(table)])).map_err(mlua::Error::runtime)
            }
            Ok(None) => {
                *at.borrow_mut() = None;
                Ok(none())
            }
            Err(problem) => {
                *at.borrow_mut() = None;
                Ok(failed(lua, 1, &problem))
            }
        }
    };
    lua.create_function(next).map_err(|error| problem_of(&error))
}

/// Returns the start of the next search after a match. An empty one is not found again.
fn after(whole: &Range<usize>) -> usize {
    if whole.is_empty() { whole.end + 1 } else { whole.end }
}

/// Makes the table of a match: the whole at 0, groups by number and by name; `false` for one that took no part.
fn match_table(lua: &Lua, expression: &Expression, subject: &LuaString, groups: &Groups) -> std::result::Result<Table, String> {
    let make = || {
        let bytes = subject.as_bytes();
        let table = lua.create_table()?;
        for (number, range) in groups.iter().enumerate() {
            let value = match range {
                Some(range) => Value::String(lua.create_string(bytes.get(range.clone()).unwrap_or_default())?),
                None => Value::Boolean(false),
            };
            if let Some(name) = expression.name(number) {
                table.raw_set(name, &value)?;
            }
            table.raw_set(number, value)?;
        }
        Ok::<_, mlua::Error>(table)
    };
    make().map_err(|error| problem_of(&error))
}

impl Expressions {
    /// Replaces matches; returns the new text and the number of matches, or why there is none. An error of a function that gives replacements is one of
    /// the script.
    fn replaced(
        &self,
        lua: &Lua,
        expression: &Expression,
        subject: &LuaString,
        by: &Replacement,
        limit: usize,
    ) -> std::result::Result<Found<(Vec<u8>, usize)>, String> {
        let bytes = subject.as_bytes();
        let (mut text, mut copied, mut start, mut count) = (Vec::new(), 0, 0, 0_usize);
        while count < limit {
            let found = self.search(expression, &bytes, start);
            // Each search may read the rest of the text.
            self.check().map_err(|error| problem_of(&error))?;
            let groups = match found {
                Ok(Some(groups)) => groups,
                Ok(None) => break,
                Err(problem) => return Ok(Err(problem)),
            };
            let Some(whole) = groups.first().cloned().flatten() else { break };
            count += 1;
            text.extend_from_slice(bytes.get(copied..whole.start).unwrap_or_default());
            match by {
                Replacement::Parts(parts) => replacement::put(parts, &bytes, &groups, &mut text, MAX_TEXT),
                Replacement::Function(function) => {
                    let table = match_table(lua, expression, subject, &groups)?;
                    let value = self.nested(|| function.call::<Value>(table).map_err(|error| problem_of(&error)))?;
                    let value = super::arguments::bytes(&value).ok_or_else(|| format!("the function gave {}", kind(&value)))?;
                    text.extend_from_slice(&value);
                }
            }
            (copied, start) = (whole.end, after(&whole));
            if text.len() > MAX_TEXT {
                return Ok(Err(format!("the new text is longer than {} MiB", MAX_TEXT >> 20)));
            }
        }
        text.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        Ok(Ok((text, count)))
    }
}

/// Returns a text; numbers are taken as texts.
fn subject_text(lua: &Lua, value: Value) -> std::result::Result<LuaString, String> {
    let kind = kind(&value);
    let text = lua.coerce_string(value).map_err(|error| problem_of(&error))?;
    text.ok_or_else(|| format!("the subject is not a text, but {kind}"))
}

/// Returns a problem behind so many nils.
fn failed(lua: &Lua, nils: usize, problem: &str) -> MultiValue {
    let text = problem.into_lua(lua).unwrap_or(Value::Nil);
    std::iter::repeat_n(Value::Nil, nils).chain([text]).collect()
}

fn none() -> MultiValue {
    many([Value::Nil])
}

fn many<const N: usize>(values: [Value; N]) -> MultiValue {
    values.into_iter().collect()
}

/// An offset or a count: small enough to be exact as a Lua number.
fn whole(number: usize) -> Value {
    Value::Number(number as f64)
}
