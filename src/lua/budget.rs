//! What one call of a script may use up: instructions, time, memory.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// What one call may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of Lua, or steps of a pattern.
    pub instructions: u64,
    /// Time by the clock on the wall.
    pub time: Duration,
    /// Bytes of values, garbage included, in Lua and in the transaction.
    pub memory: usize,
}

/// What a call had too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Excess {
    /// Instructions.
    Instructions,
    /// Time.
    Time,
    /// Memory.
    Memory,
}

/// What is left of a call's limits.
#[derive(Debug)]
pub struct Budget {
    instructions: Cell<u64>,
    time: Cell<Duration>,
    /// When it ends, once somebody looked at the clock: that costs as much as a short call.
    deadline: Cell<Option<Instant>>,
    memory: Cell<usize>,
    over: Cell<Option<Excess>>,
    /// How often somebody looked when nothing was left.
    looks: Cell<u32>,
    /// Steps of small work that were not taken away yet.
    untaken: Cell<u64>,
}

/// How often somebody may look when nothing is left.
const LOOKS: u32 = 100_000;

/// How many bytes are gone over in the time of one step, and how many steps of such work are taken away together.
const BYTES_A_STEP: usize = 64;
const STRIDE: u64 = 1000;

impl Budget {
    /// A full budget for a call.
    pub fn new(limits: &Limits) -> Self {
        let budget = Self {
            instructions: Cell::new(0),
            time: Cell::new(Duration::ZERO),
            deadline: Cell::new(None),
            memory: Cell::new(0),
            over: Cell::new(None),
            looks: Cell::new(0),
            untaken: Cell::new(0),
        };
        budget.fill(limits);
        budget
    }

    /// Fills it for a call.
    pub fn fill(&self, limits: &Limits) {
        self.instructions.set(limits.instructions);
        self.time.set(limits.time);
        self.deadline.set(None);
        self.untaken.set(0);
        self.memory.set(limits.memory);
        self.over.set(None);
    }

    /// Takes steps away, and looks at the clock.
    pub fn spend(&self, steps: u64) -> Result<(), Excess> {
        self.check()?;
        match self.instructions.get().checked_sub(steps) {
            Some(left) => self.instructions.set(left),
            None => return Err(self.exceed(Excess::Instructions)),
        }
        if self.look() {
            return Err(self.exceed(Excess::Time));
        }
        Ok(())
    }

    /// Looks at the clock. The first look is where the call's time begins: it comes before anything that may take long. Gives whether it is over.
    pub fn look(&self) -> bool {
        let now = Instant::now();
        let deadline = self.deadline.get().unwrap_or_else(|| now.checked_add(self.time.get()).unwrap_or(now));
        self.deadline.set(Some(deadline));
        now > deadline
    }

    /// What is left of the call's time. As the first look it is where that begins.
    pub fn time_left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// When the call's time is over, likewise.
    pub fn deadline(&self) -> Instant {
        self.look();
        self.deadline.get().unwrap_or_else(Instant::now)
    }

    /// Takes away what it costs to go over some bytes once.
    pub fn spend_on(&self, bytes: usize) -> Result<(), Excess> {
        let steps = self.untaken.get().saturating_add(1 + (bytes / BYTES_A_STEP) as u64);
        if steps < STRIDE {
            self.untaken.set(steps);
            return self.check();
        }
        self.untaken.set(0);
        self.spend(steps)
    }

    /// Takes memory away that the call filled outside of Lua, in bytes.
    pub fn fill_memory(&self, bytes: usize) -> Result<(), Excess> {
        self.check()?;
        match self.memory.get().checked_sub(bytes) {
            Some(left) => {
                self.memory.set(left);
                Ok(())
            }
            None => Err(self.exceed(Excess::Memory)),
        }
    }

    /// How many instructions are left.
    pub fn instructions(&self) -> u64 {
        self.instructions.get()
    }

    /// What memory outside of Lua is left, in bytes.
    pub fn memory(&self) -> usize {
        self.memory.get()
    }

    /// Fails when the budget is used up: once it is, everything that looks at it fails until the call is over.
    pub fn check(&self) -> Result<(), Excess> {
        self.over.get().map_or(Ok(()), Err)
    }

    /// Returns `true` if it is used up.
    pub fn is_over(&self) -> bool {
        self.over.get().is_some()
    }

    /// Returns `true` if what is used up is spent on, which nothing is known to do: then the call is told once more.
    pub fn is_ignored(&self) -> bool {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        looks.is_multiple_of(LOOKS)
    }

    /// Notes that the call had too much of something.
    pub fn exceed(&self, excess: Excess) -> Excess {
        self.over.set(Some(excess));
        excess
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Excess::Instructions => "it took more instructions than SecLuaInstructionLimit",
            Excess::Time => "it took more time than SecLuaTimeLimit",
            Excess::Memory => "it took more memory than SecLuaMemoryLimit",
        })
    }
}
