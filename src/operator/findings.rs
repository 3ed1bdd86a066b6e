//! Findings of a match.

use crate::pattern::Effort;
use std::ops::Range;

/// Details that an evaluation returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Only the verdict.
    Verdict,
    /// Also captures and offsets, for rules that capture and for the log.
    Findings,
}

/// Findings of matches: a buffer that the caller clears and reuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Captures for the action `capture`, in order. Later entries overwrite earlier ones of the same index.
    pub captures: Vec<Capture>,
    /// Offsets and lengths of the findings in bytes: the `oOFFSET,LENGTH` references of v3's log, in its order.
    pub offsets: Vec<(usize, usize)>,
    /// `true` if a pattern stopped at its step limit: the verdict is unknown, and the answer was "no match".
    pub limit_exceeded: bool,
    /// Work of the search beyond reading each byte once, and its limit, which the caller sets.
    pub effort: Effort,
    /// `true` if there were more captures than are kept.
    pub too_many_captures: bool,
    /// Similarity to the compared text, 0 to 100, of an operator that measures it.
    pub score: Option<u32>,
    /// Buffer for the groups of a pattern.
    pub(super) groups: Vec<Option<Range<usize>>>,
}

/// A value for the TX collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Its key in TX.
    pub index: usize,
    /// Its value.
    pub value: CapturedValue,
}

/// Source of a captured value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapturedValue {
    /// These bytes of the input.
    Input(Range<usize>),
    /// A text that is not part of the input.
    Text(Box<[u8]>),
}

impl Findings {
    /// Clears everything, and keeps the memory.
    pub fn clear(&mut self) {
        self.captures.clear();
        self.offsets.clear();
        self.limit_exceeded = false;
        self.effort = Effort::default();
        self.too_many_captures = false;
        self.score = None;
    }

    /// Stores a part of the input under `index`.
    pub(super) fn capture(&mut self, index: usize, range: Range<usize>) {
        self.captures.push(Capture { index, value: CapturedValue::Input(range) });
    }

    /// Stores a text that is not part of the input under index 0.
    pub(super) fn capture_text(&mut self, text: &[u8]) {
        self.captures.push(Capture { index: 0, value: CapturedValue::Text(text.into()) });
    }

    /// Adds the offset and length of a finding.
    pub(super) fn locate(&mut self, range: &Range<usize>) {
        self.offsets.push((range.start, range.len()));
    }
}

impl Capture {
    /// Returns the value, given the input of the match.
    #[must_use]
    pub fn bytes<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.value {
            CapturedValue::Input(range) => input.get(range.clone()).unwrap_or_default(),
            CapturedValue::Text(text) => text,
        }
    }
}
