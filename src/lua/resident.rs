//! A Lua state that lives: a script runs once, and what it made stays for later calls of its functions.
//!
//! Scripts beside requests need it: they count in their own variables. Sandbox, limits and functions on texts are those of [`State`](super::state::State),
//! whose scripts keep nothing. The limits of instructions and time begin anew with each call; that of memory holds for all that the script keeps.

use super::budget::{Budget, Excess, Limits};
use super::state::{Base, is_out_of_memory, message};
use super::{Failure, strings};
use crate::script::Script;
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, MultiValue, Result, Table, Value};
use std::rc::Rc;
use std::time::Instant;

/// A script and all that it made.
pub struct Resident {
    base: Base,
    /// Makes the environment of the script; takes the globals to add and the modules that `require` knows.
    settle: Function,
    /// Calls a function of the script.
    enter: Function,
    /// Gives a function of the host the manners of one of Lua: a problem is an error at the line of the caller.
    wrap: Function,
    memory_limit: Option<usize>,
}

/// The error of a function of the host, which a script sees at the line of the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallError(pub String);

impl Resident {
    /// Makes a state without a script.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new() -> std::result::Result<Self, Failure> {
        Self::make().map_err(|error| Failure::Script(message(&error)))
    }

    fn make() -> Result<Self> {
        let mut base = Base::new(true)?;
        let settle = base.shared.raw_get("settle")?;
        let enter = base.shared.raw_get("enter")?;
        let wrap = base.shared.raw_get("wrap")?;
        base.begin()?;
        Ok(Self { base, settle, enter, wrap, memory_limit: None })
    }

    /// Returns the state, to make values in it.
    pub fn lua(&self) -> &Lua {
        &self.base.lua
    }

    /// Returns the budget of the current call.
    pub fn budget(&self) -> Rc<Budget> {
        Rc::clone(&self.base.budget)
    }

    /// Makes a function of the host for the script. Each call of it counts as work; an error is raised at the line of the caller.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn function<A, R>(&self, call: impl Fn(&Lua, A) -> std::result::Result<R, CallError> + 'static) -> Result<Function>
    where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        let budget = self.budget();
        let native = self.base.lua.create_function(move |lua, arguments: MultiValue| {
            budget.spend_on(arguments.iter().map(length).sum()).map_err(strings::stopped)?;
            let arguments = match A::from_lua_multi(arguments, lua) {
                Ok(arguments) => arguments,
                Err(error) => return refused(lua, &message(&error)),
            };
            let result = call(lua, arguments);
            budget.check().map_err(strings::stopped)?;
            match result {
                Ok(values) => {
                    let mut values = values.into_lua_multi(lua)?;
                    values.push_front(Value::Boolean(true));
                    Ok(values)
                }
                Err(CallError(problem)) => refused(lua, &problem),
            }
        })?;
        self.wrap.call(native)
    }

    /// Runs a script, with these globals in addition to those of Lua, and these modules for `require`. Returns its results.
    ///
    /// # Errors
    /// If it raises an error, or exceeds its limits.
    pub fn run(&mut self, script: &Script, globals: &Table, modules: &Table, limits: &Limits) -> std::result::Result<MultiValue, Failure> {
        let chunk = self.base.lua.load(script.source()).set_name(format!("@{}", script.name())).into_function();
        let chunk = chunk.and_then(|chunk| self.settle.call::<Function>((chunk, globals, modules)));
        let chunk = chunk.map_err(|error| Failure::Script(message(&error)))?;
        self.call(&chunk, (), limits)
    }

    /// Calls a function of the script.
    ///
    /// # Errors
    /// If it raises an error, or exceeds its limits. The state can be used all the same.
    pub fn call(&mut self, function: &Function, arguments: impl IntoLuaMulti, limits: &Limits) -> std::result::Result<MultiValue, Failure> {
        self.base.budget.fill(limits);
        let result = self.limit_memory(limits.memory).and_then(|()| {
            let mut arguments = arguments.into_lua_multi(&self.base.lua)?;
            arguments.push_front(Value::Function(function.clone()));
            self.enter.call::<MultiValue>(arguments)
        });
        let eased = self.base.watch.ease(&self.base.lua);
        let result = match (self.base.budget.check(), result) {
            (Err(excess), _) => Err(Failure::Over(excess)),
            (Ok(()), Ok(values)) => Ok(values),
            (Ok(()), Err(error)) if is_out_of_memory(&error) => Err(Failure::Over(Excess::Memory)),
            (Ok(()), Err(error)) => Err(Failure::Script(message(&error))),
        };
        if result.is_err() {
            // What was left behind may be large; a full state would fail again at once.
            self.base.budget.fill(limits);
            let _ = self.base.lua.gc_collect();
        }
        eased.map_err(|error| Failure::Script(message(&error))).and(result)
    }

    fn limit_memory(&mut self, limit: usize) -> Result<()> {
        if self.memory_limit != Some(limit) {
            self.base.lua.set_memory_limit(self.base.at_first.saturating_add(limit))?;
            self.memory_limit = Some(limit);
        }
        Ok(())
    }
}

