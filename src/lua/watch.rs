//! Checks the budget while a script runs, more often if the state holds more memory.

use super::budget::Budget;
use super::strings::stopped;
use mlua::state::{GcIncParams, GcMode};
use mlua::{HookTriggers, Lua, Result, VmState};
use std::cell::Cell;
use std::rc::Rc;

/// Memory that a state may keep between calls, in addition to that at its start, in bytes, including garbage.
pub const MAX_KEPT: usize = 1 << 20;

/// Instructions between two checks, by the memory of the state beyond that at its start, in bytes. One instruction may read all of it, such as adding
/// to a text of digits, at 1.5 nanoseconds a byte. The first period is part of the cost of each call.
const PERIODS: [(usize, u32); 4] = [(0, 250), (MAX_KEPT, 20), (4 * MAX_KEPT, 5), (16 * MAX_KEPT, 1)];

/// Growth of a state before garbage is collected, in percent: while it is small, and later.
const SELDOM: i32 = 1000;
const OFTEN: i32 = 150;

/// Checks the budget of one state.
#[derive(Debug)]
pub struct Watch {
    budget: Rc<Budget>,
    /// Memory of the state after it was made, in bytes.
    at_first: Cell<usize>,
    /// The current period.
    stage: Cell<usize>,
}

impl Watch {
    /// Makes a watch that is not started.
    pub fn new(budget: &Rc<Budget>) -> Rc<Self> {
        Rc::new(Self { budget: Rc::clone(budget), at_first: Cell::new(usize::MAX), stage: Cell::new(0) })
    }

    /// Starts with the current memory of the state.
    pub fn begin(self: &Rc<Self>, lua: &Lua) -> Result<usize> {
        self.relax(lua)?;
        let at_first = lua.used_memory();
        self.at_first.set(at_first);
        Ok(at_first)
    }

    /// Returns to rare checks, and collects garbage.
    pub fn relax(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(SELDOM)));
        self.stage.set(0);
        self.set_hook(lua)?;
        lua.gc_collect()
    }

    /// Checks more often if the state holds much memory.
    pub fn adapt(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        let stage = self.stage_of(lua);
        if stage > self.stage.get() { self.enter(lua, stage) } else { Ok(()) }
    }

    /// Checks less often if the state holds less memory than it did, without collecting garbage.
    pub fn ease(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        let stage = self.stage_of(lua);
        if stage < self.stage.get() { self.enter(lua, stage) } else { Ok(()) }
    }

    /// Returns the stage: 0 for rare checks.
    #[cfg(test)]
    pub fn stage(&self) -> usize {
        self.stage.get()
    }

    fn stage_of(&self, lua: &Lua) -> usize {
        let more = lua.used_memory().saturating_sub(self.at_first.get());
        PERIODS.iter().rposition(|(much, _)| more >= *much).unwrap_or(0)
    }

    fn enter(self: &Rc<Self>, lua: &Lua, stage: usize) -> Result<()> {
        self.stage.set(stage);
        let pause = if stage == 0 { SELDOM } else { OFTEN };
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(pause)));
        self.set_hook(lua)
    }

    /// A hook of one thread would not cover coroutines.
    fn set_hook(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        let own = Rc::clone(self);
        let period = PERIODS.get(self.stage.get()).map_or(1, |(_, period)| *period);
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(period), move |lua, _| {
            own.adapt(lua)?;
            // An error that is propagating needs no other: no line of the script runs after it.
            if !own.budget.is_over() || own.budget.is_ignored() {
                own.budget.spend(u64::from(period)).map_err(stopped)?;
            }
            Ok(VmState::Continue)
        })
    }
}
