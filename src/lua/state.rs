//! A Lua state that runs scripts one after the other.

use super::budget::{Budget, Excess, Limits};
use super::modules::{self, Modules};
use super::questions::{self, HOST};
use super::strings::{self, stopped, string};
use super::watch::{MAX_KEPT, Watch};
use super::{Call, Failure, Host, Returned, World};
use crate::random::unique_number;
use crate::script::{self, WeakScript};
use mlua::{BString, Error, Function, Lua, LuaOptions, LuaString, Result, StdLib, Table, Value};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::time::Duration;

/// Number of scripts in a state beyond which it removes those that are no longer in use.
const MAX_RUNNERS: usize = 64;

/// Limits for making a state.
const MAKING: Limits = Limits { instructions: u64::MAX, time: Duration::from_secs(3600), memory: usize::MAX };

/// Name of our own Lua code in errors.
const PRELUDE: &str = "prelude";
const RULE: &str = "rule";
const DECISION: &str = "decision";
const REQUIRE: &str = "require";

/// A state and what all scripts in it share.
pub struct Base {
    pub lua: Lua,
    pub budget: Rc<Budget>,
    pub modules: Rc<Modules>,
    pub watch: Rc<Watch>,
    /// Functions of `prelude.lua`, by name.
    pub shared: Table,
    native: Table,
    hidden: Table,
    host: Table,
    /// Memory after the state was made, in bytes.
    pub at_first: usize,
}

/// A state and its prepared functions.
pub struct State {
    base: Base,
    prepare: Function,
    forget: Function,
    /// Function that adds the environment of rules to a call.
    rule: Value,
    /// Function that adds the environment of decision scripts.
    decision: Value,
    /// Functions that run each script: two by its number, and one more for a rule's script.
    runners: FxHashMap<u64, (WeakScript, Function)>,
    /// The limit of the last call, in bytes.
    memory_limit: Option<usize>,
    is_sound: bool,
}

impl Base {
    /// Makes a state with the libraries of Lua, and what our own code adds to them.
    pub fn new(sandboxed: bool) -> Result<Self> {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::OS | StdLib::BIT;
        let libraries = if sandboxed { libraries } else { libraries | StdLib::IO };
        // The JIT library is left out, so that the JIT compiler stays off: compiled loops cannot be stopped.
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let budget = Rc::new(Budget::new(&MAKING));
        let native = lua.create_table()?;
        strings::add(&lua, &native, &budget)?;
        questions::add(&lua, &native, &budget)?;
        let own = Rc::clone(&budget);
        native.raw_set("is_over", lua.create_function(move |_, ()| Ok(own.is_over()))?)?;
        let watch = Watch::new(&budget);
        let (own, watching) = (Rc::clone(&budget), Rc::clone(&watch));
        let work = move |lua: &Lua, bytes: f64| {
            watching.adapt(lua)?;
            own.spend_on(bytes as usize).map_err(stopped)
        };
        native.raw_set("work", lua.create_function(work)?)?;
        native.raw_set("memory", lua.create_function(|lua, ()| Ok(lua.used_memory()))?)?;
        native.raw_set("seed", lua.create_function(|_, ()| Ok(seed()))?)?;
        native.raw_set("path", script::search_path())?;
        let modules = Rc::new(Modules::new(&budget));
        let own = Rc::clone(&modules);
        native.raw_set("module", lua.create_function(move |lua, name: LuaString| own.module(lua, &name.as_bytes()))?)?;
        let require = load(&lua, REQUIRE, include_str!("modules/require.lua"))?;
        let (shared, hidden, host) = load(&lua, PRELUDE, include_str!("prelude.lua"))?.call((&native, sandboxed, require))?;
        Ok(Self { lua, budget, modules, watch, shared, native, hidden, host, at_first: 0 })
    }

    /// Ends the making: scripts cannot see what is left among the globals; functions of Lua's libraries need it.
    pub fn begin(&mut self) -> Result<()> {
        self.lua.globals().clear()?;
        self.at_first = self.watch.begin(&self.lua)?;
        Ok(())
    }

    /// Runs a file of our own Lua code.
    fn own_code(&self, name: &str, text: &str) -> Result<Value> {
        load(&self.lua, name, text)?.call((&self.native, &self.hidden, &self.host))
    }
}

fn load(lua: &Lua, name: &str, text: &str) -> Result<Function> {
    lua.load(text).set_name(format!("={name}")).into_function()
}

impl State {
    /// Makes a state.
    pub fn new(sandboxed: bool) -> Result<Self> {
        let mut base = Base::new(sandboxed)?;
        let rule = base.own_code(RULE, include_str!("rule.lua"))?;
        let decision = base.own_code(DECISION, include_str!("decision.lua"))?;
        let (prepare, forget) = (base.shared.raw_get("prepare")?, base.shared.raw_get("forget")?);
        base.begin()?;
        Ok(Self { base, prepare, forget, rule, decision, runners: FxHashMap::default(), memory_limit: None, is_sound: true })
    }

