//! A state of Lua that runs scripts one after the other.

use super::budget::{Budget, Excess, Limits};
use super::questions::{self, HOST};
use super::strings::{self, stopped, string};
use super::{Call, Failure, Host, Returned, World};
use crate::script::WeakScript;
use mlua::state::{GcIncParams, GcMode};
use mlua::{BString, Error, Function, HookTriggers, Lua, LuaOptions, Result, StdLib, Table, Value, VmState};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::time::Duration;

/// After how many instructions the budget is looked at: while a state is small, and once one instruction can move megabytes.
const PERIOD: u32 = 1000;
const SHORT_PERIOD: u32 = 50;

/// How many bytes more than at first a state may hold on to between calls, garbage included.
const MOST_KEPT: usize = 1 << 20;

/// How many scripts a state holds before it looks for those that nobody needs any more.
const MOST_RUNNERS: usize = 64;

/// How much a state may grow before garbage is collected, in percent of what it held: while it is small, and once it is not.
const SELDOM: i32 = 1000;
const OFTEN: i32 = 150;

/// Enough to make a state.
const MAKING: Limits = Limits { instructions: u64::MAX, time: Duration::from_secs(3600), memory: usize::MAX };

/// What errors call our own Lua.
const PRELUDE: &str = "prelude";
const RULE: &str = "rule";
const DECISION: &str = "decision";

/// A state and what was prepared in it.
pub struct State {
    lua: Lua,
    budget: Rc<Budget>,
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
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::OS;
        let libraries = if sandboxed { libraries } else { libraries | StdLib::IO };
        // The library of the just-in-time compiler is left out, so that it stays off: compiled loops cannot be stopped.
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        let budget = Rc::new(Budget::new(&MAKING));
        let native = lua.create_table()?;
        strings::add(&lua, &native, &budget)?;
        questions::add(&lua, &native, &budget)?;
        let own = Rc::clone(&budget);
        native.raw_set("is_over", lua.create_function(move |_, ()| Ok(own.is_over()))?)?;
        let own = Rc::clone(&budget);
        native.raw_set("work", lua.create_function(move |_, bytes: f64| own.spend_on(bytes as usize).map_err(stopped))?)?;
        native.raw_set("memory", lua.create_function(|lua, ()| Ok(lua.used_memory()))?)?;
        let load = |name: &str, text: &str| lua.load(text).set_name(format!("={name}")).into_function();
        let (prepare, forget, hidden, host): (_, _, Table, Table) =
            load(PRELUDE, include_str!("prelude.lua"))?.call((&native, sandboxed))?;
        let rule = load(RULE, include_str!("rule.lua"))?.call((&native, &hidden, &host))?;
        let decision = load(DECISION, include_str!("decision.lua"))?.call((&native, &hidden, &host))?;
        // What is left there scripts cannot see; functions of Lua's libraries stand in it.
        lua.globals().clear()?;
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(SELDOM)));
        lua.gc_collect()?;
        let at_first = lua.used_memory();
        set_hook(&lua, &budget, at_first.saturating_add(MOST_KEPT), PERIOD)?;
        Ok(Self {
            lua,
            budget,
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

    /// Whether the next call can have it.
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
        self.lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(SELDOM)));
        set_hook(&self.lua, &self.budget, self.at_first.saturating_add(MOST_KEPT), PERIOD)?;
        self.lua.gc_collect()
    }
}

/// Looks at the budget as a script goes on, and closer once it holds `much`. A hook of one thread would not see coroutines.
fn set_hook(lua: &Lua, budget: &Rc<Budget>, much: usize, period: u32) -> Result<()> {
    let own = Rc::clone(budget);
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(period), move |lua, _| {
        if period > SHORT_PERIOD && lua.used_memory() > much {
            lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(OFTEN)));
            set_hook(lua, &own, much, SHORT_PERIOD)?;
        }
        // An error that is on its way needs no other: no line of the script runs behind it.
        if !own.is_over() || own.is_ignored() {
            own.spend(u64::from(period)).map_err(stopped)?;
        }
        Ok(VmState::Continue)
    })
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
    let line = text.lines().next().unwrap_or_default();
    let own = [PRELUDE, RULE, DECISION].into_iter().find_map(|name| line.strip_prefix(name)?.strip_prefix(':')?.split_once(": "));
    own.map_or(line, |(_, message)| message).to_owned()
}
