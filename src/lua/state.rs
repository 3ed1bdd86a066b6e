//! A state of Lua that runs scripts one after the other.

use super::budget::{Budget, Excess, Limits};
use super::modules::{self, Modules};
use super::questions::{self, HOST};
use super::strings::{self, stopped, string};
use super::watch::{MOST_KEPT, Watch};
use super::{Call, Failure, Host, Returned, World};
use crate::script::{self, WeakScript};
use mlua::{BString, Error, Function, Lua, LuaOptions, LuaString, Result, StdLib, Table, Value};
use rustc_hash::FxHashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// How many scripts a state holds before it looks for those that nobody needs any more.
const MOST_RUNNERS: usize = 64;

/// Enough to make a state.
const MAKING: Limits = Limits { instructions: u64::MAX, time: Duration::from_secs(3600), memory: usize::MAX };

/// What errors call our own Lua.
const PRELUDE: &str = "prelude";
const RULE: &str = "rule";
const DECISION: &str = "decision";
const REQUIRE: &str = "require";

/// A state and what was prepared in it.
pub struct State {
    lua: Lua,
    budget: Rc<Budget>,
    modules: Rc<Modules>,
    watch: Rc<Watch>,
    prepare: Function,
    forget: Function,
    /// What adds the world of rules to a call.
    rule: Value,
    /// What adds the world of decision scripts.
    decision: Value,
    /// What runs each script, by its number, twice, and one more where it is a rule's.
    runners: FxHashMap<u64, (WeakScript, Function)>,
    /// What it held when it was made, in bytes.
    at_first: usize,
    /// The limit of the last call, in bytes.
    memory_limit: Option<usize>,
    is_sound: bool,
}

impl State {
    /// Makes a state.
    pub fn new(sandboxed: bool) -> Result<Self> {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::OS | StdLib::BIT;
        let libraries = if sandboxed { libraries } else { libraries | StdLib::IO };
        // The library of the just-in-time compiler is left out, so that it stays off: compiled loops cannot be stopped.
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
        let load = |name: &str, text: &str| lua.load(text).set_name(format!("={name}")).into_function();
        let (prepare, forget, hidden, host): (_, _, Table, Table) =
            load(PRELUDE, include_str!("prelude.lua"))?.call((&native, sandboxed, load(REQUIRE, include_str!("modules/require.lua"))?))?;
        let rule = load(RULE, include_str!("rule.lua"))?.call((&native, &hidden, &host))?;
        let decision = load(DECISION, include_str!("decision.lua"))?.call((&native, &hidden, &host))?;
        // What is left there scripts cannot see; functions of Lua's libraries stand in it.
        lua.globals().clear()?;
        let at_first = watch.begin(&lua)?;
        Ok(Self {
            lua,
            budget,
            modules,
            watch,
            prepare,
            forget,
            rule,
            decision,
            runners: FxHashMap::default(),
            at_first,
            memory_limit: None,
            is_sound: true,
        })
    }

    /// Runs a script.
    pub fn run(&mut self, call: &Call<'_>, host: &mut dyn Host) -> std::result::Result<Returned, Failure> {
        self.budget.fill(&call.limits);
        let result = self.limit_memory(call.limits.memory).and_then(|()| self.called(call, host));
        self.modules.close();
        host.spent(call.limits.instructions.saturating_sub(self.budget.instructions()));
        let result = match (self.budget.check(), result) {
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
        if self.is_sound && self.lua.used_memory() > self.at_first.saturating_add(MOST_KEPT) {
            self.is_sound = self.tidy().is_ok();
        }
        result
    }

    /// Returns `true` if the next call can have it.
    pub fn is_sound(&self) -> bool {
        self.is_sound
    }

    fn limit_memory(&mut self, limit: usize) -> Result<()> {
        if self.memory_limit != Some(limit) {
            self.lua.set_memory_limit(self.at_first.saturating_add(MOST_KEPT).saturating_add(limit))?;
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
            World::Rule { argument: Some(argument) } => Some(string(&self.lua, argument)?),
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

    /// Prepares what runs a script.
    fn runner(&mut self, call: &Call<'_>) -> Result<Function> {
        if self.runners.len() >= MOST_RUNNERS {
            self.runners.retain(|_, (script, _)| !script.is_gone());
        }
        let chunk = self.lua.load(call.script.source()).set_name(format!("@{}", call.script.name())).into_function()?;
        match call.world {
            World::Rule { .. } => self.prepare.call((chunk, "main", &self.rule)),
            World::Decision => self.prepare.call((chunk, "should_block", &self.decision)),
        }
    }

    /// Gives back what the last call left, when it is much.
    fn tidy(&mut self) -> Result<()> {
        self.budget.fill(&MAKING);
        self.forget.call::<()>(())?;
        self.watch.relax(&self.lua)
    }
}

/// A number that nobody can know before; processes that were one when they began have different ones.
fn seed() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (RandomState::new().hash_one((std::process::id(), now)) >> 11) as f64
}

fn is_out_of_memory(error: &Error) -> bool {
    match error {
        Error::CallbackError { cause, .. } => is_out_of_memory(cause),
        other => matches!(other, Error::MemoryError(_)),
    }
}

/// What an error says, in one line: without the way to it, and without a place in our own Lua, where a script's last call has taken its place.
fn message(error: &Error) -> String {
    let text = match error {
        Error::CallbackError { cause, .. } => return message(cause),
        Error::RuntimeError(text) => text.clone(),
        other => other.to_string(),
    };
    // What stands behind a tab belongs to the line before: where a module was looked for.
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let more = lines.map_while(|line| line.strip_prefix('\t'));
    let line = std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ");
    let mut names = [PRELUDE, RULE, DECISION, REQUIRE].into_iter().chain(modules::names());
    let own = names.find_map(|name| line.strip_prefix(name)?.strip_prefix(':')?.split_once(": "));
    own.map_or(line.as_str(), |(_, message)| message).to_owned()
}
