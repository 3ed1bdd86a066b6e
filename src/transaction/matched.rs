//! Matches for the host: a rule with its file, line and text, and every value with its name.

use crate::compile::LoadReport;
use crate::graph::{self, Phase, RuleGraph};
use crate::state::{RecordedValue, RuleMatch};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A rule that matched and is logged; for a chain, its first rule.
///
/// Texts come from the request and from the rule with its macros expanded; bytes that are not UTF-8 show as U+FFFD. They are not escaped: a
/// host that writes them to a line of a log escapes control characters.
#[derive(Clone, Copy)]
pub struct Match<'a> {
    graph: &'a RuleGraph,
    report: &'a LoadReport,
    found: &'a RuleMatch,
}

/// A rule of the rule set.
#[derive(Clone, Copy)]
pub struct Rule<'a> {
    report: &'a LoadReport,
    rule: &'a graph::Rule,
}

/// A value that a rule matched.
#[derive(Clone, Copy)]
pub struct MatchedValue<'a> {
    graph: &'a RuleGraph,
    value: &'a RecordedValue,
}

impl<'a> Match<'a> {
    pub(super) fn new(graph: &'a RuleGraph, report: &'a LoadReport, found: &'a RuleMatch) -> Self {
        Self { graph, report, found }
    }

    /// Returns the id of the rule; 0 for a rule without one.
    pub fn id(&self) -> u64 {
        self.found.id
    }

    /// Returns the rule.
    pub fn rule(&self) -> Option<Rule<'a>> {
        self.graph.rule(self.found.rule).map(|rule| Rule::new(self.report, rule))
    }

    /// Returns the phase of the rule.
    pub fn phase(&self) -> Phase {
        self.found.phase
    }

    /// Returns `msg` with expanded macros; empty for a rule without one.
    pub fn message(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(&self.found.message)
    }

    /// Returns `logdata` with expanded macros; empty for a rule without one.
    pub fn data(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(&self.found.data)
    }

    /// Returns `severity`: 0 (emergency) to 7 (debug).
    pub fn severity(&self) -> Option<u8> {
        self.found.severity.and_then(|severity| u8::try_from(severity).ok())
    }

    /// Returns each `tag` with expanded macros, in order.
    pub fn tags(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        self.found.tags.iter().map(|tag| String::from_utf8_lossy(tag))
    }

    /// Describes the match in one sentence, as ModSecurity v3 does: the operator, and the last value that matched.
    pub fn detail(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(&self.found.detail)
    }

    /// Returns the values that matched, of all rules of a chain, in order of evaluation: at most 1,000, with at most 16 KiB of text.
    pub fn values(&self) -> impl Iterator<Item = MatchedValue<'a>> + use<'a> {
        let graph = self.graph;
        self.found.values.iter().map(move |value| MatchedValue { graph, value })
    }

    /// Returns the number of values that matched, including those that [`values`](Self::values) leaves out.
    pub fn value_count(&self) -> usize {
        self.found.value_count
    }

    /// Returns the points that the rule and those chained to it added to anomaly scores: the sum of `setvar:tx.…anomaly_score…=+N`, as in the OWASP
    /// CRS.
    pub fn score(&self) -> i64 {
        self.found.score
    }

    /// Returns `true` if this match stopped the exchange.
    ///
    /// Of a rule with `multiMatch`, which has an entry for each match, none says so.
    pub fn stops(&self) -> bool {
        self.found.disruptive
    }
}

impl<'a> Rule<'a> {
    pub(super) fn new(report: &'a LoadReport, rule: &'a graph::Rule) -> Self {
        Self { report, rule }
    }

    /// Returns the id; 0 for a rule without one.
    pub fn id(&self) -> u64 {
        self.rule.id
    }

    /// Returns the path of the rule's file, or the name of the text.
    pub fn file(&self) -> &'a str {
        &self.rule.location.file
    }

    /// Returns the number of the rule's first line, from 1.
    pub fn line(&self) -> usize {
        self.rule.location.line
    }

    /// Returns `msg` as written; empty for a rule without one.
    pub fn message(&self) -> &'a str {
        self.rule.metadata.message.as_ref().map_or("", |message| message.source())
    }

    /// Returns the lines of the rule as written.
    pub fn text(&self) -> &'a str {
        let location = &self.rule.location;
        let source = self.report.texts().iter().find(|source| *source.name() == location.file);
        source.map_or("", |source| lines(source.text(), location.line, location.last_line))
    }
}

impl<'a> MatchedValue<'a> {
    /// Returns the variable, such as `ARGS`.
    pub fn variable(&self) -> &'a str {
        self.value.variable
    }

    /// Returns the key of a member of a collection, as sent; its first 200 bytes.
    pub fn key(&self) -> Option<Cow<'a, str>> {
        self.value.key.as_deref().map(String::from_utf8_lossy)
    }

    /// Returns the value as sent, before transformations; its first 200 bytes.
    pub fn value(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(&self.value.value)
    }

    /// Returns the names of the transformations after which it matched, in order.
    pub fn transformations(&self) -> Vec<&'static str> {
        let tree = &self.graph.transformations;
        let name = |chain| tree.last_step(chain).map(|step| step.transformation.name());
        tree.prefixes(self.value.chain).into_iter().filter_map(name).collect()
    }
}

/// Returns the lines from `first` to `last` of a text, counted from 1, without the last line break.
fn lines(text: &str, first: usize, last: usize) -> &str {
    let starts = || std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let start = starts().nth(first.saturating_sub(1)).unwrap_or(text.len());
    let end = starts().nth(last).map_or(text.len(), |next| next - 1);
    text.get(start..end).unwrap_or("").trim_end_matches('\r')
}

impl fmt::Debug for Match<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found.fmt(f)
    }
}

impl fmt::Debug for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").field("id", &self.id()).field("file", &self.file()).field("line", &self.line()).finish()
    }
}

impl fmt::Debug for MatchedValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Serialize for Match<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Match", 12)?;
        fields.serialize_field("id", &self.id())?;
        fields.serialize_field("rule", &self.rule())?;
        fields.serialize_field("phase", &self.phase().number())?;
        fields.serialize_field("message", &self.message())?;
        fields.serialize_field("data", &self.data())?;
        fields.serialize_field("severity", &self.severity())?;
        fields.serialize_field("tags", &self.tags().collect::<Vec<_>>())?;
        fields.serialize_field("detail", &self.detail())?;
        fields.serialize_field("values", &self.values().collect::<Vec<_>>())?;
        fields.serialize_field("value_count", &self.value_count())?;
        fields.serialize_field("score", &self.score())?;
        fields.serialize_field("stops", &self.stops())?;
        fields.end()
    }
}

impl Serialize for Rule<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Rule", 4)?;
        fields.serialize_field("id", &self.id())?;
        fields.serialize_field("file", self.file())?;
        fields.serialize_field("line", &self.line())?;
        fields.serialize_field("text", self.text())?;
        fields.end()
    }
}

impl Serialize for MatchedValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("MatchedValue", 4)?;
        fields.serialize_field("variable", self.variable())?;
        fields.serialize_field("key", &self.key())?;
        fields.serialize_field("value", &self.value())?;
        fields.serialize_field("transformations", &self.transformations())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_are_cut_out_of_a_text() {
        let text = "one\ntwo \\\r\nthree\r\nfour";
        assert_eq!(lines(text, 1, 1), "one");
        assert_eq!(lines(text, 2, 3), "two \\\r\nthree");
        assert_eq!(lines(text, 4, 4), "four");
        assert_eq!(lines(text, 5, 9), "");
    }
}
