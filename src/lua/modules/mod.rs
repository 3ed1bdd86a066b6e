//! Modules that scripts outside of the sandbox may `require`: takes the name of one, gives its compiled Lua text and its functions in Rust;
//! `script::modules` lists the names.
//!
//! Each call of a script runs the text again, so that no call sees another's changes to a module. Open objects of a module (connections, streams) are
//! in Rust under a number, and are closed with the call. Nothing waits longer than the call may take.

mod connections;
mod fault;
mod handles;
mod json;
mod names;
mod streams;
#[cfg(unix)]
mod unix;
mod wait;

use super::budget::Budget;
use connections::Connections;
use mlua::{Function, Lua, Result, Table, Value};
use rustc_hash::FxHashMap;
use std::cell::RefCell;
use std::rc::Rc;
use streams::Streams;

/// A module: its name, its text, and the global that it sets, as the original does.
struct Module {
    name: &'static str,
    text: &'static str,
    global: Option<&'static str>,
}

const MODULES: [Module; 10] = [
    Module { name: "cjson", text: include_str!("cjson.lua"), global: Some("cjson") },
    Module { name: "json", text: include_str!("cjson.lua"), global: None },
    Module { name: "cjson.safe", text: include_str!("cjson_safe.lua"), global: None },
    Module { name: "ltn12", text: include_str!("ltn12.lua"), global: None },
    Module { name: "socket", text: include_str!("socket.lua"), global: None },
    Module { name: "socket.core", text: include_str!("socket.lua"), global: None },
    Module { name: "socket.http", text: include_str!("http.lua"), global: None },
    Module { name: "socket.unix", text: include_str!("unix.lua"), global: None },
    Module { name: "socket.url", text: include_str!("url.lua"), global: None },
    Module { name: "zlib", text: include_str!("zlib.lua"), global: Some("zlib") },
];

/// The functions and objects of the modules of a state.
pub struct Modules {
    budget: Rc<Budget>,
    connections: Rc<Connections>,
    streams: Rc<Streams>,
    made: RefCell<FxHashMap<&'static str, (Function, Option<Table>)>>,
}

/// Returns the names that errors give to the texts of modules.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|module| module.name)
}

impl Modules {
    /// Makes it without open objects.
    pub fn new(budget: &Rc<Budget>) -> Self {
        Self { budget: Rc::clone(budget), connections: Rc::default(), streams: Rc::default(), made: RefCell::default() }
    }

    /// Closes the objects that the call left open.
    pub fn close(&self) {
        self.connections.close();
        self.streams.close();
    }

    /// Returns the compiled text of a module, its functions in Rust, and the global that it sets; `None` for other names.
    pub fn module(&self, lua: &Lua, name: &[u8]) -> Result<(Option<Function>, Option<Table>, Option<&'static str>)> {
        let Some(module) = MODULES.iter().find(|module| module.name.as_bytes() == name) else { return Ok((None, None, None)) };
        let known = self.made.borrow().get(module.name).cloned();
        let (text, part) = match known {
            Some(known) => known,
            None => {
                let text = lua.load(module.text).set_name(format!("={}", module.name)).into_function()?;
                let made = (text, self.part(lua, module.name)?);
                self.made.borrow_mut().insert(module.name, made.clone());
                made
            }
        };
        Ok((Some(text), part, module.global))
    }

    /// Returns the functions in Rust of a module.
    fn part(&self, lua: &Lua, name: &str) -> Result<Option<Table>> {
        let part = lua.create_table()?;
        match name {
            "socket" | "socket.core" | "socket.unix" => {
                connections::add(lua, &part, &self.connections, &self.budget)?;
                names::add(lua, &part, &self.budget)?;
            }
            "zlib" => streams::add(lua, &part, &self.streams, &self.budget)?,
            "cjson" | "cjson.safe" | "json" => {
                json::add(lua, &part, &self.budget)?;
                part.raw_set("null", Value::NULL)?;
            }
            _ => return Ok(None),
        }
        Ok(Some(part))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod network_tests;
#[cfg(test)]
mod tests;
