//! Names in rules that must exist somewhere: markers, other rules, settings. These may come after the rules, so they are checked when all files are
//! read.

use super::collection_uses::CollectionUses;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{MarkerId, Rule, RuleFilter, Settings};
#[cfg(feature = "xml-validation")]
use crate::operator::OperatorKind;
use crate::source::{SourceId, Span};
use crate::vocabulary::did_you_mean;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Number of names that a warning shows.
const SHOWN: usize = 5;

/// The names in rules, with their places.
#[derive(Default)]
pub struct References {
    /// Places of `skipAfter`, by marker.
    pub jumps: Vec<(MarkerId, Span)>,
    /// The markers that `SecMarker` sets.
    pub placed_markers: Vec<MarkerId>,
    /// Settings that operators need.
    pub needs: Vec<(Need, Span)>,
    /// Rules that `ctl` removes, or whose targets it removes.
    pub removals: Vec<RuleReference>,
    /// Uses of persistent collections.
    pub collections: CollectionUses,
    /// Number of rules so far.
    pub rules: usize,
}

/// A setting that an operator needs. Its directive may be anywhere.
#[derive(Clone, Copy)]
pub enum Need {
    /// `SecGeoLookupDb`
    GeoDatabase,
    /// `SecHttpBlKey`
    BlockListKey,
    /// `SecXmlExternalEntity On`
    #[cfg(feature = "xml-validation")]
    XmlFiles(OperatorKind),
}

/// A `ctl` that names rules.
#[derive(Clone)]
pub struct RuleReference {
    filter: RuleFilter,
    span: Span,
    /// The number of its rule within its text, so that a rule gets one warning.
    rule: usize,
}

/// The names that updates and removals can match in a rule set.
pub struct RuleNames<'a> {
    ids: BTreeSet<u64>,
    tags: HashSet<&'a str>,
    messages: HashSet<&'a str>,
}

impl References {
    /// Adds the rules that a `ctl` removes, or whose targets it removes.
    pub fn note_removal(&mut self, filter: &RuleFilter, span: Span) {
        self.removals.push(RuleReference { filter: filter.clone(), span, rule: self.rules });
    }

    /// Warns of jumps to markers that do not exist. `names` are the names of all markers, by number.
    pub fn unknown_markers(&self, names: &[Arc<str>]) -> Vec<Diagnostic> {
        let name = |marker: MarkerId| names.get(marker.0 as usize).map_or("", |name| name);
        let unknown = self.jumps.iter().filter(|(marker, _)| !self.placed_markers.contains(marker));
        let warning = |(marker, span): &(MarkerId, Span)| {
            let name_of_jump = name(*marker);
            let message = format!("no SecMarker is named `{name_of_jump}`, so the rest of the phase is skipped");
            let hint = did_you_mean(name_of_jump, self.placed_markers.iter().map(|placed| name(*placed)), "");
            let hint = hint.unwrap_or_else(|| String::from("add the SecMarker"));
            Diagnostic::new(Code::UnknownMarker, *span, message).hint(hint)
        };
        unknown.map(warning).collect()
    }

    /// Warns of operators without their database, key or files.
    pub fn unmet_needs(&self, settings: &Settings) -> Vec<Diagnostic> {
        let (database, key) = (settings.geo_database.is_some(), settings.http_blocklist_key.is_some());
        let warning = |(need, span): &(Need, Span)| {
            let (met, code, message, hint) = match need {
                Need::GeoDatabase => {
                    let message = String::from("`@geoLookup` finds nothing, because there is no database");
                    (database, Code::NothingToLookUp, message, "name a MaxMind database with SecGeoLookupDb")
                }
                Need::BlockListKey => {
                    let message = String::from("`@rbl` finds nothing, because httpbl.org answers only requests with a key");
                    (key, Code::NothingToLookUp, message, "set your key with SecHttpBlKey")
                }
                #[cfg(feature = "xml-validation")]
                Need::XmlFiles(kind) => {
                    let files = settings.xml_external_entities;
                    let message = format!("`@{}` rejects every body, because it may not read its file", kind.name());
                    (files, Code::UselessGrammar, message, "write SecXmlExternalEntity On")
                }
            };
            (!met).then(|| Diagnostic::new(code, *span, message).hint(hint))
        };
        self.needs.iter().filter_map(warning).collect()
    }

    /// Adds the names in rules that were read before.
    pub fn add(&mut self, others: &References) {
        self.jumps.extend_from_slice(&others.jumps);
        self.placed_markers.extend_from_slice(&others.placed_markers);
        self.needs.extend_from_slice(&others.needs);
        self.removals.extend_from_slice(&others.removals);
        self.collections.add(&others.collections);
    }

    /// Leaves out the removals by `ctl` that match a rule: `exists` is `true` for the filter of those.
    pub fn retain_missing(&mut self, exists: impl Fn(&RuleFilter) -> bool) {
        self.removals.retain(|reference| !exists(&reference.filter));
    }

    /// Warns of the removals by `ctl`, which match no rule, once for each rule with such a `ctl`.
    pub fn missing_rules(&self) -> Vec<Diagnostic> {
        let mut missing: BTreeMap<(SourceId, usize), Vec<&RuleReference>> = BTreeMap::new();
        for reference in &self.removals {
            missing.entry((reference.span.source, reference.rule)).or_default().push(reference);
        }
        let warning = |references: Vec<&RuleReference>| {
            let filters: Vec<&RuleFilter> = references.iter().map(|reference| &reference.filter).collect();
            references.first().map(|first| no_rule(&filters, first.span))
        };
        missing.into_values().filter_map(warning).collect()
    }
}

/// Returns the warning about rules that do not exist.
pub fn no_rule(filters: &[&RuleFilter], span: Span) -> Diagnostic {
    let mut names: Vec<String> = filters.iter().take(SHOWN).map(|filter| shown(filter)).collect();
    if let Some(more) = filters.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        names.push(format!("{more} more"));
    }
    let (last, before) = names.split_last().map_or((String::new(), String::new()), |(last, before)| (last.clone(), before.join(", ")));
    let list = if before.is_empty() { last } else { format!("{before} or {last}") };
    let hint = "check the spelling; the rules may be in a file that was not loaded";
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

impl<'a> RuleNames<'a> {
    /// Collects the names of rules.
    pub fn of(rules: &'a [Rule]) -> Self {
        let metadata = || rules.iter().map(|rule| &rule.metadata);
        Self {
            ids: rules.iter().filter(|rule| rule.chain_head.is_none() && rule.id != 0).map(|rule| rule.id).collect(),
            tags: metadata().flat_map(|metadata| &metadata.tags).map(|tag| tag.source()).collect(),
            messages: metadata().filter_map(|metadata| metadata.message.as_ref()).map(|message| message.source()).collect(),
        }
    }

    /// Returns `true` if some rule matches.
    pub fn hold(&self, filter: &RuleFilter) -> bool {
        match filter {
            RuleFilter::Ids(range) => !range.is_empty() && self.ids.range(range.clone()).next().is_some(),
            RuleFilter::Tag(tag) => self.tags.contains(tag.as_ref()),
            RuleFilter::Message(message) => self.messages.contains(message.as_ref()),
        }
    }
}
