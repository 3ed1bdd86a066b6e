//! Functions for scripts of extensions: takes a run, gives the globals and modules of its script.
//!
//! | file | functions |
//! | --- | --- |
//! | `messages.rs` | `output`, `print` |
//! | `http.rs` | `http_query` |
//! | `query.rs` | `sql_query` |
//! | `alarm.rs` | `send_alarm_event` |
//! | `schema.rs` | the module `Lua.SchemaDB` |
//! | `resty.rs` | the module `resty.http` |
//! | `ngx.rs`, `regex.rs` | `ngx`, `ngx.re` |
//!
//! Functions that can fail return nil and a text, also for arguments that make no sense, because published scripts test for that. `arguments.rs` reads
//! arguments, `json.rs` writes and `values.rs` reads tables, `numbers.rs` writes numbers.

mod alarm;
mod arguments;
mod http;
mod json;
mod messages;
mod ngx;
mod numbers;
mod query;
mod regex;
mod resty;
mod schema;
mod values;

#[cfg(test)]
mod tests;

use crate::alarm_rate::AlarmRate;
use crate::output::Output;
use crate::runner::{HOST_ENDED, Runner};
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, Result, Table, Value};
use secrule::internals::lua::{Budget, CallError, Excess, Resident};
use secrule_host::ScriptName;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Names of the libraries that scripts may require, too.
const LIBRARIES: [&str; 6] = ["bit", "coroutine", "math", "os", "string", "table"];

/// A value, or nil and a text.
type Answer<T> = (Option<T>, Option<String>);

/// A run, for the functions of its script.
pub struct Context {
    /// The name of the script.
    pub name: ScriptName,
    /// Services that all runs share.
    pub runner: Runner,
    /// Output of the script.
    pub output: Output,
    /// The alarms of the extension.
    pub alarms: Arc<AlarmRate>,
    /// The limits of the run.
    pub budget: Rc<Budget>,
    /// `true` while a request with a function as its body is sent.
    pub is_sending: Cell<bool>,
}

/// Makes functions for a script.
struct Functions<'r> {
    resident: &'r Resident,
    context: Rc<Context>,
}

/// Makes the globals of a script, and its modules.
pub fn environment(resident: &Resident, context: &Rc<Context>, event: Option<&serde_json::Value>) -> Result<(Table, Table)> {
    let functions = Functions { resident, context: Rc::clone(context) };
    let lua = resident.lua();
    let (globals, modules) = (lua.create_table()?, lua.create_table()?);
    let output = messages::output(&functions)?;
    globals.raw_set("output", &output)?;
    globals.raw_set("print", &output)?;
    globals.raw_set("http_query", http::http_query(&functions)?)?;
    globals.raw_set("sql_query", query::sql_query(&functions)?)?;
    globals.raw_set("send_alarm_event", alarm::send_alarm_event(&functions)?)?;
    globals.raw_set("ngx", ngx::table(&functions, &output)?)?;
    if let Some(event) = event {
        globals.raw_set("trigger_event", values::value(lua, event)?)?;
    }
    modules.raw_set("Lua.SchemaDB", schema::module(&functions)?)?;
    modules.raw_set("resty.http", resty::module(&functions)?)?;
    name_missing_modules(lua, &modules)?;
    Ok((globals, modules))
}

/// Lets `require` name the modules that exist.
fn name_missing_modules(lua: &Lua, modules: &Table) -> Result<()> {
    let look = lua.create_function(|_, (_, name): (Table, Value)| {
        let name = name.as_string().map(|name| name.to_string_lossy()).filter(|name| !LIBRARIES.contains(&name.as_str()));
        Ok(name.map(|name| {
            let libraries = LIBRARIES.join(", ");
            format!("module '{name}' does not exist here: there are Lua.SchemaDB, resty.http, and of Lua {libraries}")
        }))
    })?;
    let metatable = lua.create_table()?;
    metatable.raw_set("__index", look)?;
    modules.set_metatable(Some(metatable))
}

impl Context {
    /// Returns the rest of the time of the run, at most a limit.
    fn time(&self, limit: Duration) -> Duration {
        limit.min(self.budget.time_left())
    }

    /// Ends the run after a call that waited, if its time is over: no line of the script runs any more.
    fn check_time(&self) {
        // What is over is seen by the caller of the function.
        let _ = self.budget.spend(1);
    }

    /// Returns an error if the host has ended, and ends the run: a script cannot go on after the error.
    fn check_goes_on(&self) -> std::result::Result<(), CallError> {
        if self.budget.is_stopped() {
            self.budget.exceed(Excess::Time);
            return Err(CallError(HOST_ENDED.to_owned()));
        }
        Ok(())
    }

    /// Ends the run if a function had no memory: a script that went on would try again.
    fn check_memory<T>(&self, result: &std::result::Result<T, String>) {
        if matches!(result, Err(problem) if problem == NO_MEMORY) {
            self.budget.exceed(Excess::Memory);
        }
    }
}

impl Functions<'_> {
    fn lua(&self) -> &Lua {
        self.resident.lua()
    }

    /// Makes a function, whose problems are errors of the script.
    fn make<A, R>(&self, call: impl Fn(&Context, &Lua, A) -> std::result::Result<R, String> + 'static) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let context = Rc::clone(&self.context);
        self.resident.function(move |lua, arguments: A| {
            context.check_goes_on()?;
            let result = call(&context, lua, arguments);
            context.check_memory(&result);
            result.map_err(CallError)
        })
    }

    /// Makes a function that returns nil and a text for a problem.
    fn answer<A, R>(&self, call: impl Fn(&Context, &Lua, A) -> std::result::Result<R, String> + 'static) -> Result<Function>
    where
        A: FromLuaMulti,
        Answer<R>: IntoLuaMulti,
    {
        self.make(move |context, lua, arguments: A| {
            let result = call(context, lua, arguments);
            context.check_memory(&result);
            context.check_time();
            Ok::<Answer<R>, String>(match result {
                Ok(value) => (Some(value), None),
                Err(problem) => (None, Some(problem)),
            })
        })
    }
}

/// The text of an error of Lua that has no memory for what a function makes.
const NO_MEMORY: &str = "not enough memory";

/// Returns the text of an error of Lua, without the stack.
fn problem_of(error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::CallbackError { cause, .. } => return problem_of(cause),
        mlua::Error::MemoryError(_) => return NO_MEMORY.to_owned(),
        mlua::Error::RuntimeError(text) => text.clone(),
        other => other.to_string(),
    };
    text.lines().next().unwrap_or_default().to_owned()
}
