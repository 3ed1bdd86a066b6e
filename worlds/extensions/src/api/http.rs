//! `http_query`: requests to other servers.

use super::arguments::{bytes, kind, plain_text, table, text, time, whole};
use super::json::{Fault, Purpose, Writer};
use super::{Context, Functions, problem_of};
use mlua::{Function, Lua, LuaString, Result, Table, Value};
use secrule_host::{Body, HeaderList, Request, Response};
use std::time::Duration;

/// The time of a request without one.
const TIME: Duration = Duration::from_secs(300);

/// Maximum length of bodies that are made of tables, and of bodies of responses, in bytes.
const MAX_BODY: usize = 16 << 20;

/// A body as the script gives it.
pub enum Content {
    None,
    Text(LuaString),
    Bytes(Vec<u8>),
    Pieces(Function),
}

/// Options of a request.
pub struct Options {
    pub time: Duration,
    pub headers: Vec<(String, Vec<u8>)>,
    pub content: Content,
    pub verifies: bool,
    pub retries: u32,
}

/// Makes `http_query`.
pub fn http_query(functions: &Functions<'_>) -> Result<Function> {
    let any_case = any_case(functions)?;
    functions.answer(move |context, lua, (method, url, params, retries): (Value, Value, Value, Value)| {
        let (method, url) = (plain_text(&method, "the method")?, plain_text(&url, "the address")?);
        let params = table(&params, "the third argument")?;
        let field = |name: &str| params.map_or(Ok(Value::Nil), |params| params.raw_get::<Value>(name)).map_err(|error| problem_of(&error));
        let body = field("body")?;
        let mut options = Options {
            time: time(&field("timeout")?, 0.001, TIME, "the timeout, in milliseconds,")?,
            headers: headers(&field("headers")?)?,
            content: content(context, &body)?,
            verifies: verifies(&field("ssl_verify")?)?,
            retries: whole(&retries, 1, 0, "the number of retries")?,
        };
        if body.is_table() && !options.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            options.headers.push(("Content-Type".to_owned(), b"application/json".to_vec()));
        }
        send(context, lua, &method, &url, options, &any_case)
    })
}

/// Sends a request, and returns the response as a table.
pub fn send(
    context: &Context,
    lua: &Lua,
    method: &str,
    url: &str,
    options: Options,
    any_case: &Table,
) -> std::result::Result<Table, String> {
    let mut request = Request::new(method, url);
    request.headers = options.headers;
    request.time = context.time(options.time);
    request.max_body = MAX_BODY;
    request.verifies_certificate = options.verifies;
    request.retries = options.retries;
    let outgoing = &context.runner.outgoing;
    let response = match &options.content {
        Content::None => outgoing.send(request),
        Content::Text(text) => outgoing.send(Request { body: Body::Bytes(&text.as_bytes()), ..request }),
        Content::Bytes(bytes) => outgoing.send(Request { body: Body::Bytes(bytes), ..request }),
        Content::Pieces(function) => {
            // Each of them has a call of this function on the stack.
            if context.is_sending.replace(true) {
                return Err("http_query cannot be called by a function that gives the body of a request".to_owned());
            }
            let mut next = || piece(function);
            let response = outgoing.send(Request { body: Body::Pieces(&mut next), ..request });
            context.is_sending.set(false);
            response
        }
    };
    response_table(lua, &response?, any_case).map_err(|error| problem_of(&error))
}

/// Calls the function that gives a body. It gives a text, nil at the end, or nil and a text if it fails.
fn piece(function: &Function) -> std::result::Result<Option<Vec<u8>>, String> {
    match function.call::<(Value, Value)>(()) {
        Ok((Value::Nil | Value::Boolean(false), Value::String(problem))) => Err(problem.to_string_lossy()),
        Ok((Value::Nil, _)) => Ok(None),
        Ok((value, _)) => bytes(&value).map(Some).ok_or_else(|| format!("the function of the body gave {}", kind(&value))),
        Err(error) => Err(problem_of(&error)),
    }
}

