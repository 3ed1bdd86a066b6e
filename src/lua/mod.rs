//! Runs Lua scripts: takes a script, its limits and a [`Host`] that answers its questions, gives the returned value; imports `script`, `random`, and
//! for the names in scripts `transform`, `vocabulary` and `graph`.
//!
//! Each thread makes a Lua state once and reuses it; no call sees what another left. A call that exceeds its budget is stopped anywhere: in a loop,
//! in a coroutine, in a pattern, in an allocation. Only a blocking system call is not stopped, so scripts by other authors belong into the sandbox.

mod budget;
mod call;
mod host;
#[cfg(feature = "lua")]
mod known;
#[cfg(feature = "lua")]
mod modules;
mod name;
#[cfg(feature = "lua")]
mod pattern;
#[cfg(feature = "lua")]
mod pool;
#[cfg(feature = "lua")]
mod questions;
#[cfg(feature = "lua")]
mod resident;
#[cfg(feature = "lua")]
mod state;
#[cfg(feature = "lua")]
mod strings;
#[cfg(feature = "lua")]
mod watch;

pub use budget::{Budget, Excess, Limits};
pub use call::{Call, Failure, Returned, World};
pub use host::{Host, Question, Reply};
pub use name::{Chain, Step, VariableName};
#[cfg(feature = "lua")]
pub use resident::{CallError, Resident, unhurried};

/// Runs a script.
pub fn run(call: &Call<'_>, host: &mut dyn Host) -> Result<Returned, Failure> {
    #[cfg(feature = "lua")]
    return pool::run(call, host);
    #[cfg(not(feature = "lua"))]
    {
        let _ = (call, host);
        Err(Failure::NotBuilt)
    }
}

#[cfg(test)]
#[cfg(feature = "lua")]
mod tests;
