//! Runs Lua scripts: takes a script, what it may use up and who answers its questions, gives what it returned; imports `script`, and for
//! the names that scripts know variables and transformations by `transform`, `vocabulary`, `graph`.
//!
//! A state of Lua is made once for each thread and used again; what one call leaves behind no other sees. A call that uses up its budget is
//! stopped wherever it is: in a loop, in a coroutine, in a pattern, in an allocation. Only a system call that blocks is not, which is why
//! scripts that others write belong into the sandbox.

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

/// Which world a script runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World<'a> {
    /// That of rules: `m`; `main` is called, with this argument where there is one.
    Rule {
        /// What `main` is given.
        argument: Option<&'a [u8]>,
    },
    /// That of decision scripts: `request` and what may be asked about addresses; `should_block` is called.
    Decision,
}

/// How a script runs.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The script.
    pub script: &'a Script,
    /// Its world.
    pub world: World<'a>,
    /// Whether files, programs and bytecode are out of its reach.
    pub sandboxed: bool,
    /// What it may use up.
    pub limits: Limits,
}

/// What a script asks of whoever runs it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question<'a> {
    /// `log` and `m.log`: a message with its level.
    Log(i64, &'a [u8]),
    /// `m.getvar`: a variable, after transformations.
    Variable(&'a VariableName, &'a Chain),
    /// `m.getvars`: all that a variable selects, likewise.
    Variables(&'a VariableName, &'a Chain),
    /// `m.setvar`: a variable and its value.
    SetVariable(&'a VariableName, &'a [u8]),
    /// `request.…`: a field.
    Field(&'a [u8]),
    /// `request.headers`
    Headers,
    /// `socket.dns`: the addresses of a host's name.
    AddressesOf(&'a [u8]),
    /// `socket.dns`: the names of an address.
    NamesOf(&'a [u8]),
    /// `is_ip_blacklisted`, `is_ip_whitelisted`: an address, a site, and whether the list is that of the welcome.
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

/// What it is told.
#[derive(Debug)]
#[non_exhaustive]
pub enum Reply<'a> {
    /// Nothing: `nil`.
    Nothing,
    /// Yes or no.
    Truth(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(Cow<'a, [u8]>),
    /// Names and values.
    Pairs(Vec<(Vec<u8>, Vec<u8>)>),
    /// Texts.
    List(Vec<Vec<u8>>),
    /// The question makes no sense: an error of the script.
    Senseless(String),
}

/// Who answers a script's questions.
pub trait Host {
    /// Answers a question. What the answer costs is taken from the budget.
    fn answer(&mut self, question: Question<'_>, budget: &Budget) -> Reply<'_>;

    /// Is told at the end how many instructions the call took, to some hundreds.
    fn spent(&mut self, instructions: u64);
}

/// What a script returned.
#[derive(Clone, Debug, PartialEq)]
pub enum Returned {
    /// A text.
    Text(Vec<u8>),
    /// A number, and how Lua writes it.
    Number(f64, Vec<u8>),
    /// Nothing: `nil`.
    Nothing,
    /// Something else: the name of its type.
    Other(String),
}

/// Why a script returned nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It was stopped.
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
