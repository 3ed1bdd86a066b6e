//! Looks at the budget while a script runs, the more often the more the state holds.

use super::budget::Budget;
use super::strings::stopped;
use mlua::state::{GcIncParams, GcMode};
use mlua::{HookTriggers, Lua, Result, VmState};
use std::cell::Cell;
use std::rc::Rc;

/// How many bytes more than at first a state may hold on to between calls, garbage included.
pub const MOST_KEPT: usize = 1 << 20;

/// After how many instructions the budget is looked at, by how many bytes more than at first the state holds: one instruction may go over all of
/// them, such as adding to a text of digits, at 1.5 nanoseconds a byte. The first number is part of what each call costs.
const PERIODS: [(usize, u32); 4] = [(0, 250), (MOST_KEPT, 20), (4 * MOST_KEPT, 5), (16 * MOST_KEPT, 1)];

/// How much a state may grow before garbage is collected, in percent of what it held: while it is small, and once it is not.
const SELDOM: i32 = 1000;
const OFTEN: i32 = 150;

/// Watches one state.
#[derive(Debug)]
pub struct Watch {
    budget: Rc<Budget>,
    /// What the state held when it was made, in bytes.
    at_first: Cell<usize>,
    /// Which of the periods holds.
    stage: Cell<usize>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new(budget: &Rc<Budget>) -> Rc<Self> {
        Rc::new(Self { budget: Rc::clone(budget), at_first: Cell::new(usize::MAX), stage: Cell::new(0) })
    }

    /// Begins with what the state holds now.
    pub fn begin(self: &Rc<Self>, lua: &Lua) -> Result<usize> {
        self.relax(lua)?;
        let at_first = lua.used_memory();
        self.at_first.set(at_first);
        Ok(at_first)
    }

    /// Goes back to looking seldom, and collects what is garbage.
    pub fn relax(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(SELDOM)));
        self.stage.set(0);
        self.set_hook(lua)?;
        lua.gc_collect()
    }

    /// Looks closer where the state holds much.
    pub fn adapt(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        let more = lua.used_memory().saturating_sub(self.at_first.get());
        let stage = PERIODS.iter().rposition(|(much, _)| more >= *much).unwrap_or(0);
        if stage > self.stage.get() {
            self.stage.set(stage);
            lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(OFTEN)));
            self.set_hook(lua)?;
        }
        Ok(())
    }

    /// A hook of one thread would not see coroutines.
    fn set_hook(self: &Rc<Self>, lua: &Lua) -> Result<()> {
        let own = Rc::clone(self);
        let period = PERIODS.get(self.stage.get()).map_or(1, |(_, period)| *period);
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(period), move |lua, _| {
            own.adapt(lua)?;
            // An error that is on its way needs no other: no line of the script runs behind it.
            if !own.budget.is_over() || own.budget.is_ignored() {
                own.budget.spend(u64::from(period)).map_err(stopped)?;
            }
            Ok(VmState::Continue)
        })
    }
}
