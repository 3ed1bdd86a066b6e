//! Names of rules in removals and updates that no rule has.

use super::directives::Builder;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Rule, RuleFilter};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How many names a warning shows.
const SHOWN: usize = 5;

/// What updates and removals can mean in a rule set.
struct Names<'a> {
    ids: BTreeSet<u64>,
    tags: HashSet<&'a str>,
    messages: HashSet<&'a str>,
}

/// A `ctl` that names rules.
pub struct NamedRules {
    /// Which rules.
    pub filter: RuleFilter,
    /// Where it stands.
    pub span: Span,
    /// The number of the rule that it stands in, so that a rule has one warning.
    pub rule: usize,
}

impl Builder<'_> {
    /// Notes what a `ctl` names. The rules may stand behind it.
    pub fn note_removal(&mut self, filter: &RuleFilter, span: Span) {
        let rule = self.drafts.len();
        self.named_rules.push(NamedRules { filter: filter.clone(), span, rule });
    }

    /// Warns of removals by `ctl` that mean no rule, once for each rule that holds some.
    pub fn check_removals(&mut self) {
        let named = std::mem::take(&mut self.named_rules);
        let names = Names::of(&self.graph.rules);
        let mut missing: BTreeMap<usize, Vec<NamedRules>> = BTreeMap::new();
        for reference in named.into_iter().filter(|reference| !names.mean(&reference.filter)) {
            missing.entry(reference.rule).or_default().push(reference);
        }
        for references in missing.into_values() {
            if let Some(first) = references.first() {
                let filters: Vec<&RuleFilter> = references.iter().map(|reference| &reference.filter).collect();
                self.report(no_rule(&filters, first.span));
            }
        }
    }
}

/// The warning about rules that are not there.
pub fn no_rule(filters: &[&RuleFilter], span: Span) -> Diagnostic {
    let mut names: Vec<String> = filters.iter().take(SHOWN).map(|filter| shown(filter)).collect();
    if let Some(more) = filters.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let (last, before) = names.split_last().map_or((String::new(), String::new()), |(last, before)| (last.clone(), before.join(", ")));
    let list = if before.is_empty() { last } else { format!("{before} or {last}") };
    let hint = "look at the spelling; the rules may be in a file that was not given here";
    Diagnostic::new(Code::NothingToUpdate, span, format!("no rule has {list}")).hint(hint)
}

fn shown(filter: &RuleFilter) -> String {
    match filter {
        RuleFilter::Ids(range) if range.start() == range.end() => format!("the id {}", range.start()),
        RuleFilter::Ids(range) => format!("an id from {} to {}", range.start(), range.end()),
        RuleFilter::Tag(tag) => format!("the tag `{tag}`"),
        RuleFilter::Message(message) => format!("the message `{message}`"),
    }
}

impl<'a> Names<'a> {
    fn of(rules: &'a [Rule]) -> Self {
        let metadata = || rules.iter().map(|rule| &rule.metadata);
        Self {
            ids: rules.iter().filter(|rule| rule.starter.is_none() && rule.id != 0).map(|rule| rule.id).collect(),
            tags: metadata().flat_map(|metadata| &metadata.tags).map(|tag| tag.source()).collect(),
            messages: metadata().filter_map(|metadata| metadata.message.as_ref()).map(|message| message.source()).collect(),
        }
    }

    /// Returns `true` if some rule is meant.
    fn mean(&self, filter: &RuleFilter) -> bool {
        match filter {
            RuleFilter::Ids(range) => !range.is_empty() && self.ids.range(range.clone()).next().is_some(),
            RuleFilter::Tag(tag) => self.tags.contains(tag.as_ref()),
            RuleFilter::Message(message) => self.messages.contains(message.as_ref()),
        }
    }
}
