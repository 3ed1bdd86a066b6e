//! Texts with macros, resolved so that only values must be looked up.

use super::{Target, TxName};
use std::sync::Arc;

/// A text with macros. Copies share it: many rules have the same tags and data.
#[derive(Clone, Debug)]
pub struct Template(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    parts: Box<[Part]>,
    source: Box<str>,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub enum Part {
    /// Literal text.
    Text(Box<[u8]>),
    /// The first value of a target.
    Value(Target),
}

impl Template {
    /// Joins parts; `source` is the text as written.
    pub fn new(parts: Vec<Part>, source: &str) -> Self {
        Self(Arc::new(Contents { parts: parts.into(), source: source.into() }))
    }

    /// Makes a template without macros.
    pub fn literal(text: &str) -> Self {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(text.as_bytes().into())] };
        Self::new(parts, text)
    }

    /// Returns its parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    /// Returns the text as written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// Returns `true` if effects of a rule may change its text between two values that the rule tests.
    pub fn may_change(&self) -> bool {
        self.0.parts.iter().any(|part| matches!(part, Part::Value(target) if !target.variable.is_stable()))
    }

    /// Returns the key of TX, if it is one macro with a key that is known at load.
    pub fn as_tx_key(&self) -> Option<TxName> {
        match self.0.parts.as_ref() {
            [Part::Value(target)] => target.as_tx_key(),
            _ => None,
        }
    }

    /// Returns the text, if it has no macro.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.0.parts.as_ref() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}