    /// Runs a script.
    pub fn run(&mut self, call: &Call<'_>, host: &mut dyn Host) -> std::result::Result<Returned, Failure> {
        self.base.budget.fill(&call.limits);
        let result = self.limit_memory(call.limits.memory).and_then(|()| self.called(call, host));
        self.base.modules.close();
        host.spent(call.limits.instructions.saturating_sub(self.base.budget.instructions()));
        let result = match (self.base.budget.check(), result) {
            (Err(excess), _) => Err(Failure::Over(excess)),
            (Ok(()), Ok(returned)) => Ok(returned),
            (Ok(()), Err(error)) if is_out_of_memory(&error) => Err(Failure::Over(Excess::Memory)),
            (Ok(()), Err(error)) => Err(Failure::Script(message(&error))),
        };
        self.is_sound = match result {
            Ok(_) => true,
            Err(Failure::Script(_)) => self.forget.call::<()>(()).is_ok(),
            Err(_) => false,
        };
        if self.is_sound && self.base.lua.used_memory() > self.base.at_first.saturating_add(MAX_KEPT) {
            self.is_sound = self.tidy().is_ok();
        }
        result
    }

    /// Returns `true` if the next call can use it.
    pub fn is_sound(&self) -> bool {
        self.is_sound
    }

    fn limit_memory(&mut self, limit: usize) -> Result<()> {
        if self.memory_limit != Some(limit) {
            self.base.lua.set_memory_limit(self.base.at_first.saturating_add(MAX_KEPT).saturating_add(limit))?;
            self.memory_limit = Some(limit);
        }
        Ok(())
    }

    fn called(&mut self, call: &Call<'_>, host: &mut dyn Host) -> Result<Returned> {
        let key = call.script.number() << 1 | u64::from(matches!(call.world, World::Rule { .. }));
        let run = match self.runners.get(&key) {
            Some((_, run)) => run,
            None => {
                let run = self.runner(call)?;
                &self.runners.entry(key).or_insert((call.script.downgrade(), run)).1
            }
        };
        let argument = match call.world {
            World::Rule { argument: Some(argument) } => Some(string(&self.base.lua, argument)?),
            World::Rule { argument: None } | World::Decision => None,
        };
        let (text, more): (Option<BString>, Value) = HOST.set(host, || match argument {
            Some(argument) => run.call(argument),
            None => run.call(()),
        })?;
        Ok(match (text, more) {
            (Some(text), Value::Integer(number)) => Returned::Number(number as f64, text.into()),
            (Some(text), Value::Number(number)) => Returned::Number(number, text.into()),
            (Some(text), _) => Returned::Text(text.into()),
            (None, Value::String(kind)) => Returned::Other(kind.to_string_lossy()),
            (None, _) => Returned::Nothing,
        })
    }

    /// Prepares the function that runs a script.
    fn runner(&mut self, call: &Call<'_>) -> Result<Function> {
        if self.runners.len() >= MAX_RUNNERS {
            self.runners.retain(|_, (script, _)| !script.is_gone());
        }
        let chunk = self.base.lua.load(call.script.source()).set_name(format!("@{}", call.script.name())).into_function()?;
        match call.world {
            World::Rule { .. } => self.prepare.call((chunk, "main", &self.rule)),
            World::Decision => self.prepare.call((chunk, "should_block", &self.decision)),
        }
    }

    /// Frees what the last call left, if it is much.
    fn tidy(&mut self) -> Result<()> {
        self.base.budget.fill(&MAKING);
        self.forget.call::<()>(())?;
        self.base.watch.relax(&self.base.lua)
    }
}

/// Returns an unpredictable number; it differs between forks of a process.
fn seed() -> f64 {
    let process = u64::from(std::process::id()).rotate_right(u32::BITS);
    ((unique_number() ^ process) >> 11) as f64
}

pub fn is_out_of_memory(error: &Error) -> bool {
    match error {
        Error::CallbackError { cause, .. } => is_out_of_memory(cause),
        other => matches!(other, Error::MemoryError(_)),
    }
}

/// Returns the message of an error in one line, without the stack, and without a position in our own Lua code, which may be where a tail call of a
/// script left off.
pub fn message(error: &Error) -> String {
    let text = match error {
        Error::CallbackError { cause, .. } => return message(cause),
        Error::RuntimeError(text) => text.clone(),
        other => other.to_string(),
    };
    // Text after a tab continues the line before: the places where a module was looked for.
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let more = lines.map_while(|line| line.strip_prefix('\t'));
    let line = std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ");
    let mut names = [PRELUDE, RULE, DECISION, REQUIRE].into_iter().chain(modules::names());
    let own = names.find_map(|name| line.strip_prefix(name)?.strip_prefix(':')?.split_once(": "));
    own.map_or(line.as_str(), |(_, message)| message).to_owned()
}
