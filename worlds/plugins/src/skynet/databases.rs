//! `db_get`, `db_set`, `db_del`, `db_size`, `db_clear`, `db_add` and `db_sub`: databases of texts, one of each plugin, and one of all.

use super::arguments::text;
use super::{DB_GLOBAL, DB_LOCAL, Module, Plugin};
use crate::registration::whole;
use mlua::{Lua, Result, Value};
use secrule::{AddError, Down, WriteError};

/// The map of the database that all plugins share.
const GLOBAL: &str = "plugins";

/// Maximum lengths of a key and of a value, in bytes.
const MAX_KEY: usize = 256;
const MAX_VALUE: usize = 64 << 10;

pub fn add(module: &Module<'_>) -> Result<()> {
    module.add("db_get", |plugin, lua, (db, key): (Value, Value)| {
        let (map, key) = (map(plugin, &db)?, read_key(lua, &key)?);
        let value = plugin.services.ask_store(|store, by| store.map_get(&map, &key, by)).map_err(not_answered)?;
        value.map(|value| lua.create_string(value)).transpose().map_err(super::internal)
    })?;
    module.add("db_set", |plugin, lua, (db, key, value): (Value, Value, Value)| {
        let (map, key, value) = (map(plugin, &db)?, read_key(lua, &key)?, text(lua, &value, "the value")?);
        if value.len() > MAX_VALUE {
            return Err(format!("the value has more than {MAX_VALUE} bytes"));
        }
        plugin.services.ask_store(|store, by| store.map_set(&map, &key, &value, by)).map_err(not_written)
    })?;
    module.add("db_del", |plugin, lua, (db, key): (Value, Value)| {
        let (map, key) = (map(plugin, &db)?, read_key(lua, &key)?);
        plugin.services.ask_store(|store, by| store.map_remove(&map, &key, by)).map_err(not_answered)
    })?;
    module.add("db_size", |plugin, _, db: Value| {
        let map = map(plugin, &db)?;
        plugin.services.ask_store(|store, by| store.map_size(&map, by)).map_err(not_answered)
    })?;
    module.add("db_clear", |plugin, _, db: Value| {
        let map = map(plugin, &db)?;
        plugin.services.ask_store(|store, by| store.map_clear(&map, by)).map_err(not_answered)
    })?;
    module.add("db_add", |plugin, lua, (db, key, value): (Value, Value, Value)| add_to(plugin, &db, &read_key(lua, &key)?, &value, 1.0))?;
    module.add("db_sub", |plugin, lua, (db, key, value): (Value, Value, Value)| add_to(plugin, &db, &read_key(lua, &key)?, &value, -1.0))
}

fn add_to(plugin: &Plugin, db: &Value, key: &[u8], value: &Value, sign: f64) -> std::result::Result<f64, String> {
    let map = map(plugin, db)?;
    let amount = match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        Value::String(text) => text.to_string_lossy().trim().parse().ok(),
        _ => None,
    };
    let amount = amount.filter(|amount: &f64| amount.is_finite()).ok_or_else(|| "the amount is not a number".to_owned())?;
    let sum = plugin.services.ask_store(|store, by| store.map_add(&map, key, sign * amount, by));
    sum.map_err(|error| match error {
        AddError::NoNumber => format!("the value of `{}` is not a number", String::from_utf8_lossy(key)),
        AddError::Write(error) => not_written(error),
        other => other.to_string(),
    })
}

/// Returns the map of a database in the store.
fn map(plugin: &Plugin, db: &Value) -> std::result::Result<String, String> {
    match whole(db) {
        Some(DB_LOCAL) => Ok(format!("plugin:{}", plugin.name)),
        Some(DB_GLOBAL) => Ok(GLOBAL.to_owned()),
        _ => Err("the database is neither skynet.DB_LOCAL nor skynet.DB_GLOBAL".to_owned()),
    }
}

/// Reads a key. `1` and `"1"` are the same.
fn read_key(lua: &Lua, value: &Value) -> std::result::Result<Vec<u8>, String> {
    let key = text(lua, value, "the key")?;
    match key.len() {
        0 => Err("the key is empty".to_owned()),
        1..=MAX_KEY => Ok(key),
        _ => Err(format!("the key has more than {MAX_KEY} bytes")),
    }
}

fn not_answered(down: Down) -> String {
    format!("the store does not answer: {down}")
}

fn not_written(error: WriteError) -> String {
    match error {
        WriteError::Down(down) => not_answered(down),
        WriteError::Full(_) => "the database is full: it holds 100,000 values and 64 MiB at most".to_owned(),
        other => other.to_string(),
    }
}
