//! Runs Lua scripts: takes a script, what it may use up and who answers its questions, gives what it returned; imports `script`, `random`, and for
//! the names that scripts know variables and transformations by `transform`, `vocabulary`, `graph`.
//!
//! Each thread makes a Lua state once and reuses it; no call sees what another left. A call that exceeds its budget is stopped anywhere: in a loop,
//! in a coroutine, in a pattern, in an allocation. Only a blocking system call is not stopped, so scripts by other authors belong into the sandbox.

mod budget;
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
mod state;
#[cfg(feature = "lua")]
mod strings;
#[cfg(feature = "lua")]
mod watch;

pub use budget::{Budget, Excess, Limits};
pub use name::{Chain, Step, VariableName};

use crate::script::Script;
use std::borrow::Cow;

/// The environment of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World<'a> {
    /// That of rules: `m`. Calls `main`, with this argument if there is one.
    Rule {
        /// The argument of `main`.
        argument: Option<&'a [u8]>,
    },
    /// That of decision scripts: `request` and the functions on addresses. Calls `should_block`.
    Decision,
}

/// A call of a script.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The script.
    pub script: &'a Script,
    /// Its environment.
    pub world: World<'a>,
    /// `true` if files, programs and bytecode are not available.
    pub sandboxed: bool,
    /// Its limits.
    pub limits: Limits,
}

/// A question of a script to its host.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question<'a> {
    /// `log` and `m.log`: a message with its level.
    Log(i64, &'a [u8]),
    /// `m.getvar`: a variable, after transformations.
    Variable(&'a VariableName, &'a Chain),
    /// `m.getvars`: all values that a variable selects, after transformations.
    Variables(&'a VariableName, &'a Chain),
    /// `m.setvar`: a variable and its value.
    SetVariable(&'a VariableName, &'a [u8]),
    /// `request.…`: a field.
    Field(&'a [u8]),
    /// `request.headers`
    Headers,
    /// `socket.dns`: the addresses of a host name.
    AddressesOf(&'a [u8]),
    /// `socket.dns`: the names of an address.
    NamesOf(&'a [u8]),
    /// `is_ip_blacklisted`, `is_ip_whitelisted`: an address, a site, and `true` for the whitelist.
    IsListed(&'a [u8], Option<f64>, bool),
    /// `ban_ip`: an address, a site, minutes.
    Ban(&'a [u8], Option<f64>, Option<f64>),
    /// `unban_ip`: an address, a site.
    Unban(&'a [u8], Option<f64>),
    /// `is_rate_limited`: an address, a site.
    IsRateLimited(&'a [u8], Option<f64>),
    /// `is_verified_crawler`: an address, a user agent, exempts, minutes.
    IsVerifiedCrawler(&'a [u8], &'a [u8], Vec<Vec<u8>>, f64),
}

/// An answer to a question.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply<'a> {
    /// Nothing: `nil`.
    Nothing,
    /// A boolean.
    Truth(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, [u8]>),
    /// Names and values.
    Pairs(Vec<(Vec<u8>, Vec<u8>)>),
    /// Texts.
    List(Vec<Vec<u8>>),
    /// The question is invalid: an error of the script.
    Senseless(String),
}

/// Answers a script's questions.
pub trait Host {
    /// Answers a question. Its cost is charged to the budget.
    fn answer(&mut self, question: Question<'_>, budget: &Budget) -> Reply<'_>;

    /// Called at the end with the number of instructions of the call, to some hundreds.
    fn spent(&mut self, instructions: u64);
}

/// Value that a script returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// A text.
    Text(Vec<u8>),
    /// A number, and its text in Lua.
    Number(f64, Vec<u8>),
    /// Nothing: `nil`.
    Nothing,
    /// Something else: the name of its type.
    Other(String),
}

/// Reason why a script returned nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It was stopped at a limit.
    #[error("it was stopped: {0}")]
    Over(Excess),
    /// It has an error, with its place.
    #[error("{0}")]
    Script(String),
    /// This program was built without Lua.
    #[cfg(not(feature = "lua"))]
    #[error("this program was built without Lua")]
    NotBuilt,
}

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
