//! A call of a script, and what comes of it.

use super::budget::{Excess, Limits};
use crate::script::Script;

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
