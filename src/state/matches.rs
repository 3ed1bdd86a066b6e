//! Data of a rule that matched.

use super::{Arena, Selected, Text};
use crate::escape::{printable, text, unquoted};
use crate::graph::{ChainId, Phase, RuleIndex};
use crate::vocabulary::Variable;
use std::borrow::Cow;
use std::ops::Range;

/// The values that a chain matched so far. They are described after all its rules matched: most chains of the OWASP CRS that match a value fail later.
#[derive(Debug, Default)]
pub struct MatchNotes {
    notes: Vec<MatchNote>,
    /// Offsets of all notes, in the operator's order.
    offsets: Vec<(usize, usize)>,
    /// Number of notes whose places were taken.
    placed: usize,
}

/// A value that a rule of a chain matched.
#[derive(Clone, Copy, Debug)]
pub struct MatchNote {
    /// The rule.
    pub rule: RuleIndex,
    /// The value.
    pub selected: Selected,
    /// The transformations after which it matched.
    pub chain: ChainId,
    /// End of its offsets in the list: they begin where those of the note before it end.
    end: usize,
}

impl MatchNote {
    /// Makes a note.
    pub fn new(rule: RuleIndex, selected: Selected, chain: ChainId) -> Self {
        Self { rule, selected, chain, end: 0 }
    }
}

impl MatchNotes {
    /// Removes all notes, and keeps the memory.
    pub fn clear(&mut self) {
        self.notes.clear();
        self.offsets.clear();
        self.placed = 0;
    }

    /// Removes all notes, and keeps the memory, unless it is more than most transactions need.
    pub fn forget(&mut self) {
        super::forget(&mut self.notes);
        super::forget(&mut self.offsets);
        self.placed = 0;
    }

    /// Adds a note, with the offsets that the operator found in the value.
    pub fn add(&mut self, note: MatchNote, offsets: &[(usize, usize)]) {
        self.offsets.extend_from_slice(offsets);
        self.notes.push(MatchNote { end: self.offsets.len(), ..note });
    }

    /// Returns the last value.
    pub fn last(&self) -> Option<&Selected> {
        self.notes.last().map(|note| &note.selected)
    }

    /// Returns all notes.
    pub fn all(&self) -> &[MatchNote] {
        &self.notes
    }

    /// Returns all notes, each with the offsets that the operator found.
    pub fn with_offsets(&self) -> impl Iterator<Item = (&MatchNote, &[(usize, usize)])> {
        let starts = std::iter::once(0).chain(self.notes.iter().map(|note| note.end));
        self.notes.iter().zip(starts).map(|(note, start)| (note, self.offsets.get(start..note.end).unwrap_or_default()))
    }

    /// Returns the next note whose place was not taken, with its offsets.
    pub fn next_place(&mut self) -> Option<(MatchNote, &[(usize, usize)])> {
        let note = *self.notes.get(self.placed)?;
        let start = self.placed.checked_sub(1).and_then(|before| self.notes.get(before)).map_or(0, |before| before.end);
        self.placed += 1;
        Some((note, self.offsets.get(start..note.end).unwrap_or_default()))
    }
}

/// A rule that matched and is logged. Texts are bytes as in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleMatch {
    /// The rule, or the first rule of its chain.
    pub rule: RuleIndex,
    /// Its id, 0 for none.
    pub id: u64,
    /// The phase it ran in.
    pub phase: Phase,
    /// The message, with expanded macros.
    pub message: Vec<u8>,
    /// The data, with expanded macros.
    pub data: Vec<u8>,
    /// 0 (emergency) to 7 (debug).
    pub severity: Option<u32>,
    /// Tags, with expanded macros.
    pub tags: Vec<Vec<u8>>,
    /// Description of the match of the last value.
    pub detail: Vec<u8>,
    /// The values that matched, those of all rules of a chain, in order of evaluation: at most [`MAX_VALUES`](Self::MAX_VALUES), and at most 16 KiB
    /// of text.
    pub values: Vec<RecordedValue>,
    /// Number of values that matched, even if `values` does not have them.
    pub value_count: usize,
    /// Number of leading bytes of `detail` that come from the engine and the rule; later ones may come from the request.
    pub(crate) detail_own: usize,
    /// Offsets of the values that matched in the request, in ModSecurity's notation, such as `o0,4v10,5t:lowercase`.
    pub reference: Vec<u8>,
    /// Points that it added to the anomaly scores.
    pub score: i64,
    /// `true` if it stopped the request.
    pub disruptive: bool,
    /// `true` if it is written to the audit log.
    pub audits: bool,
    /// The values that its texts were made of, in a rule set with secrets.
    pub(crate) sources: Option<Box<MatchSources>>,
}

/// The values that the texts of a match were made of: what is secret may become known later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MatchSources {
    /// The values that matched.
    pub values: Vec<Selected>,
    /// The parts of its description.
    pub detail: Option<DetailSource>,
    /// The values of macros in its texts.
    pub macros: Vec<(MatchText, MacroValue)>,
    /// The number of changes of the secrets when its texts were covered last.
    pub covered: Option<usize>,
}