/// Does what waits for others, without counting the time to the call.
pub fn unhurried<T>(budget: &Budget, wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = wait();
    budget.extend(began.elapsed());
    result
}

fn refused(lua: &Lua, problem: &str) -> Result<MultiValue> {
    Ok([Value::Boolean(false), Value::String(lua.create_string(problem)?)].into_iter().collect())
}

fn length(value: &Value) -> usize {
    value.as_string().map_or(1, |text| text.as_bytes().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    const LIMITS: Limits = Limits { instructions: 1_000_000, time: Duration::from_secs(5), memory: 8 << 20 };

    /// Runs a script that may call `host.double`, and returns its state and its function `f`.
    fn settled(text: &str) -> (Resident, Function) {
        let mut resident = Resident::new().unwrap();
        let results = run(&mut resident, text).unwrap();
        let function = results.front().and_then(Value::as_function).unwrap().clone();
        (resident, function)
    }

    fn run(resident: &mut Resident, text: &str) -> std::result::Result<MultiValue, Failure> {
        let double = resident.function(|_, number: f64| match number {
            0.0.. => Ok(number * 2.0),
            _ => Err(CallError("a negative number".to_owned())),
        });
        let lua = resident.lua().clone();
        let (globals, modules, host) = (lua.create_table().unwrap(), lua.create_table().unwrap(), lua.create_table().unwrap());
        host.raw_set("double", double.unwrap()).unwrap();
        modules.raw_set("host", host).unwrap();
        modules.raw_set("gone", "module 'gone' has moved").unwrap();
        globals.raw_set("answer", 42).unwrap();
        resident.run(&Script::new("a.lua", text.into()).unwrap(), &globals, &modules, &LIMITS)
    }

    fn call(resident: &mut Resident, function: &Function) -> std::result::Result<f64, Failure> {
        let values = resident.call(function, (), &LIMITS)?;
        Ok(values.front().and_then(|value| value.as_number().or(value.as_integer().map(|whole| whole as f64))).unwrap())
    }

    #[test]
    fn variables_stay_between_calls() {
        let (mut resident, count) =
            settled("local seen = 0\ntotal = 10\nreturn function() seen = seen + 1 total = total + seen return total end");
        assert_eq!((call(&mut resident, &count), call(&mut resident, &count)), (Ok(11.0), Ok(13.0)));
    }

    #[test]
    fn functions_of_the_host_fail_at_the_line_of_the_caller() {
        let (mut resident, function) = settled("local host = require 'host'\nreturn function()\n  return host.double(answer)\nend");
        assert_eq!(call(&mut resident, &function), Ok(84.0));
        let (mut resident, function) = settled("local host = require 'host'\nreturn function()\n  local x = host.double(-1)\nend");
        assert_eq!(call(&mut resident, &function), Err(Failure::Script("a.lua:3: a negative number".to_owned())));
        let (mut resident, function) = settled("local host = require 'host'\nreturn function()\n  local x = host.double({})\nend");
        let Err(Failure::Script(problem)) = call(&mut resident, &function) else { panic!() };
        assert!(problem.starts_with("a.lua:3: "), "{problem}");
    }

    #[test]
    fn a_call_that_is_stopped_leaves_the_state_usable() {
        for greedy in [
            "while true do end",
            "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
            "pcall(function() while true do end end)",
        ] {
            let text = format!("local n = 0\nreturn function() n = n + 1 if n == 1 then {greedy} end return n end");
            let (mut resident, function) = settled(&text);
            assert!(matches!(call(&mut resident, &function), Err(Failure::Over(_))), "{greedy}");
            assert_eq!(call(&mut resident, &function), Ok(2.0), "{greedy}");
        }
    }

    #[test]
    fn a_flag_of_another_thread_ends_calls_that_swallow_errors() {
        let (mut resident, function) = settled("return function() while true do pcall(function() while true do end end) end end");
        let flag = Arc::new(AtomicBool::new(false));
        resident.budget().stop_with(&flag);
        let unlimited = Limits { instructions: u64::MAX, time: Duration::from_secs(600), ..LIMITS };
        std::thread::scope(|scope| {
            scope.spawn(|| flag.store(true, Ordering::Relaxed));
            assert!(matches!(resident.call(&function, (), &unlimited), Err(Failure::Over(Excess::Time))));
        });
        assert!(resident.budget().is_stopped());
    }

    #[test]
    fn what_a_script_keeps_counts_for_its_memory() {
        let (mut resident, function) =
            settled("kept = {}\nreturn function() for i = 1, 100 do kept[#kept + 1] = ('x'):rep(10000) .. #kept end return #kept end");
        let results: Vec<_> = (0..20).map(|_| call(&mut resident, &function)).collect();
        assert!(
            results.first().is_some_and(|first| first.is_ok())
                && results.last().is_some_and(|last| *last == Err(Failure::Over(Excess::Memory)))
        );
    }

    #[test]
    fn functions_of_the_host_that_call_the_script_again_end() {
        let mut resident = Resident::new().unwrap();
        let show = resident.function(|_, value: Value| value.to_string().map_err(|error| CallError(message(&error)))).unwrap();
        let globals = resident.lua().create_table().unwrap();
        globals.raw_set("show", show).unwrap();
        let modules = resident.lua().create_table().unwrap();
        let text = "local calls = 0\n\
            local again = setmetatable({}, { __tostring = function(self) calls = calls + 1 return show(self) end })\n\
            for turn = 1, 3 do\n\
                local succeeded, problem = pcall(show, again)\n\
                assert(not succeeded and problem:find('C stack overflow'), problem)\n\
                assert(calls == 100 * turn, calls)\n\
            end";
        let script = Script::new("a.lua", text.into()).unwrap();
        assert_eq!(resident.run(&script, &globals, &modules, &LIMITS).map(|_| ()), Ok(()));
    }

    #[test]
    fn a_state_that_has_become_small_is_fast_again() {
        let (mut resident, function) = settled(
            "local held, calls = nil, 0\n\
             return function()\n\
                 calls = calls + 1\n\
                 if calls == 1 then held = ('x'):rep(2000000) elseif calls == 2 then held = nil end\n\
                 for i = 1, 20000 do local t = { i } end\n\
                 return calls\n\
             end",
        );
        let stages: Vec<usize> = (0..6)
            .map(|_| {
                call(&mut resident, &function).unwrap();
                resident.base.watch.stage()
            })
            .collect();
        assert!(stages[0] > 0 && stages.last() == Some(&0), "{stages:?}");
    }

    #[test]
    fn libraries_can_be_required_and_others_cannot() {
        for name in ["string", "table", "math", "os", "coroutine", "host"] {
            assert!(
                run(&mut Resident::new().unwrap(), &format!("local lib = require '{name}'\nassert(type(lib) == 'table')")).is_ok(),
                "{name}"
            );
        }
        for (name, problem) in
            [("io", "module 'io' does not exist here"), ("ffi", "module 'ffi' does not exist here"), ("gone", "module 'gone' has moved")]
        {
            let failure = run(&mut Resident::new().unwrap(), &format!("\nlocal lib = require '{name}'")).unwrap_err();
            assert_eq!(failure, Failure::Script(format!("a.lua:2: {problem}")));
        }
        assert!(
            run(
                &mut Resident::new().unwrap(),
                "assert(not (io or debug or package or ffi or jit or os.exit or os.getenv or os.execute or os.remove))"
            )
            .is_ok()
        );
    }

    #[test]
    fn waiting_for_others_does_not_count() {
        let mut resident = Resident::new().unwrap();
        let budget = resident.budget();
        let wait = resident.function(move |_, ()| {
            unhurried(&budget, || std::thread::sleep(Duration::from_millis(150)));
            Ok(())
        });
        let globals = resident.lua().create_table().unwrap();
        globals.raw_set("wait", wait.unwrap()).unwrap();
        let modules = resident.lua().create_table().unwrap();
        let script = Script::new("a.lua", b"for i = 1, 3 do wait() end for i = 1, 10000 do end".to_vec()).unwrap();
        let limits = Limits { time: Duration::from_millis(200), ..LIMITS };
        assert!(resident.run(&script, &globals, &modules, &limits).is_ok());
    }
}
