//! Texts with macros, resolved: what is left to do is to look values up.

use super::Target;

/// A text with macros.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Box<[Part]>,
    source: Box<str>,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text that stands for itself.
    Text(Box<[u8]>),
    /// The first value of a target.
    Value(Target),
}

impl Template {
    /// Joins parts; `source` is the text as written.
    pub fn new(parts: Vec<Part>, source: &str) -> Self {
        Self { parts: parts.into(), source: source.into() }
    }

    /// A text without macros.
    pub fn literal(text: &str) -> Self {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(text.as_bytes().into())] };
        Self::new(parts, text)
    }

    /// Its parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns `true` if what a rule does may change its text while the rule is asked about one value after the other.
    pub fn may_change(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Value(target) if !target.variable.is_stable()))
    }

    /// The text, when it holds no macro.
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.parts.as_ref() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}
