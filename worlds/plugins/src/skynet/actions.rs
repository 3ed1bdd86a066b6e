//! `action_ban` and `action_limit`. They return nil, or a text that says why nothing happened.

use super::arguments::{KeyTable, number};
use super::{Module, Plugin};
use mlua::{Result, Value};
use secrule::Quota;
use std::time::{Duration, SystemTime};

/// Longest time of a ban or a limit, in seconds: ten years.
const LONGEST: i64 = 10 * 366 * 86_400;

pub fn add(module: &Module<'_>) -> Result<()> {
    module.add("action_ban", |plugin, _, (key, duration): (Value, Value)| {
        let key = KeyTable::read(&key)?.request_key();
        let until = end(&duration)?;
        Ok(plugin.services.ask_store(|store, by| store.ban(&key, until, by)).err().map(|down| not_answered(&down)))
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
    let key = KeyTable::read(key)?.request_key();
    let until = end(duration)?;
    let period = Duration::from_secs(number(period, "the period, in seconds,", 1..=LONGEST)?.unsigned_abs());
    let limit = u32::try_from(number(limit, "the limit", 0..=i64::from(u32::MAX))?).unwrap_or(u32::MAX);
    let asked = plugin.services.ask_store(|store, by| match limit {
        // A limit of no request is a ban.
        0 => store.ban(&key, until, by),
        _ => store.limit(&key, Quota::new(limit, period, limit), until, by),
    });
    Ok(asked.err().map(|down| not_answered(&down)))
}

fn end(duration: &Value) -> std::result::Result<SystemTime, String> {
    let seconds = number(duration, "the duration, in seconds,", 1..=LONGEST)?;
    Ok(SystemTime::now() + Duration::from_secs(seconds.unsigned_abs()))
}

fn not_answered(down: &secrule::Down) -> String {
    format!("the store does not answer: {down}")
}
