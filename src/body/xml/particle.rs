//! The parts of a content model, as written.

/// A part of a content model, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "xml-validation"), allow(dead_code))]
pub enum Particle<L> {
    /// An element.
    Name(L, Occurrence),
    /// One after the other.
    Sequence(Vec<Particle<L>>, Occurrence),
    /// One of several.
    Choice(Vec<Particle<L>>, Occurrence),
}

/// Number of times that a part may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    pub min: usize,
    /// `None` for no limit.
    pub max: Option<usize>,
}

impl Particle<String> {
    /// Returns alternatives in libxml2's simplest form: `(a? | b*)+` is `(a | b)*`.
    pub fn choice(mut parts: Vec<Self>, occurrence: Occurrence) -> Self {
        let mut can_be_empty = occurrence == Occurrence::ANY;
        if matches!(occurrence, Occurrence::ANY | Occurrence::MANY) {
            for part in &mut parts {
                let (Self::Name(_, inner) | Self::Sequence(_, inner) | Self::Choice(_, inner)) = part;
                if matches!(*inner, Occurrence::OPTIONAL | Occurrence::ANY) {
                    *inner = Occurrence::ONCE;
                    can_be_empty = true;
                }
            }
        }
        Self::Choice(parts, if can_be_empty { Occurrence::ANY } else { occurrence })
    }

    /// Returns the same part within parentheses that have an occurrence of their own.
    pub fn repeated(mut self, outer: Occurrence) -> Self {
        let (Self::Name(_, occurrence) | Self::Sequence(_, occurrence) | Self::Choice(_, occurrence)) = &mut self;
        *occurrence = match (*occurrence, outer) {
            (one, Occurrence::ONCE) | (Occurrence::ONCE, one) => one,
            (one, other) if one == other => one,
            _ => Occurrence::ANY,
        };
        self
    }
}

impl Occurrence {
    pub const ONCE: Self = Self { min: 1, max: Some(1) };
    pub const OPTIONAL: Self = Self { min: 0, max: Some(1) };
    pub const ANY: Self = Self { min: 0, max: None };
    pub const MANY: Self = Self { min: 1, max: None };
}
