//! Limits of one call of a script: instructions, time, memory.

use std::cell::{Cell, OnceCell};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of Lua, or steps of a pattern.
    pub instructions: u64,
    /// Wall-clock time.
    pub time: Duration,
    /// Bytes of values, including garbage, in Lua and in the transaction.
    pub memory: usize,
}

/// The limit that a call exceeded.
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

/// Remaining budget of a call.
#[derive(Debug)]
pub struct Budget {
    instructions: Cell<u64>,
    time: Cell<Duration>,
    /// The end of the call's time. Set by the first look at the clock, which costs as much as a short call.
    deadline: Cell<Option<Instant>>,
    memory: Cell<usize>,
    over: Cell<Option<Excess>>,
    /// Number of checks since the budget was used up.
    looks: Cell<u32>,
    /// Steps of small work that are not charged yet.
    untaken: Cell<u64>,
    /// Set by another thread that ends the call.
    stop: OnceCell<Arc<AtomicBool>>,
}

/// Number of checks after exhaustion between two errors.
const LOOKS: u32 = 100_000;

/// Bytes of linear work for one step, and number of such steps that are charged together.
const BYTES_A_STEP: usize = 64;
const STRIDE: u64 = 1000;

impl Budget {
    /// Makes a full budget for a call.
    pub fn new(limits: &Limits) -> Self {
        let budget = Self {
            instructions: Cell::new(0),
            time: Cell::new(Duration::ZERO),
            deadline: Cell::new(None),
            memory: Cell::new(0),
            over: Cell::new(None),
            looks: Cell::new(0),
            untaken: Cell::new(0),
            stop: OnceCell::new(),
        };
        budget.fill(limits);
        budget
    }

    /// Ends all calls from the time on that a flag is `true`: their time is over then. The first flag stays.
    pub fn stop_with(&self, flag: &Arc<AtomicBool>) {
        self.stop.get_or_init(|| Arc::clone(flag));
    }

    /// Returns `true` if the flag says that calls end.
    pub fn is_stopped(&self) -> bool {
        self.stop.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Refills the budget for a call.
    pub fn fill(&self, limits: &Limits) {
        self.instructions.set(limits.instructions);
        self.time.set(limits.time);
        self.deadline.set(None);
        self.untaken.set(0);
        self.memory.set(limits.memory);
        self.over.set(None);
    }

    /// Charges steps, and looks at the clock.
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

    /// Looks at the clock. The first look starts the call's time; it comes before anything that may take long. Returns `true` if the time is over, or
    /// the call was stopped.
    pub fn look(&self) -> bool {
        let now = Instant::now();
        let deadline = self.deadline.get().unwrap_or_else(|| now.checked_add(self.time.get()).unwrap_or(now));
        self.deadline.set(Some(deadline));
        now > deadline || self.is_stopped()
    }

    /// Returns the rest of the call's time. The first look starts it.
    pub fn time_left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// Returns the end of the call's time. The first look starts it.
    pub fn deadline(&self) -> Instant {
        self.look();
        self.deadline.get().unwrap_or_else(Instant::now)
    }

    /// Lengthens the call's time, if it has begun.
    pub fn extend(&self, time: Duration) {
        match self.deadline.get() {
            Some(deadline) => self.deadline.set(Some(deadline.checked_add(time).unwrap_or(deadline))),
            None => self.time.set(self.time.get().saturating_add(time)),
        }
    }

    /// Charges the cost of reading `bytes` bytes once.
    pub fn spend_on(&self, bytes: usize) -> Result<(), Excess> {
        let steps = self.untaken.get().saturating_add(1 + (bytes / BYTES_A_STEP) as u64);
        if steps < STRIDE {
            self.untaken.set(steps);
            return self.check();
        }
        self.untaken.set(0);
        self.spend(steps)
    }

    /// Charges memory that the call fills outside of Lua, in bytes.
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

    /// Returns the number of instructions left.
    pub fn instructions(&self) -> u64 {
        self.instructions.get()
    }

    /// Returns the memory left outside of Lua, in bytes.
    pub fn memory(&self) -> usize {
        self.memory.get()
    }

    /// Returns an error if the budget is used up. Every later check of the call then fails, too.
    pub fn check(&self) -> Result<(), Excess> {
        self.over.get().map_or(Ok(()), Err)
    }

    /// Returns `true` if the budget is used up.
    pub fn is_over(&self) -> bool {
        self.over.get().is_some()
    }

    /// Returns `true` on every `LOOKS`th check after exhaustion, so that a script that swallows the error is interrupted again.
    pub fn is_ignored(&self) -> bool {
        let looks = self.looks.get().wrapping_add(1);
        self.looks.set(looks);
        looks.is_multiple_of(LOOKS)
    }

    /// Marks the budget as used up.
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
