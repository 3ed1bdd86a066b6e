//! `register` and `log`, which a script may call while it is being loaded.

use super::arguments::{number, text};
use super::{Module, Plugin, TYPE_PROCESS, TYPE_TICKER};
use crate::registration::{Condition, MAX_REGISTRATIONS, Registration, Trigger, whole};
use mlua::{Lua, Result, Value};
use std::time::Duration;

/// Maximum time between two ticks, in seconds: a year.
const MAX_TICK: i64 = 366 * 86_400;

pub fn add(module: &Module<'_>) -> Result<()> {
    module.add_always("register", |plugin, _, (kind, first, second): (Value, Value, Value)| {
        register(plugin, &kind, &first, second).map_err(|problem| format!("skynet.register: {problem}"))
    })?;
    module.add_always("log", |plugin, lua, (tag, message): (Value, Value)| {
        log(plugin, lua, &tag, &message).map_err(|problem| format!("skynet.log: {problem}"))
    })
}

fn register(plugin: &Plugin, kind: &Value, first: &Value, function: Value) -> std::result::Result<(), String> {
    if !plugin.current.is_load() {
        return Err("a plugin registers its functions while it is being loaded, not later".to_owned());
    }
    let Value::Function(function) = function else {
        return Err(format!("the third argument is not a function, but {}", function.type_name()));
    };
    let trigger = match whole(kind) {
        Some(TYPE_PROCESS) => match first {
            Value::Table(table) => Trigger::Requests(Box::new(Condition::read(table)?)),
            other => return Err(format!("the second argument is not a match table, but {}", other.type_name())),
        },
        Some(TYPE_TICKER) => {
            let seconds = number(first, "the time between two ticks, in seconds,", 1..=MAX_TICK)?;
            Trigger::Ticks(Duration::from_secs(seconds.unsigned_abs()))
        }
        _ => return Err("the first argument is neither skynet.TYPE_PROCESS nor skynet.TYPE_TICKER".to_owned()),
    };
    let mut registrations = plugin.registrations.borrow_mut();
    if registrations.len() >= MAX_REGISTRATIONS {
        return Err(format!("a plugin registers at most {MAX_REGISTRATIONS} functions"));
    }
    registrations.push(Registration { trigger, function });
    Ok(())
}

fn log(plugin: &Plugin, lua: &Lua, tag: &Value, message: &Value) -> std::result::Result<(), String> {
    let (tag, message) = (text(lua, tag, "the tag")?, text(lua, message, "the message")?);
    plugin.services.log().write(&plugin.name, &String::from_utf8_lossy(&tag), &String::from_utf8_lossy(&message))
}
