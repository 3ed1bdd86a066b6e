//! JSON and lists as values of Lua. What is null is absent.

use mlua::{Lua, Result, Value};
use serde_json::Value as Json;

/// Makes a value. JSON that was read from a text is nested at most 128 levels deep.
pub fn value(lua: &Lua, json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(values) => list(lua, values, value)?,
        Json::Object(members) => map(lua, members, value)?,
    })
}

/// Makes a table of values by their numbers, from 1. A number whose value is nil is absent.
pub fn list<'v, T: 'v>(lua: &Lua, values: impl IntoIterator<Item = &'v T>, value: impl Fn(&Lua, &T) -> Result<Value>) -> Result<Value> {
    let table = lua.create_table()?;
    for (at, element) in (1..).zip(values) {
        table.raw_set(at, value(lua, element)?)?;
    }
    Ok(Value::Table(table))
}

/// Makes a table of values by their names.
pub fn map<'v, T: 'v>(
    lua: &Lua,
    members: impl IntoIterator<Item = (&'v String, &'v T)>,
    value: impl Fn(&Lua, &T) -> Result<Value>,
) -> Result<Value> {
    let table = lua.create_table()?;
    for (name, member) in members {
        table.raw_set(name.as_str(), value(lua, member)?)?;
    }
    Ok(Value::Table(table))
}
