//! JSON as values of Lua. What is null is absent.

use mlua::{Lua, Result, Value};
use serde_json::Value as Json;

/// Makes a value. JSON that was read from a text is nested at most 128 levels deep.
pub fn value(lua: &Lua, json: &Json) -> Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Boolean(*truth),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(values) => {
            let table = lua.create_table()?;
            for (at, json) in (1..).zip(values) {
                table.raw_set(at, value(lua, json)?)?;
            }
            Value::Table(table)
        }
        Json::Object(members) => {
            let table = lua.create_table()?;
            for (name, json) in members {
                table.raw_set(name.as_str(), value(lua, json)?)?;
            }
            Value::Table(table)
        }
    })
}
