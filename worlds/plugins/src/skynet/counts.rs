//! `stat_visit`, `stat_time`, `stat_resp_code` and `top_n`.

use super::arguments::{KeyTable, number};
use super::{Module, Plugin, TOP_DURATION_5S, internal, number_of};
use crate::registration::whole;
use crate::statistics::{MAX_WINDOW, Totals};
use crate::top::{MAX_ENTRIES, TopEntry, TopType};
use mlua::{Lua, Result, Table, Value};

pub fn add(module: &Module<'_>) -> Result<()> {
    module.add("stat_visit", |plugin, _, (key, time): (Value, Value)| Ok(totals(plugin, &key, &time)?.visits))?;
    module.add("stat_time", |plugin, _, (key, time): (Value, Value)| Ok(totals(plugin, &key, &time)?.backend_seconds()))?;
    module.add("stat_resp_code", |plugin, lua, (key, time): (Value, Value)| {
        lua.create_sequence_from(totals(plugin, &key, &time)?.responses).map_err(internal)
    })?;
    module.add("top_n", |plugin, lua, (top_type, count, duration): (Value, Value, Value)| top(plugin, lua, &top_type, &count, &duration))
}

fn totals(plugin: &Plugin, key: &Value, time: &Value) -> std::result::Result<Totals, String> {
    let table = KeyTable::read(key)?;
    let seconds = number(time, "the time, in seconds,", 1..=i64::from(MAX_WINDOW))?;
    let key = table.key().ok_or_else(|| "the key has no parts".to_owned())?;
    Ok(plugin.traffic.totals(&key, u32::try_from(seconds).unwrap_or(MAX_WINDOW)))
}

fn top(plugin: &Plugin, lua: &Lua, top_type: &Value, count: &Value, duration: &Value) -> std::result::Result<Table, String> {
    let wanted = whole(top_type);
    let Some(top_type) = TopType::ALL.into_iter().find(|known| Some(number_of(*known)) == wanted) else {
        return Err("the type is not one of skynet.TOP_…".to_owned());
    };
    if whole(duration) != Some(TOP_DURATION_5S) {
        return Err("the duration is not skynet.TOP_DURATION_5S".to_owned());
    }
    let count = number(count, "the number of entries", 1..=i64::MAX)?;
    let entries = plugin.traffic.top(top_type, usize::try_from(count).unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES));
    let list = lua.create_table_with_capacity(entries.len(), 0).map_err(internal)?;
    entries.iter().try_for_each(|entry| list.raw_push(row(lua, entry)?)).map_err(internal)?;
    Ok(list)
}

fn row(lua: &Lua, entry: &TopEntry) -> Result<Table> {
    let row = lua.create_table()?;
    if let Some(ip) = entry.ip {
        row.raw_set("ip", ip.to_string())?;
    }
    if let Some(host) = &entry.host {
        row.raw_set("host", host.as_str())?;
    }
    for (name, text) in [("urlpath", &entry.url_path), ("session", &entry.session)] {
        if let Some(text) = text {
            row.raw_set(name, lua.create_string(text)?)?;
        }
    }
    row.raw_set("count", entry.count)?;
    Ok(row)
}
