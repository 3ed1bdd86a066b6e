//! Rules to load, and options for compiling them.

use std::path::PathBuf;

/// An input of a load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A rule file.
    File(PathBuf),
    /// Rules as text; `name` is its name in messages.
    Text {
        /// The name in messages.
        name: String,
        /// The rules.
        text: String,
    },
    /// Rules as bytes, which should be UTF-8; `name` is their name in messages.
    Bytes {
        /// The name in messages.
        name: String,
        /// The rules.
        bytes: Vec<u8>,
    },
    /// Rules at an https address.
    Remote {
        /// The address, which is also the name in messages.
        address: String,
        /// The key for the server.
        key: String,
    },
    /// Several inputs that are one load, as if one file included them.
    Group(Vec<Input>),
}

/// Options for compiling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Use of a plan, which changes only the time of verdicts.
    pub planning: Planning,
}

/// Use of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planning {
    /// Rules run as seldom as possible.
    #[default]
    On,
    /// Every rule tests every value, for comparison.
    Off,
}
