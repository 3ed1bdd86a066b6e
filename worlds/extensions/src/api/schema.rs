//! The module `Lua.SchemaDB`: `update` replaces a list of addresses in the store.
//!
//! Of the resources that the published interface has, there is one: `{"applications", ID, "ip_list", LIST}`, the list that rules name with
//! `SecIpList blacklist list:LIST site:ID`. `ID` is the number of a site; lists of different sites have different names.

use super::arguments::{bytes, kind, table};
use super::{Context, Functions, problem_of};
use mlua::{Result, Table, Value};
use secrule::ListError;
use secrule::internals::store::MAX_LIST_ENTRIES;
use std::time::Duration;

/// Maximum length of an entry, in bytes: longer texts are not kept until the list is checked.
const MAX_ENTRY: usize = 100;

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
        let entries = entries.iter().map(String::as_str);
        let put = context.runner.services.waf().put_list_within(&name, entries, context.time(Duration::MAX));
        put.map_err(|error| match error {
            ListError::Name(_) => format!("no such resource: {error}"),
            error => error.to_string(),
        })?;
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
    Ok(name)
}

/// Reads the entries of a list: texts, or rows with the column `ip`.
fn entries(context: &Context, items: &Table) -> std::result::Result<Vec<String>, String> {
    let mut entries = Vec::new();
    if items.raw_len() > MAX_LIST_ENTRIES {
        return Err(ListError::TooLarge.to_string());
    }
    for at in 1..=items.raw_len() {
        // A part of a list must not replace the whole.
        context.budget.spend_on(1_000).map_err(|excess| excess.to_string())?;
        let item = items.raw_get::<Value>(at).map_err(|error| problem_of(&error))?;
        let item = match &item {
            Value::Table(row) => row.raw_get::<Value>("ip").map_err(|error| problem_of(&error))?,
            item => item.clone(),
        };
        let text = item.as_string().ok_or_else(|| format!("item {at} has no address, but {}", kind(&item)))?;
        if text.as_bytes().len() > MAX_ENTRY {
            return Err(format!("item {at} is longer than an address"));
        }
        entries.push(text.to_string_lossy());
    }
    Ok(entries)
}
