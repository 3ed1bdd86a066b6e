//! `get_target`, `get_session` and `get_detailed_info`: what a callback for a request is about.

use super::{Module, internal};
use crate::attack::{attack_type, risk_level};
use crate::registration::Target;
use mlua::{Lua, Result, Table};
use secrule_host::Exchange;
use std::time::SystemTime;

pub fn add(module: &Module<'_>) -> Result<()> {
    module.add("get_target", |plugin, _, ()| Ok(plugin.current.request()?.1.number()))?;
    // The documents have both names.
    for name in ["get_session", "get_sesion"] {
        module.add(name, |plugin, lua, ()| sessions(lua, &plugin.current.request()?.0).map_err(internal))?;
    }
    module.add("get_detailed_info", |plugin, lua, ()| {
        let (exchange, target) = plugin.current.request()?;
        let node = plugin.services.leadership().machine();
        match target {
            Target::Access => of_access(lua, &exchange),
            Target::Detect => of_attack(lua, &exchange, node),
        }
        .map_err(internal)
    })
}

/// Returns the sessions as pairs of name and value. The published example counts the members of a pair from 0, the text from 1: the name is at both.
fn sessions(lua: &Lua, exchange: &Exchange) -> Result<Table> {
    let list = lua.create_table()?;
    for (name, value) in &exchange.sessions {
        let pair = lua.create_table()?;
        let name = lua.create_string(name)?;
        pair.raw_set(0, &name)?;
        pair.raw_set(1, &name)?;
        pair.raw_set(2, lua.create_string(value)?)?;
        list.raw_push(pair)?;
    }
    Ok(list)
}

/// Returns the client that a trusted peer named; otherwise nothing.
fn source(exchange: &Exchange) -> String {
    exchange.client.filter(|_| exchange.is_forwarded).map(|client| client.to_string()).unwrap_or_default()
}

fn of_access(lua: &Lua, exchange: &Exchange) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("ip", lua.create_string(&exchange.peer)?)?;
    table.raw_set("time", exchange.backend.unwrap_or_default().as_secs_f64())?;
    table.raw_set("host", lua.create_string(&exchange.host)?)?;
    table.raw_set("uri", lua.create_string(&exchange.target)?)?;
    table.raw_set("src_ip", source(exchange))?;
    Ok(table)
}

fn of_attack(lua: &Lua, exchange: &Exchange, node: &str) -> Result<Table> {
    let attack = exchange.attack.clone().unwrap_or_default();
    let table = lua.create_table()?;
    let client = exchange.client.map_or_else(|| String::from_utf8_lossy(&exchange.peer).into_owned(), |client| client.to_string());
    let arrived = exchange.arrived.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let numbers = [
        ("timestamp", i64::try_from(arrived).unwrap_or(i64::MAX)),
        ("attack_type", attack_type(attack.tags.iter().map(AsRef::as_ref))),
        ("risk_level", risk_level(attack.severity)),
        ("action", i64::from(exchange.is_denied)),
    ];
    numbers.into_iter().try_for_each(|(name, number)| table.raw_set(name, number))?;
    let (rule, status) = (attack.rule.to_string(), exchange.status.to_string());
    let texts: [(&str, &[u8]); 15] = [
        ("node", node.as_bytes()),
        ("host", &exchange.host),
        ("event_id", &attack.unique_id),
        ("req_header_raw", &attack.request_head),
        ("rule_id", rule.as_bytes()),
        ("src_ip", client.as_bytes()),
        ("user_agent", &attack.user_agent),
        ("urlpath", &exchange.url_path),
        ("method", &exchange.method),
        ("dest_ip", &exchange.server),
        ("resp_header_raw", &attack.response_head),
        ("resp_body", &attack.response_body),
        ("resp_status_code", status.as_bytes()),
        ("body", &attack.request_body),
        ("uri", &exchange.target),
    ];
    texts.into_iter().try_for_each(|(name, text)| table.raw_set(name, lua.create_string(text)?))?;
    Ok(table)
}
