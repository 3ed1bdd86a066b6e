//! The module `resty.http`: connections, TLS handshakes, and requests.

use super::arguments::{kind, number, plain_text, table, time};
use super::http::{self, Content, Options, any_case, send};
use super::{Functions, problem_of};
use mlua::{AnyUserData, Result, Table, Value};
use secrule_host::Connection;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The time of each step, unless the script sets another.
const TIME: Duration = Duration::from_secs(60);

/// Maximum number of open connections of a run.
const MAX_OPEN: usize = 16;

/// The member of an object that holds its connection.
const MEMBER: &str = "connection";

/// State of an object: its connection, and the time of each step.
struct Http {
    connection: RefCell<Option<Open>>,
    time: Cell<Duration>,
}

/// An open connection, which is counted.
struct Open {
    connection: Connection,
    _count: Rc<()>,
}

/// Makes the module.
pub fn module(functions: &Functions<'_>) -> Result<Table> {
    let lua = functions.lua();
    let methods = lua.create_table()?;
    let open = Rc::new(());
    methods.raw_set(
        "connect",
        functions.answer(move |context, _, (own, host, port): (Value, Value, Value)| {
            with(&own, |http| {
                // The former connection is closed, whatever comes of this one.
                *http.connection.borrow_mut() = None;
                let host = plain_text(&host, "the host")?;
                let port = number(&port).filter(|port| port.fract() == 0.0 && (1.0..=65535.0).contains(port));
                let port = port.ok_or("the port is not a number from 1 to 65535")?;
                if Rc::strong_count(&open) > MAX_OPEN {
                    return Err(format!("{MAX_OPEN} connections are open: close one first"));
                }
                let connection = Connection::open(&context.runner.outgoing, &host, port as u16, context.time(http.time.get()))?;
                *http.connection.borrow_mut() = Some(Open { connection, _count: Rc::clone(&open) });
                Ok(true)
            })
        })?,
    )?;
    methods.raw_set(
        "ssl_handshake",
        functions.answer(|context, _, (own, _reused, name, verify): (Value, Value, Value, Value)| {
            with(&own, |http| {
                let name = if name.is_nil() { None } else { Some(plain_text(&name, "the name of the server")?) };
                let verifies = http::verifies(&verify)?;
                let mut connection = http.connection.borrow_mut();
                let Some(open) = &mut *connection else { return Err("not connected: call connect first".to_owned()) };
                open.connection.set_time(context.time(http.time.get()));
                let done = open.connection.handshake(name.as_deref(), verifies);
                if done.is_err() {
                    *connection = None;
                }
                done.map(|()| true)
            })
        })?,
    )?;
    methods.raw_set(
        "set_timeout",
        functions.make(|_, _, (own, milliseconds): (Value, Value)| {
            with(&own, |http| {
                http.time.set(time(&milliseconds, 0.001, TIME, "the timeout, in milliseconds,")?);
                Ok(())
            })
        })?,
    )?;
    methods.raw_set(
        "close",
        functions.answer(|_, _, own: Value| {
            with(&own, |http| match http.connection.borrow_mut().take() {
                Some(_) => Ok(true),
                None => Err("not connected".to_owned()),
            })
        })?,
    )?;
    let names = any_case(functions)?;
    methods.raw_set(
        "request_uri",
        functions.answer(move |context, lua, (own, url, params): (Value, Value, Value)| {
            let time = with(&own, |http| Ok(http.time.get()))?;
            let (method, options) = request(time, &params)?;
            send(context, lua, &method, &plain_text(&url, "the address")?, options, &names)
        })?,
    )?;
    let metatable = lua.create_table()?;
    let missing = functions.make(|_, _, (_, name): (Table, Value)| -> std::result::Result<Value, String> {
        let name = name.as_string().map_or_else(|| kind(&name).to_owned(), |name| name.to_string_lossy());
        Err(format!("resty.http has no `{name}` here: there are connect, ssl_handshake, set_timeout, close and request_uri"))
    })?;
    metatable.raw_set("__index", missing)?;
    metatable.raw_set("__metatable", false)?;
    let module = lua.create_table()?;
    let new = functions.make(move |_, lua, ()| {
        let make = || {
            let object = lua.create_table()?;
            for pair in methods.pairs::<Value, Value>() {
                let (name, method) = pair?;
                object.raw_set(name, method)?;
            }
            let http = Http { connection: RefCell::default(), time: Cell::new(TIME) };
            object.raw_set(MEMBER, lua.create_any_userdata(http)?)?;
            object.set_metatable(Some(metatable.clone()))?;
            Ok(object)
        };
        make().map_err(|error| problem_of(&error))
    })?;
    module.raw_set("new", new)?;
    Ok(module)
}

/// Calls a function with what an object is about.
fn with<T>(own: &Value, call: impl FnOnce(&Http) -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    let member = own.as_table().and_then(|own| own.raw_get::<AnyUserData>(MEMBER).ok());
    let member = member.ok_or_else(|| format!("this is not an object of resty.http, but {}: call its methods with a colon", kind(own)))?;
    let http = member.borrow::<Http>().map_err(|error| problem_of(&error))?;
    call(&http)
}

fn request(time: Duration, params: &Value) -> std::result::Result<(String, Options), String> {
    let params = table(params, "the second argument")?;
    let field = |name: &str| params.map_or(Ok(Value::Nil), |params| params.raw_get::<Value>(name)).map_err(|error| problem_of(&error));
    let method = match field("method")? {
        Value::Nil => "GET".to_owned(),
        method => plain_text(&method, "the method")?,
    };
    if !field("query")?.is_nil() {
        return Err("`query` does not exist here: write it into the address".to_owned());
    }
    let content = match field("body")? {
        Value::Nil => Content::None,
        Value::String(text) => Content::Text(text),
        other => return Err(format!("the body is not a text, but {}", kind(&other))),
    };
    let (headers, verifies) = (http::headers(&field("headers")?)?, http::verifies(&field("ssl_verify")?)?);
    Ok((method, Options { time, headers, content, verifies, retries: 0 }))
}