/// The parts of a description that come from the request: the argument with expanded macros, the name of the value, the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailSource {
    /// The range of the argument in the description.
    pub argument: Range<usize>,
    /// The whole argument, if it has macros.
    pub expanded: Option<Text>,
    /// The offset of the value in the description.
    pub value_start: usize,
    /// The value that it ends with.
    pub value: Selected,
}

/// A text of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchText {
    /// The message.
    Message,
    /// The data.
    Data,
    /// A tag, by its position.
    Tag(usize),
}

/// The value of a macro in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroValue {
    /// Its offset in the text.
    pub start: usize,
    /// The variable; `None` for the result of a script.
    pub variable: Option<Variable>,
    /// The key, if the macro has one.
    pub key: Option<Box<[u8]>>,
    /// The value.
    pub value: Text,
}

/// A value that a rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedValue {
    pub variable: &'static str,
    /// Its name in rules, such as `ARGS:a`; at most 200 bytes.
    pub key: Option<Vec<u8>>,
    /// The value as received, before transformations; at most 200 bytes.
    pub value: Vec<u8>,
    /// The transformations after which it matched.
    pub chain: ChainId,
}

/// Maximum length of an operator's argument and of a value in the description of a match, in bytes.
pub const LONGEST_ARGUMENT: usize = 200;
pub const LONGEST_VALUE: usize = 100;

/// Maximum text of the values of a match, in bytes.
const MAX_VALUE_TEXT: usize = 16 << 10;

/// Maximum length of a name or a value, in bytes.
pub const MAX_SHOWN: usize = 200;

impl RuleMatch {
    /// Maximum number of values of a match.
    pub const MAX_VALUES: usize = 1_000;

    /// Returns its size in memory, in bytes.
    pub fn size(&self) -> usize {
        let texts = [&self.message, &self.data, &self.detail, &self.reference];
        let tags = self.tags.iter().map(|tag| tag.len() + size_of::<Vec<u8>>());
        let values = self.values.iter().map(RecordedValue::size);
        size_of::<Self>() + texts.into_iter().map(Vec::len).chain(tags).chain(values).sum::<usize>()
    }

    /// Sets the values that matched.
    pub fn name_values(&mut self, notes: &[MatchNote], arena: &Arena) {
        let mut length = 0;
        let shown = |text| arena.read(text).get(..MAX_SHOWN).unwrap_or(arena.read(text)).to_vec();
        let named = notes.iter().take(Self::MAX_VALUES).map(|MatchNote { selected, chain, .. }| {
            let (variable, key) = selected.label.parts();
            RecordedValue {
                variable: variable.map_or("", Variable::name),
                key: key.map(shown),
                value: shown(selected.value),
                chain: *chain,
            }
        });
        self.values = named
            .take_while(|found| {
                length += found.variable.len() + found.key.as_ref().map_or(0, Vec::len) + found.value.len();
                length <= MAX_VALUE_TEXT
            })
            .collect();
        self.value_count = notes.len();
    }

    /// Returns the values that its texts were made of.
    pub(crate) fn sources(&mut self) -> &mut MatchSources {
        self.sources.get_or_insert_default()
    }

    /// Keeps the values of macros in one of its texts, instead of those of an earlier one.
    pub(crate) fn keep_macros(&mut self, text: MatchText, macros: Vec<MacroValue>) {
        let kept = &mut self.sources().macros;
        kept.retain(|(known, _)| *known != text);
        kept.extend(macros.into_iter().map(|value| (text, value)));
    }

    /// Returns the message as text.
    pub fn message(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }

    /// Returns the data as text.
    pub fn data(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }

    /// Returns the description of the match as text.
    pub fn detail(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.detail)
    }

    /// Returns the names of the values that matched, and the values, as text.
    pub fn values(&self) -> impl Iterator<Item = (String, Cow<'_, str>)> {
        self.values.iter().map(|found| (found.label(), String::from_utf8_lossy(&found.value)))
    }

    /// Returns the reason of a decision with this status, as ModSecurity v3 words it.
    pub(crate) fn denial(&self, status: u16) -> String {
        let mut reason = format!("Access denied with code {status} (phase {}). ", self.phase.number()).into_bytes();
        self.write_detail(&mut reason);
        text(&reason)
    }

    /// Appends the description of the match to a line of the error log, without quotation marks of the request: they could begin a field such as `[id
    /// "1"]`.
    pub(crate) fn write_detail(&self, line: &mut Vec<u8>) {
        let (own, rest) = self.detail.split_at(self.detail_own.min(self.detail.len()));
        printable(own, line);
        unquoted(rest, line);
    }

    /// Returns the tags as text.
    pub fn tags(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.tags.iter().map(|tag| String::from_utf8_lossy(tag))
    }
}

impl RecordedValue {
    /// Returns the name of the value as rules write it, such as `ARGS:a`.
    pub fn label(&self) -> String {
        match &self.key {
            None => self.variable.to_owned(),
            Some(key) => format!("{}:{}", self.variable, String::from_utf8_lossy(key)),
        }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.key.as_ref().map_or(0, Vec::len) + self.value.len()
    }
}
