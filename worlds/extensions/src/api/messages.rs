//! `output`: messages for the history.

use super::json::{Purpose, Writer};
use super::{Context, Functions, numbers};
use mlua::{Function, Result, Value, Variadic};

/// Makes `output`. It takes any values; those after the first are added, parted by a blank. It never fails.
pub fn output(functions: &Functions<'_>) -> Result<Function> {
    functions.make(|context, _, values: Variadic<Value>| {
        if let Some(room) = context.output.room() {
            context.output.add(&message(context, &values, room));
        }
        Ok(())
    })
}

/// Returns the text of values, which is not much longer than the room.
pub fn message(context: &Context, values: &[Value], room: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(b' ');
        }
        if text.len() > room {
            break;
        }
        match value {
            Value::String(written) => {
                let written = written.as_bytes();
                text.extend_from_slice(written.get(..room.saturating_add(1)).unwrap_or(&written));
            }
            Value::Table(_) => {
                let written = Writer::new(Purpose::Reading, room.saturating_add(1), &context.budget).write(value);
                text.extend_from_slice(&written.unwrap_or_default());
            }
            Value::Nil => text.extend_from_slice(b"nil"),
            Value::Boolean(truth) => text.extend_from_slice(truth.to_string().as_bytes()),
            Value::Integer(_) | Value::Number(_) => text.extend_from_slice(numbers::text(value).unwrap_or_default().as_bytes()),
            other => text.extend_from_slice(other.type_name().as_bytes()),
        }
    }
    text
}
