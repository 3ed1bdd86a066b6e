//! Selected values and what they are called.

use super::{Arena, Offsets, Text};
use crate::graph::Target;
use crate::vocabulary::Variable;
use std::io::Write as _;

/// A value that a target selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// What it is called.
    pub label: Label,
    /// The value before transformations.
    pub value: Text,
    /// Where name and value begin in the request, where that is known.
    pub offsets: Option<Offsets>,
}

/// What a value is called, put together on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The variable's name.
    Variable(Variable),
    /// The variable's name, a colon, a key.
    Keyed(Variable, Text),
    /// This text.
    Written(Text),
}

impl Label {
    /// The variable that the value belongs to; nothing where the label was written out.
    pub fn variable(self) -> Option<Variable> {
        match self {
            Label::Variable(variable) | Label::Keyed(variable, _) => Some(variable),
            Label::Written(_) => None,
        }
    }

    /// The key, where there is one.
    pub fn key(self) -> Option<Text> {
        match self {
            Label::Keyed(_, key) => Some(key),
            Label::Variable(_) | Label::Written(_) => None,
        }
    }

    /// Appends the label to a text.
    pub fn write(self, arena: &Arena, output: &mut Vec<u8>) {
        match self {
            Label::Variable(variable) => output.extend_from_slice(variable.name().as_bytes()),
            Label::Keyed(variable, key) => {
                output.extend_from_slice(variable.name().as_bytes());
                output.push(b':');
                output.extend_from_slice(arena.read(key));
            }
            Label::Written(text) => output.extend_from_slice(arena.read(text)),
        }
    }

    /// Stores the label as a value.
    pub fn store(self, arena: &mut Arena) -> Text {
        match self {
            Label::Variable(variable) => arena.store(variable.name().as_bytes()),
            Label::Keyed(variable, key) => {
                let key = arena.read(key).to_vec();
                arena.build(|bytes| {
                    bytes.extend_from_slice(variable.name().as_bytes());
                    bytes.push(b':');
                    bytes.extend_from_slice(&key);
                })
            }
            Label::Written(text) => text,
        }
    }

    /// The label of a target that counts: as written, without the `&`.
    pub fn of_count(target: &Target, arena: &mut Arena) -> Self {
        let plain = Target { count: false, ..target.clone() };
        Label::Written(arena.build(|bytes| {
            let _ = write!(bytes, "{plain}");
        }))
    }
}
