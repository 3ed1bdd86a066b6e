//! Rules to load, and how to compile them.

use std::path::PathBuf;

/// Something to load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A rule file.
    File(PathBuf),
    /// Rules as text; `name` is what messages call it.
    Text {
        /// What messages call it.
        name: String,
        /// The rules.
        text: String,
    },
    /// Rules as bytes, which should be UTF-8; `name` is what messages call them.
    Bytes {
        /// What messages call them.
        name: String,
        /// The rules.
        bytes: Vec<u8>,
    },
    /// Rules at an https address.
    Remote {
        /// The address, which messages call them by.
        address: String,
        /// What is shown to the server.
        key: String,
    },
    /// Several inputs that are one load, as if one file included them.
    Group(Vec<Input>),
}

/// How to compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileOptions {
    /// Whether evaluation is planned. A plan changes no verdict, only the time it takes.
    pub planning: Planning,
}

/// Whether evaluation is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planning {
    /// Rules are asked as seldom as possible.
    #[default]
    On,
    /// Every rule is asked about every value: to compare with.
    Off,
}
