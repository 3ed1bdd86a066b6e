//! `ngx`: regular expressions, the time, the log.

use super::Functions;
use super::messages::message;
use super::regex;
use mlua::{Function, Result, Table, Value, Variadic};
use std::time::{Duration, SystemTime};

/// The tag of lines in the log.
const TAG: &str = "ngx";

/// Maximum length of a line, in bytes.
const MAX_LINE: usize = 4 << 10;

/// Makes the table. `say` is `output`.
pub fn table(functions: &Functions<'_>, output: &Function) -> Result<Table> {
    let ngx = functions.lua().create_table()?;
    ngx.raw_set("re", regex::table(functions)?)?;
    ngx.raw_set("say", output)?;
    ngx.raw_set("now", functions.make(|_, _, ()| Ok((since_1970().as_millis() as f64) / 1000.0))?)?;
    ngx.raw_set("time", functions.make(|_, _, ()| Ok(since_1970().as_secs()))?)?;
    // The level comes first; scripts have no names for levels here, so that any value will do.
    let log = functions.make(|context, _, (_, values): (Value, Variadic<Value>)| {
        let line: Vec<u8> = values.iter().flat_map(|value| message(context, std::slice::from_ref(value), MAX_LINE)).collect();
        // An empty line says nothing.
        let _ = context.runner.services.log().write(&context.name, TAG, &String::from_utf8_lossy(&line));
        Ok(())
    })?;
    ngx.raw_set("log", log)?;
    Ok(ngx)
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
