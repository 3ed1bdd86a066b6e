//! What is remembered of a rule that matched.

use crate::graph::{Phase, RuleIndex};
use std::borrow::Cow;

/// A rule that matched and is logged. Texts are bytes as the request sent them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleMatch {
    /// The rule; for a chain the first.
    pub rule: RuleIndex,
    /// Its id, 0 for none.
    pub id: u64,
    /// The phase it ran in.
    pub phase: Phase,
    /// The message, macros expanded.
    pub message: Vec<u8>,
    /// The data, macros expanded.
    pub data: Vec<u8>,
    /// 0 (emergency) to 7 (debug).
    pub severity: Option<u32>,
    /// Tags, macros expanded.
    pub tags: Vec<Vec<u8>>,
    /// What matched what, in words; of the last value that matched.
    pub detail: Vec<u8>,
    /// Where in the request the values that matched stand, in ModSecurity's notation, such as `o0,4v10,5t:lowercase`.
    pub reference: Vec<u8>,
    /// Whether it stopped the request.
    pub disruptive: bool,
    /// Whether it is written to the audit log.
    pub audits: bool,
}

impl RuleMatch {
    /// How much memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let texts = [&self.message, &self.data, &self.detail, &self.reference];
        let tags = self.tags.iter().map(|tag| tag.len() + size_of::<Vec<u8>>());
        size_of::<Self>() + texts.into_iter().map(Vec::len).chain(tags).sum::<usize>()
    }

    /// The message as text.
    pub fn message(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }

    /// The data as text.
    pub fn data(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }

    /// What matched what, as text.
    pub fn detail(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.detail)
    }

    /// Tags as text.
    pub fn tags(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.tags.iter().map(|tag| String::from_utf8_lossy(tag))
    }
}
