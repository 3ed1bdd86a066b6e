//! The module `Lua.SchemaDB`: `update` replaces a list of addresses in the store.
//!
//! Of the resources that the published interface has, there is one: `{"applications", ID, "ip_list", LIST}`, the list that rules name with
//! `SecIpList blacklist list:LIST site:ID`. `ID` is the number of a site; lists of different sites have different names.

use super::arguments::{bytes, kind, number, table};
use super::{Context, Functions, problem_of};
use ipnet::IpNet;
use mlua::{Result, Table, Value};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Maximum number of entries of a list.
const MAX_ENTRIES: usize = 1_000_000;

/// Maximum length of the name of a list.
const LONGEST_NAME: usize = 64;

/// The time that writing a list may take: it may be large.
const TIME: Duration = Duration::from_secs(10);

/// Makes the module.
pub fn module(functions: &Functions<'_>) -> Result<Table> {
    let module = functions.lua().create_table()?;
    let update = functions.answer(|context, _, (path, body): (Value, Value)| {
        let name = list_name(&path)?;
        let Some(body) = table(&body, "the second argument")? else {
            return Err("the second argument is nil: write {items = LIST}".to_owned());
        };
        let items = body.raw_get::<Value>("items").map_err(|error| problem_of(&error))?;
        let Some(items) = table(&items, "`items`")? else { return Err("`items` is nil: give it a list of addresses".to_owned()) };
        let entries = entries(context, items)?;
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let now = Instant::now();
        let by = now.checked_add(context.time(TIME)).unwrap_or(now);
        context.runner.services.waf().store().put_list(&name, &entries, by).map_err(|problem| problem.to_string())?;
        Ok(true)
    })?;
    module.raw_set("update", update)?;
    Ok(module)
}

/// Returns the name of the list that a path means.
fn list_name(path: &Value) -> std::result::Result<String, String> {
    let no_resource = || "no such resource: there is {\"applications\", ID, \"ip_list\", LIST}".to_owned();
    let parts = path.as_table().ok_or_else(no_resource)?;
    let part = |at: usize| parts.raw_get::<Value>(at).ok().and_then(|part| bytes(&part)).and_then(|part| String::from_utf8(part).ok());
    let (Some(kind), Some(site), Some(list), Some(name), 4) = (part(1), part(2), part(3), part(4), parts.raw_len()) else {
        return Err(no_resource());
    };
    if (kind.as_str(), list.as_str()) != ("applications", "ip_list") {
        return Err(no_resource());
    }
    if site.parse::<u64>().is_err() {
        return Err(format!("no such resource: `{}` is not the number of a site", site.escape_debug()));
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_part) {
        return Err(format!("no such resource: `{}` is not the name of a list", name.escape_debug()));
    }
    Ok(name)
}

/// Reads addresses and networks: texts, or rows with the column `ip`. Each is taken once.
fn entries(context: &Context, items: &Table) -> std::result::Result<BTreeSet<String>, String> {
    let mut entries = BTreeSet::new();
    for at in 1..=items.raw_len() {
        // What is over is seen by the caller of the function.
        if context.budget.spend_on(1_000).is_err() {
            break;
        }
        let item = items.raw_get::<Value>(at).map_err(|error| problem_of(&error))?;
        let item = match &item {
            Value::Table(row) => row.raw_get::<Value>("ip").map_err(|error| problem_of(&error))?,
            item => item.clone(),
        };
        let text = item.as_string().map(|text| text.to_string_lossy());
        let text = text.ok_or_else(|| format!("item {at} has no address, but {}", number(&item).map_or(kind(&item), |_| "a number")))?;
        entries.insert(network(&text).ok_or_else(|| format!("item {at}, `{}`, is not an address or a network", text.escape_debug()))?);
        if entries.len() > MAX_ENTRIES {
            return Err(format!("a list has at most {MAX_ENTRIES} entries"));
        }
    }
    Ok(entries)
}

/// Returns an address or a network in its canonical form.
fn network(text: &str) -> Option<String> {
    let text = text.trim();
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().to_string()),
        Err(_) => text.parse::<IpNet>().ok().map(|network| network.trunc().to_string()),
    }
}
