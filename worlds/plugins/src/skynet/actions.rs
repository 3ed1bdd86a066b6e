//! `action_ban` and `action_limit`. They return nil, or a text that says why nothing happened.

use super::arguments::{KeyTable, number};
use super::{Module, Plugin};
use mlua::{Result, Value};
use secrule::Quota;
use secrule::internals::store::time_text;
use std::time::{Duration, SystemTime};

/// The tag of log lines about bans and limits.
const ACTION: &str = "action";

/// Maximum time of a ban or a limit, in seconds: ten years.
const MAX_TIME: i64 = 10 * 366 * 86_400;

pub fn add(module: &Module<'_>) -> Result<()> {
    module.add("action_ban", |plugin, _, (key, duration): (Value, Value)| {
        let key = KeyTable::read(&key)?;
        let until = end(&duration)?;
        if let Some(problem) = key.problem() {
            return Ok(Some(problem));
        }
        let request_key = key.request_key();
        let asked = plugin.services.ask_store(|store, by| store.ban(&request_key, until, by));
        Ok(reported(plugin, asked, || format!("banned {key} until {}", time_text(until))))
    })?;
    module.add("action_limit", |plugin, _, (key, duration, period, limit): (Value, Value, Value, Value)| {
        action_limit(plugin, &key, &duration, &period, &limit)
    })
}

fn action_limit(
    plugin: &Plugin,
    key: &Value,
    duration: &Value,
    period: &Value,
    limit: &Value,
) -> std::result::Result<Option<String>, String> {
    let key = KeyTable::read(key)?;
    let until = end(duration)?;
    let request_key = key.request_key();
    let period = Duration::from_secs(number(period, "the period, in seconds,", 1..=MAX_TIME)?.unsigned_abs());
    let limit = u32::try_from(number(limit, "the limit", 0..=i64::from(u32::MAX))?).unwrap_or(u32::MAX);
    if let Some(problem) = key.problem() {
        return Ok(Some(problem));
    }
    let asked = plugin.services.ask_store(|store, by| match limit {
        // A limit of no request is a ban.
        0 => store.ban(&request_key, until, by),
        _ => store.limit(&request_key, Quota::new(limit, period, limit), until, by),
    });
    Ok(reported(plugin, asked, || format!("limited {key} to {limit} requests in {} s until {}", period.as_secs(), time_text(until))))
}

/// Writes what was done to the log, so that a denied client can be traced to the plugin. Returns the reason if it was not done.
fn reported(plugin: &Plugin, asked: std::result::Result<(), secrule::Down>, action: impl FnOnce() -> String) -> Option<String> {
    match asked {
        Ok(()) => {
            // A flood of bans is cut as any other flood of lines.
            let _ = plugin.services.log().write(&plugin.name, ACTION, &action());
            None
        }
        Err(down) => Some(format!("the store does not answer: {down}")),
    }
}

fn end(duration: &Value) -> std::result::Result<SystemTime, String> {
    let seconds = number(duration, "the duration, in seconds,", 1..=MAX_TIME)?;
    Ok(SystemTime::now() + Duration::from_secs(seconds.unsigned_abs()))
}
