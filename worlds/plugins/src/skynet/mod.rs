//! The module `skynet`: its functions and constants, for one plugin.

mod actions;
mod arguments;
mod counts;
mod databases;
mod http;
mod register;
mod requests;

use crate::callback::Current;
use crate::plugin::Progress;
use crate::registration::{MATCH_TYPE_ALL, MATCH_TYPE_DEFAULT, Registration, TARGET_ACCESS, TARGET_ALL, TARGET_DETECT};
use crate::top::TopType;
use crate::traffic::Traffic;
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, Result, Table, Value, Variadic};
use secrule::internals::lua::{Budget, CallError, Excess, Resident};
use secrule_host::{Outgoing, ScriptName, Services};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The types of registrations.
const TYPE_PROCESS: i64 = 1;
const TYPE_TICKER: i64 = 2;

/// The one duration of top lists, in seconds: scripts write the number as well.
const TOP_DURATION_5S: i64 = 5;

/// The types of top lists, in the order of [`TopType::ALL`].
pub const TOP_TYPES: [&str; 8] = [
    "TOP_IP",
    "TOP_IP_HOST",
    "TOP_HOST_URLPATH",
    "TOP_IP_HOST_URLPATH",
    "TOP_SESSION",
    "TOP_IP_SESSION",
    "TOP_SESSION_HOST",
    "TOP_SESSION_HOST_URLPATH",
];

/// The databases.
const DB_LOCAL: i64 = 1;
const DB_GLOBAL: i64 = 2;

/// Everything that the functions of a plugin use.
pub struct Plugin {
    /// The name of its script.
    pub name: ScriptName,
    /// The services of the host.
    pub services: Services,
    /// Requests to other servers.
    pub outgoing: Outgoing,
    /// The traffic of this machine.
    pub traffic: Arc<Traffic>,
    /// The callback that runs now.
    pub current: Current,
    /// The functions that it registered.
    pub registrations: RefCell<Vec<Registration>>,
    /// Its counts, and its end.
    pub progress: Arc<Progress>,
    /// Maximum wait of a callback for others.
    pub max_wait: Duration,
}

impl Plugin {
    /// Returns an error if the plugin was stopped, and ends the call that runs: a script cannot go on after the error.
    fn check_goes_on(&self, budget: &Budget) -> std::result::Result<(), CallError> {
        if self.progress.is_stopped() {
            budget.exceed(Excess::Time);
            return Err(CallError("the plugin was stopped".to_owned()));
        }
        Ok(())
    }
}

/// Adds functions to the module, and refuses calls while the script is being loaded.
struct Module<'m> {
    resident: &'m Resident,
    plugin: &'m Rc<Plugin>,
    table: Table,
}

/// Makes the module.
pub fn module(resident: &Resident, plugin: &Rc<Plugin>) -> Result<Table> {
    let lua = resident.lua();
    let module = Module { resident, plugin, table: lua.create_table()? };
    constants(&module.table)?;
    register::add(&module)?;
    counts::add(&module)?;
    actions::add(&module)?;
    databases::add(&module)?;
    http::add(&module)?;
    requests::add(&module)?;
    report_unknown_names(lua, &module.table, plugin)?;
    Ok(module.table)
}

/// Makes `print`, which writes a line with this tag.
pub fn print(resident: &Resident, plugin: &Rc<Plugin>) -> Result<Function> {
    let (plugin, budget) = (Rc::clone(plugin), resident.budget());
    resident.function(move |_, values: Variadic<Value>| {
        plugin.check_goes_on(&budget)?;
        let words: Result<Vec<String>> = values.iter().map(|value| value.to_string()).collect();
        let line = words.map_err(|error| CallError(internal(error)))?.join("\t");
        // An empty line says nothing.
        let _ = plugin.services.log().write(&plugin.name, "print", &line);
        Ok(())
    })
}

fn constants(table: &Table) -> Result<()> {
    let numbers = [
        ("TYPE_PROCESS", TYPE_PROCESS),
        ("TYPE_TICKER", TYPE_TICKER),
        ("MATCH_TYPE_DEFAULT", MATCH_TYPE_DEFAULT),
        ("MATCH_TYPE_ALL", MATCH_TYPE_ALL),
        ("MATCH_TARGET_ALL", TARGET_ALL),
        ("MATCH_TARGET_ACCESS", TARGET_ACCESS),
        ("MATCH_TARGET_DETECT", TARGET_DETECT),
        ("TOP_DURATION_5S", TOP_DURATION_5S),
        ("DB_LOCAL", DB_LOCAL),
        ("DB_GLOBAL", DB_GLOBAL),
    ];
    numbers.into_iter().try_for_each(|(name, number)| table.raw_set(name, number))?;
    (1..=5).try_for_each(|class| table.raw_set(format!("RESP_CODE_{class}XX"), class))?;
    TOP_TYPES.into_iter().zip(TopType::ALL).try_for_each(|(name, top_type)| table.raw_set(name, number_of(top_type)))
}

/// Returns the number of a type of top list in scripts.
fn number_of(top_type: TopType) -> i64 {
    top_type as i64 + 1
}

/// Number of unknown names that are reported, and characters of each.
const MAX_NAMES: usize = 100;
const MAX_NAME: usize = 100;

/// Logs each name once that a script looks for in the module and that is not there: it gets nil.
fn report_unknown_names(lua: &Lua, table: &Table, plugin: &Rc<Plugin>) -> Result<()> {
    let (known, own) = (RefCell::new(HashSet::new()), Rc::clone(plugin));
    let look = lua.create_function(move |_, (_, name): (Table, Value)| {
        // Other values have no text of their own, and a metamethod that makes one could look here again, without an end.
        let name = match name {
            Value::String(name) => name.to_string_lossy(),
            Value::Integer(name) => name.to_string(),
            other => format!("[{}]", other.type_name()),
        };
        let name: String = name.chars().take(MAX_NAME).collect();
        let mut known = known.borrow_mut();
        if known.len() < MAX_NAMES && known.insert(name.clone()) {
            own.services.log().write_system(&own.name, &format!("skynet.{name} does not exist, and is nil"));
        }
        Ok(Value::Nil)
    })?;
    let behind = lua.create_table()?;
    behind.raw_set("__index", look)?;
    behind.raw_set("__metatable", false)?;
    table.set_metatable(Some(behind))
}

impl Module<'_> {
    /// Adds a function that may be called at any time.
    fn add_always<A, R>(&self, name: &str, call: impl Fn(&Plugin, &Lua, A) -> std::result::Result<R, String> + 'static) -> Result<()>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let (plugin, budget) = (Rc::clone(self.plugin), self.resident.budget());
        let function = self.resident.function(move |lua, arguments: A| {
            plugin.check_goes_on(&budget)?;
            call(&plugin, lua, arguments).map_err(CallError)
        })?;
        self.table.raw_set(name, function)
    }

    /// Adds a function that may not be called while the script is being loaded.
    fn add<A, R>(&self, name: &'static str, call: impl Fn(&Plugin, &Lua, A) -> std::result::Result<R, String> + 'static) -> Result<()>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.add_always(name, move |plugin, lua, arguments| {
            plugin.current.check_loaded().map_err(|problem| format!("skynet.{name}: {problem}"))?;
            call(plugin, lua, arguments).map_err(|problem| format!("skynet.{name}: {problem}"))
        })
    }
}

/// Returns the text of an error of Lua itself, such as one without memory.
fn internal(error: mlua::Error) -> String {
    error.to_string()
}
