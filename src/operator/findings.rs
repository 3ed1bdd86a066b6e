//! What a match found.

use crate::pattern::Effort;
use std::ops::Range;

/// How much an evaluation is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Only whether the input matches.
    Verdict,
    /// Also captures and offsets, for rules that capture and for the log.
    Findings,
}

/// What matches found: a scratch that the caller clears and uses again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// What the action `capture` stores, in order. Later entries overwrite earlier ones of the same index.
    pub captures: Vec<Capture>,
    /// The offsets and lengths of what was found, in bytes: the `oOFFSET,LENGTH` references of v3's log, in its order.
    pub offsets: Vec<(usize, usize)>,
    /// Whether a pattern was given up at its step limit: the verdict is then not known, and the answer was "no match".
    pub limit_exceeded: bool,
    /// What the search took besides looking at each byte once, and how much it might take: set by the caller.
    pub effort: Effort,
    /// Whether there were more captures than are kept.
    pub too_many_captures: bool,
    /// How much the input resembles what it was compared with, 0 to 100, where that is what the operator asks.
    pub score: Option<u32>,
}

/// One value for the TX collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Its key in TX.
    pub index: usize,
    /// Its value.
    pub value: CapturedValue,
}

/// Where a captured value is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapturedValue {
    /// In the input, at these bytes.
    Input(Range<usize>),
    /// Here: it is not part of the input.
    Text(Box<[u8]>),
}

impl Findings {
    /// Forgets everything, and keeps the memory.
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

    /// Notes where something was found.
    pub(super) fn locate(&mut self, range: &Range<usize>) {
        self.offsets.push((range.start, range.len()));
    }
}

impl Capture {
    /// The value, given the input it was captured from.
    #[must_use]
    pub fn bytes<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.value {
            CapturedValue::Input(range) => input.get(range.clone()).unwrap_or_default(),
            CapturedValue::Text(text) => text,
        }
    }
}