fn content(context: &Context, body: &Value) -> std::result::Result<Content, String> {
    Ok(match body {
        Value::Nil => Content::None,
        Value::String(text) => Content::Text(text.clone()),
        Value::Function(function) => Content::Pieces(function.clone()),
        Value::Table(_) => {
            let json = Writer::new(Purpose::Sending, MAX_BODY, &context.budget).write(body);
            Content::Bytes(json.map_err(|fault| match fault {
                Fault::TooLong => format!("the body is longer than {} MiB", MAX_BODY >> 20),
                Fault::NotJson(problem) => format!("the body cannot be sent as JSON: {problem}"),
            })?)
        }
        other => {
            let number = bytes(other);
            Content::Bytes(number.ok_or_else(|| format!("the body is not a text, a table or a function, but {}", kind(other)))?)
        }
    })
}

/// Reads headers: a name and a text, a number, or a list of them.
pub fn headers(value: &Value) -> std::result::Result<Vec<(String, Vec<u8>)>, String> {
    let Some(headers) = table(value, "`headers`")? else { return Ok(Vec::new()) };
    let mut list = HeaderList::default();
    for pair in headers.pairs::<Value, Value>() {
        let (name, value) = pair.map_err(|error| problem_of(&error))?;
        let name = text(&name, "the name of a header")?.to_string_lossy();
        let wrong = |value: &Value| format!("the value of the header {name} is not a text, but {}", kind(value));
        match &value {
            Value::Table(values) => {
                for value in values.sequence_values::<Value>() {
                    let value = value.map_err(|error| problem_of(&error))?;
                    list.add(&name, bytes(&value).ok_or_else(|| wrong(&value))?)?;
                }
            }
            value => list.add(&name, bytes(value).ok_or_else(|| wrong(value))?)?,
        }
    }
    let mut list = list.into_headers();
    // The order of a table is not one.
    list.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(list)
}

/// Reads `ssl_verify`: only `false` switches it off.
pub fn verifies(value: &Value) -> std::result::Result<bool, String> {
    match value {
        Value::Nil => Ok(true),
        Value::Boolean(verifies) => Ok(*verifies),
        other => Err(format!("`ssl_verify` is not true or false, but {}", kind(other))),
    }
}

/// Makes the metatable of headers: names are looked up in any case.
pub fn any_case(functions: &Functions<'_>) -> Result<Table> {
    let look = functions.make(|_, _, (headers, name): (Table, Value)| {
        let Value::String(name) = name else { return Ok(Value::Nil) };
        let is_meant = |known: &Value| known.as_string().is_some_and(|known| known.as_bytes().eq_ignore_ascii_case(&name.as_bytes()));
        let found = headers.pairs::<Value, Value>().filter_map(std::result::Result::ok).find(|(known, _)| is_meant(known));
        Ok(found.map_or(Value::Nil, |(_, value)| value))
    })?;
    let metatable = functions.lua().create_table()?;
    metatable.raw_set("__index", look)?;
    metatable.raw_set("__metatable", false)?;
    Ok(metatable)
}

fn response_table(lua: &Lua, response: &Response, any_case: &Table) -> Result<Table> {
    let headers = lua.create_table()?;
    let mut known: Vec<&str> = Vec::new();
    for (name, value) in &response.headers {
        let value = lua.create_string(value)?;
        let Some(first) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
            known.push(name);
            headers.raw_set(name.as_str(), value)?;
            continue;
        };
        match headers.raw_get::<Value>(*first)? {
            Value::Table(values) => values.raw_push(value)?,
            before => headers.raw_set(*first, lua.create_sequence_from([before, Value::String(value)])?)?,
        }
    }
    headers.set_metatable(Some(any_case.clone()))?;
    let table = lua.create_table()?;
    table.raw_set("status", response.status)?;
    table.raw_set("headers", headers)?;
    table.raw_set("body", lua.create_string(&response.body)?)?;
    Ok(table)
}
