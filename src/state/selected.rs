//! Selected values and their names.

use super::{Arena, Offsets, Text};
use crate::graph::{Selector, Target};
use crate::vocabulary::Variable;

/// A value that a target selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Its name.
    pub label: Label,
    /// The value before transformations.
    pub value: Text,
    /// Offsets of name and value in the request, if known.
    pub offsets: Option<Offsets>,
}

/// The name of a value, built on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// The variable's name.
    Variable(Variable),
    /// The variable's name, a colon, a key.
    Keyed(Variable, Text),
    /// A count: the variable's name, and the part after a colon if the rule has one. Not a member of a collection.
    Count(Variable, Option<Text>),
    /// No name.
    Unnamed,
}

impl Label {
    /// Returns the variable of the value; `None` if the label is a text.
    pub fn variable(self) -> Option<Variable> {
        match self {
            Label::Variable(variable) | Label::Keyed(variable, _) => Some(variable),
            Label::Count(..) | Label::Unnamed => None,
        }
    }

    /// Returns the key, if there is one.
    pub fn key(self) -> Option<Text> {
        match self {
            Label::Keyed(_, key) => Some(key),
            Label::Variable(_) | Label::Count(..) | Label::Unnamed => None,
        }
    }

    /// The variable, and the key that names a member of it or a part of it.
    pub fn parts(self) -> (Option<Variable>, Option<Text>) {
        match self {
            Label::Variable(variable) => (Some(variable), None),
            Label::Keyed(variable, key) => (Some(variable), Some(key)),
            Label::Count(variable, key) => (Some(variable), key),
            Label::Unnamed => (None, None),
        }
    }

    /// Appends the label to a text.
    pub fn write(self, arena: &Arena, output: &mut Vec<u8>) {
        let (Some(variable), key) = self.parts() else { return };
        output.extend_from_slice(variable.name().as_bytes());
        if let Some(key) = key {
            output.push(b':');
            output.extend_from_slice(arena.read(key));
        }
    }

    /// Stores the label as a value.
    pub fn store(self, arena: &mut Arena) -> Text {
        let mut label = Vec::new();
        self.write(arena, &mut label);
        arena.store(&label)
    }

    /// Returns the label of a target that counts: as written, without the `&`.
    pub fn of_count(target: &Target, arena: &mut Arena) -> Self {
        let key = match &target.selector {
            Selector::All => None,
            Selector::Key(key) => Some(arena.store(&key.text)),
            selector => Some(arena.store(selector.to_string().as_bytes())),
        };
        Label::Count(target.variable, key)
    }
}
