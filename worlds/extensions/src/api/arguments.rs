//! Arguments of the functions: texts, numbers and tables.

use super::numbers;
use mlua::{LuaString, Table, Value};
use std::time::Duration;

/// Returns a text; `what` names it in the error.
pub fn text(value: &Value, what: &str) -> Result<LuaString, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(format!("{what} is not a text, but {}", kind(other))),
    }
}

/// Returns a text of UTF-8.
pub fn plain_text(value: &Value, what: &str) -> Result<String, String> {
    let text = text(value, what)?;
    text.to_str().map(|text| text.to_owned()).map_err(|_| format!("{what} is not UTF-8"))
}

/// Returns a table, or `None` for nil.
pub fn table<'v>(value: &'v Value, what: &str) -> Result<Option<&'v Table>, String> {
    match value {
        Value::Nil => Ok(None),
        Value::Table(table) => Ok(Some(table)),
        other => Err(format!("{what} is not a table, but {}", kind(other))),
    }
}

/// Returns the number of a value, or of a text as Lua reads it.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => text.to_str().ok()?.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// Returns a whole number from `min` on, or a default for nil.
pub fn whole(value: &Value, default: u32, min: u32, what: &str) -> Result<u32, String> {
    if value.is_nil() {
        return Ok(default);
    }
    let number = number(value).filter(|number| number.fract() == 0.0 && *number >= f64::from(min));
    // Saturates: what is larger is as good as no limit.
    number.map(|number| number as u32).ok_or_else(|| format!("{what} is not a whole number from {min}"))
}

/// Returns a time above 0, in units of so many seconds, or a default for nil.
pub fn time(value: &Value, unit: f64, default: Duration, what: &str) -> Result<Duration, String> {
    if value.is_nil() {
        return Ok(default);
    }
    let seconds = number(value).filter(|number| *number > 0.0).map(|number| number * unit);
    let time = seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    time.ok_or_else(|| format!("{what} is not a number above 0"))
}

/// Returns the bytes of a text, or of a number as Lua writes it.
pub fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        other => numbers::text(other).map(String::into_bytes),
    }
}

/// Returns the type of a value, in a sentence.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) | Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Table(_) => "a table",
        Value::Function(_) => "a function",
        _ => "something else",
    }
}
