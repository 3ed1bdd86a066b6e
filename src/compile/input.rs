//! Rules to load, and how to compile them.

use std::path::PathBuf;

/// Something to load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A rule file.
    File(PathBuf),
    /// Rules as text; messages call it `name`.
    Text {
        /// The name in messages.
        name: String,
        /// The rules.
        text: String,
    },
    /// Rules as bytes, which should be UTF-8; messages call them `name`.
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
        /// The key that the server is shown.
        key: String,
    },
    /// Several inputs that are one load, as if one file included them.
    Group(Vec<Input>),
}

/// How to compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Use of a plan, which changes no verdict, only the time that one takes.
    pub planning: Planning,
}

/// Use of a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planning {
    /// Rules are asked as seldom as possible.
    #[default]
    On,
    /// Every rule is asked about every value: to compare with.
    Off,
}
