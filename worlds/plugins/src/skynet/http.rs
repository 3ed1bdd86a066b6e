//! `http_get` and `http_post`. They return a response, or nil and a text.

use super::arguments::text;
use super::{Module, Plugin, internal};
use mlua::{Lua, Result, Table, Value};
use secrule::internals::lua::{Budget, unhurried};
use secrule_host::{Body, HeaderList, Request, Response};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Maximum time of a request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum length of the body of a response, in bytes.
const MAX_BODY: usize = 1 << 20;

/// A response, or nil, and an error, or nil.
type Answer = (Option<Table>, Option<String>);

pub fn add(module: &Module<'_>) -> Result<()> {
    let budget = module.resident.budget();
    let own = Rc::clone(&budget);
    module.add("http_get", move |plugin, lua, (url, header): (Value, Value)| request(plugin, lua, &own, "GET", &url, &header, None))?;
    module.add("http_post", move |plugin, lua, (url, header, data): (Value, Value, Value)| {
        let data = match &data {
            Value::Nil => Vec::new(),
            data => text(lua, data, "the data")?,
        };
        request(plugin, lua, &budget, "POST", &url, &header, Some(&data))
    })
}

fn request(
    plugin: &Plugin,
    lua: &Lua,
    budget: &Budget,
    method: &str,
    url: &Value,
    header: &Value,
    data: Option<&[u8]>,
) -> std::result::Result<Answer, String> {
    let url = match url {
        Value::String(url) => url.to_string_lossy(),
        other => return Err(format!("the address is not a text, but {}", other.type_name())),
    };
    let mut request = Request::new(method, &url);
    request.headers = headers(lua, header)?;
    let left = plugin.max_wait.saturating_sub(plugin.current.waited());
    if left.is_zero() {
        return Ok((
            None,
            Some(format!("the requests of one call took {} s together: make fewer in a call", plugin.max_wait.as_secs_f64())),
        ));
    }
    request.time = TIMEOUT.min(left);
    request.max_body = MAX_BODY;
    request.body = data.map_or(Body::None, Body::Bytes);
    // Others may be slow; that is not the script's fault.
    let began = Instant::now();
    let sent = unhurried(budget, || plugin.outgoing.send(request));
    plugin.current.add_wait(began.elapsed());
    match sent {
        Ok(response) => Ok((Some(table(lua, &response).map_err(internal)?), None)),
        Err(problem) => Ok((None, Some(problem))),
    }
}

fn headers(lua: &Lua, value: &Value) -> std::result::Result<Vec<(String, Vec<u8>)>, String> {
    let table = match value {
        Value::Nil => return Ok(Vec::new()),
        Value::Table(table) => table,
        other => return Err(format!("the headers are not a table, but {}", other.type_name())),
    };
    let mut list = HeaderList::default();
    for pair in table.pairs::<Value, Value>() {
        let (name, value) = pair.map_err(internal)?;
        let name = name.as_string().map(|name| name.to_string_lossy()).ok_or_else(|| "the name of a header is not a text".to_owned())?;
        let value = text(lua, &value, &format!("the value of the header {name}"))?;
        list.add(&name, value)?;
    }
    Ok(list.into_headers())
}

fn table(lua: &Lua, response: &Response) -> Result<Table> {
    let header = lua.create_table()?;
    for (name, value) in &response.headers {
        let joined = match header.raw_get::<Option<mlua::LuaString>>(name.as_str())? {
            Some(before) => [&before.as_bytes(), &b", "[..], value].concat(),
            None => value.clone(),
        };
        header.raw_set(name.as_str(), lua.create_string(joined)?)?;
    }
    let table = lua.create_table()?;
    table.raw_set("status_code", response.status)?;
    table.raw_set("header", header)?;
    table.raw_set("body", lua.create_string(&response.body)?)?;
    Ok(table)
}
