//! Selects the values of a target.

use super::{ArgumentOrigin, Collections, Entry, Label, Offsets, Selected, Text, XPathAnswer};
use crate::body::xml::XPathError;
use crate::graph::{Key, PersistentCollection, RecordField, RuleGraph, Selector, Target};
use crate::store::{RecordKey, Store};
use crate::vocabulary::{Limit, Variable};
use std::io::Write as _;

/// Cost of comparing the key of a member, for macros that are expanded for one value after the other.
const WORK_OF_MEMBER: usize = 8;

/// Context of a selection, in addition to the collections.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    /// The rules, for the names of TX.
    pub graph: &'a RuleGraph,
    /// Store of persistent collections.
    pub store: &'a dyn Store,
    /// Namespaces of the rule, for XPath.
    pub namespaces: &'a [(Box<str>, Box<str>)],
    /// Texts of the rule, for RULE.
    pub rule: Option<&'a RuleTexts>,
    /// Maximum number of values.
    pub max: usize,
}

/// Members of RULE.
#[derive(Clone, Debug, Default)]
pub struct RuleTexts {
    /// `id`, `rev`, `severity`, `logdata`, `msg`, as far as the rule has them.
    pub texts: Vec<(&'static str, Vec<u8>)>,
}

impl Collections {
    /// Appends the values that a target selects, in the order of their arrival, without those that the target excludes.
    pub fn select(&mut self, target: &Target, selection: &Selection<'_>, found: &mut Vec<Selected>) {
        if !target.count {
            return self.select_values(target, selection, found);
        }
        if let Some(number) = self.count_all(target) {
            let value = self.arena.store_number(number);
            return found.push(Selected { label: Label::of_count(target, &mut self.arena), value, offsets: None });
        }
        let before = found.len();
        self.select_values(target, &Selection { max: usize::MAX, ..*selection }, found);
        let number = found.len() - before;
        found.truncate(before);
        let value = self.arena.store_number(number);
        found.push(Selected { label: Label::of_count(target, &mut self.arena), value, offsets: None });
    }

    /// Returns the number of members of the largest collections, if the target counts all of them.
    fn count_all(&self, target: &Target) -> Option<usize> {
        let all = matches!(target.selector, Selector::All) && target.exclusions.is_empty();
        match target.variable {
            Variable::Args | Variable::ArgsNames if all => Some(self.arguments.len()),
            Variable::RequestHeaders if all => Some(self.request_headers.len()),
            _ => None,
        }
    }

    /// Returns the first value that a target selects, for macros.
    pub fn first(&mut self, target: &Target, selection: &Selection<'_>) -> Option<Text> {
        if let (Variable::Tx, Selector::Key(key)) = (target.variable, &target.selector) {
            return self.tx_value(key, selection);
        }
        if !matches!(target.selector, Selector::All) || target.count {
            self.arena.budget.charge(self.members(target.variable).saturating_mul(WORK_OF_MEMBER));
        }
        let mut found = Vec::with_capacity(1);
        self.select(target, &Selection { max: 1, ..*selection }, &mut found);
        found.first().map(|selected| selected.value)
    }

    /// Returns the number of members that are searched for a key, for collections that requests fill.
    fn members(&self, variable: Variable) -> usize {
        match variable {
            Variable::Args
            | Variable::ArgsGet
            | Variable::ArgsPost
            | Variable::ArgsNames
            | Variable::ArgsGetNames
            | Variable::ArgsPostNames => self.arguments.len(),
            Variable::RequestHeaders | Variable::RequestHeadersNames => self.request_headers.len(),
            Variable::RequestCookies | Variable::RequestCookiesNames => self.cookies.len(),
            Variable::ResponseHeaders | Variable::ResponseHeadersNames => self.response_headers.len(),
            Variable::MatchedVars | Variable::MatchedVarsNames => self.matched.len(),
            _ => 0,
        }
    }

    fn tx_value(&self, key: &Key, selection: &Selection<'_>) -> Option<Text> {
        let slot = match key.tx {
            Some(name) => self.tx.known(name),
            None => self.tx.find(&selection.graph.tx_names, &key.text)?,
        };
        self.tx.read(slot)
    }

    fn select_values(&mut self, target: &Target, selection: &Selection<'_>, found: &mut Vec<Selected>) {
        let max = selection.max;
        match target.variable {
            Variable::Args => self.arguments(target, None, Column::Value, (max, found)),
            Variable::ArgsGet => self.arguments(target, Some(ArgumentOrigin::Query), Column::Value, (max, found)),
            Variable::ArgsPost => self.arguments(target, Some(ArgumentOrigin::Form), Column::Value, (max, found)),
            Variable::ArgsNames => self.arguments(target, None, Column::Name, (max, found)),
            Variable::ArgsGetNames => self.arguments(target, Some(ArgumentOrigin::Query), Column::Name, (max, found)),
            Variable::ArgsPostNames => self.arguments(target, Some(ArgumentOrigin::Form), Column::Name, (max, found)),
            Variable::RequestHeaders => self.entries(target, Column::Value, |all| &all.request_headers, (max, found)),
            Variable::RequestHeadersNames => self.entries(target, Column::Name, |all| &all.request_headers, (max, found)),
            Variable::RequestCookies => self.entries(target, Column::Value, |all| &all.cookies, (max, found)),
            Variable::RequestCookiesNames => self.entries(target, Column::Name, |all| &all.cookies, (max, found)),
            Variable::ResponseHeaders => self.entries(target, Column::Value, |all| &all.response_headers, (max, found)),
            Variable::ResponseHeadersNames => self.entries(target, Column::Name, |all| &all.response_headers, (max, found)),
            Variable::MultipartPartHeaders => self.entries(target, Column::Value, |all| &all.part_headers, (max, found)),
            Variable::Files => self.entries(target, Column::Value, |all| &all.file_names, (max, found)),
            Variable::MultipartFilename => self.file_names(target, (max, found)),
            Variable::FilesNames | Variable::FilesSizes | Variable::FilesTmpNames | Variable::FilesTmpContent => {
                self.files(target, (max, found))
            }
            Variable::MultipartName => self.entries(target, Column::Value, |all| &all.part_names, (max, found)),
            Variable::MatchedVars | Variable::MatchedVarsNames => self.matched_variables(target, (max, found)),
            Variable::Tx => self.tx_variables(target, selection, found),
            Variable::Env => self.environment(target, found),
            Variable::Rule => self.rule_texts(target, selection.rule, found),
            Variable::Xml => self.xml(target, selection.namespaces, found),
            Variable::Geo => self.geography(target, found),
            Variable::LimitsExceeded => self.limits(target, found),
            Variable::WebAppId => {
                let value = self.arena.store(selection.graph.settings.web_app_id.as_bytes());
                found.push(Selected { label: Label::Variable(Variable::WebAppId), value, offsets: None });
            }
            variable => match PersistentCollection::of(variable) {
                Some(collection) => self.persistent(collection, target, selection, found),
                None => found.extend(self.scalar(variable)),
            },
        }
    }

    fn arguments(&self, target: &Target, origin: Option<ArgumentOrigin>, column: Column, found: (usize, &mut Vec<Selected>)) {
        let wanted = self.arguments.iter().filter(|argument| origin.is_none_or(|origin| argument.origin == origin));
        self.pick(target, column, wanted.map(|argument| &argument.entry), found);
    }

    fn entries(&self, target: &Target, column: Column, of: fn(&Self) -> &Vec<Entry>, found: (usize, &mut Vec<Selected>)) {
        self.pick(target, column, of(self).iter(), found);
    }

    fn pick<'e>(&self, target: &Target, column: Column, entries: impl Iterator<Item = &'e Entry>, found: (usize, &mut Vec<Selected>)) {
        let (max, found) = found;
        let end = found.len().saturating_add(max);
        // Most members are not wanted because of the length of their key, or need no comparison at all.
        let wants_all = matches!(target.selector, Selector::All) && target.exclusions.is_empty();
        let length = match &target.selector {
            Selector::Key(wanted) => Some(wanted.text.len()),
            _ => None,
        };
        for entry in entries {
            if length.is_some_and(|length| length != entry.name.len()) || !(wants_all || self.is_wanted(target, entry.name)) {
                continue;
            }
            if found.len() >= end {
                break;
            }
            let (value, offsets) = match column {
                Column::Value => (entry.value, entry.offsets),
                Column::Name => (entry.name, Offsets { value: entry.offsets.name, ..entry.offsets }),
            };
            found.push(Selected { label: Label::Keyed(target.variable, entry.name), value, offsets: Some(offsets) });
        }
    }

    fn is_wanted(&self, target: &Target, key: Text) -> bool {
        let key = self.arena.read(key);
        target.selector.selects(key) && !target.excludes(key)
    }

    fn file_names(&self, target: &Target, (max, found): (usize, &mut Vec<Selected>)) {
        let wanted = self.file_names.iter().filter(|entry| self.is_wanted(target, entry.value)).take(max);
        found.extend(wanted.map(|entry| Selected {
            label: Label::Keyed(target.variable, entry.value),
            value: entry.value,
            offsets: Some(entry.offsets),
        }));
    }

    fn files(&mut self, target: &Target, (max, found): (usize, &mut Vec<Selected>)) {
        for at in 0..self.files.len() {
            let Some(file) = self.files.get(at).copied().filter(|_| found.len() < max) else { break };
            let (key, value) = match target.variable {
                Variable::FilesNames => (file.field, file.field),
                Variable::FilesSizes => (file.field, self.arena.store_number(file.size)),
                Variable::FilesTmpNames if file.path.is_empty() => continue,
                Variable::FilesTmpNames => (file.path, file.path),
                _ => (file.field, file.content),
            };
            if self.is_wanted(target, key) {
                found.push(Selected { label: Label::Keyed(target.variable, key), value, offsets: Some(file.offsets) });
            }
        }
    }

    fn matched_variables(&mut self, target: &Target, (max, found): (usize, &mut Vec<Selected>)) {
        for at in 0..self.matched.len() {
            let Some(matched) = self.matched.get(at).copied().filter(|_| found.len() < max) else { break };
            let name = matched.label.store(&mut self.arena);
            if self.is_wanted(target, name) {
                let value = if target.variable == Variable::MatchedVars { matched.value } else { name };
                found.push(Selected { label: Label::Keyed(target.variable, name), value, offsets: None });
            }
        }
    }

    fn tx_variables(&mut self, target: &Target, selection: &Selection<'_>, found: &mut Vec<Selected>) {
        if let Selector::Key(key) = &target.selector {
            if let Some(value) = self.tx_value(key, selection) {
                let key = self.arena.store(&key.text);
                found.push(Selected { label: Label::Keyed(Variable::Tx, key), value, offsets: None });
            }
            return;
        }
        let names = &selection.graph.tx_names;
        let mut push = |(key, value)| {
            if !target.excludes(key) {
                let key = self.arena.store(key);
                found.push(Selected { label: Label::Keyed(Variable::Tx, key), value, offsets: None });
            }
        };
        let selects = |(key, _): &(&[u8], Text)| target.selector.selects(key);
        // The keys in rules that a pattern selects were computed at load.
        let selected = match (&target.selector, &selection.graph.plan) {
            (Selector::Pattern(pattern), Some(plan)) => plan.selected_names.get(pattern.source()),
            _ => None,
        };
        match selected {
            Some(known) => {
                let values = known.iter().filter_map(|name| Some((names.spelling(*name), self.tx.read(self.tx.known(*name))?)));
                values.chain(self.tx.made().filter(selects)).take(selection.max).for_each(&mut push);
            }
            None => self.tx.iter(names).filter(selects).take(selection.max).for_each(&mut push),
        }
    }

    fn limits(&mut self, target: &Target, found: &mut Vec<Selected>) {
        for name in self.arena.budget.exceeded().iter().map(|limit| limit.name().as_bytes()) {
            if target.selector.selects(name) && !target.excludes(name) {
                self.push_keyed(Variable::LimitsExceeded, name, b"1", found);
            }
        }
    }

    fn geography(&mut self, target: &Target, found: &mut Vec<Selected>) {
        for at in 0..self.geography.len() {
            let Some((key, value)) = self.geography.get(at).copied() else { break };
            if target.selector.selects(key.as_bytes()) && !target.excludes(key.as_bytes()) {
                let key = self.arena.store(key.as_bytes());
                found.push(Selected { label: Label::Keyed(Variable::Geo, key), value, offsets: None });
            }
        }
    }

    fn environment(&mut self, target: &Target, found: &mut Vec<Selected>) {
        let set: Vec<(Vec<u8>, Vec<u8>)> = self.environment.clone();
        let of_process = std::env::vars_os().map(|(name, value)| (name.into_encoded_bytes(), value.into_encoded_bytes()));
        let hidden = |name: &[u8]| set.iter().any(|(known, _)| known == name);
        for (name, value) in set.iter().cloned().chain(of_process.filter(|(name, _)| !hidden(name))) {
            // Names of the environment are case-sensitive, unlike all other keys.
            let is_selected = match &target.selector {
                Selector::Key(key) => *key.text == *name,
                selector => selector.selects(&name),
            };
            if is_selected && !target.excludes(&name) {
                self.push_keyed(Variable::Env, &name, &value, found);
            }
        }
    }

    fn rule_texts(&mut self, target: &Target, rule: Option<&RuleTexts>, found: &mut Vec<Selected>) {
        // As in ModSecurity v3, RULE without a selector is empty.
        if matches!(target.selector, Selector::All) {
            return;
        }
        for (name, text) in rule.into_iter().flat_map(|rule| &rule.texts) {
            if target.selector.selects(name.as_bytes()) && !target.excludes(name.as_bytes()) {
                self.push_keyed(Variable::Rule, name.as_bytes(), text, found);
            }
        }
    }

    fn xml(&mut self, target: &Target, namespaces: &[(Box<str>, Box<str>)], found: &mut Vec<Selected>) {
        // As in ModSecurity v3, this value exists without a document too: `@validateDTD` and `@validateSchema` match then.
        let Selector::XPath(path) = &target.selector else {
            let value = self.arena.store(b"[XML document tree]");
            return found.push(Selected { label: Label::Unnamed, value, offsets: None });
        };
        let known = self.xml_answers.iter().position(|answer| answer.path == *path && *answer.namespaces == *namespaces);
        let place = known.unwrap_or_else(|| {
            let answer = self.ask_document(path, namespaces);
            self.xml_answers.push(answer);
            self.xml_answers.len() - 1
        });
        found.extend(self.xml_answers.get(place).into_iter().flat_map(|answer| &answer.selected));
    }

    /// Returns the values that an XPath selects from the body; nothing without a document, or if the path fails.
    fn ask_document(&mut self, path: &str, namespaces: &[(Box<str>, Box<str>)]) -> XPathAnswer {
        let pairs: Vec<(&str, &str)> = namespaces.iter().map(|(prefix, uri)| (prefix.as_ref(), uri.as_ref())).collect();
        self.arena.budget.charge(self.arena.request_body().len());
        let answer = self.xml.as_mut().map_or(Ok(Vec::new()), |document| document.select(path, &pairs));
        if let Err(XPathError::TooManyVisits(_) | XPathError::TooLarge(_)) = answer {
            self.arena.budget.exceed(Limit::XPath);
        }
        let values = answer.unwrap_or_default();
        let key = self.arena.store(path.as_bytes());
        self.arena.budget.reserve(values.len().saturating_mul(size_of::<Selected>()));
        let selected = values.iter().map(|value| {
            let value = self.arena.store(value.as_ref());
            Selected { label: Label::Keyed(Variable::Xml, key), value, offsets: None }
        });
        XPathAnswer { selected: selected.collect(), path: path.into(), namespaces: namespaces.into() }
    }

    fn persistent(&mut self, collection: PersistentCollection, target: &Target, selection: &Selection<'_>, found: &mut Vec<Selected>) {
        let record = self.record_key(collection, selection.graph);
        let wants = |name: &[u8]| target.selector.selects(name) && !target.excludes(name);
        // A whole collection has no fields: a rule about all of its variables means those that rules set.
        let fields: Vec<RecordField> = match &target.selector {
            Selector::Key(key) => RecordField::find(&key.text).into_iter().collect(),
            Selector::Pattern(_) => RecordField::ALL.into_iter().filter(|field| wants(field.name().as_bytes())).collect(),
            Selector::All | Selector::XPath(_) => Vec::new(),
        };
        let variables = match &target.selector {
            Selector::Key(_) if !fields.is_empty() => None,
            Selector::Key(key) => self.ask_store(&selection.graph.settings, selection.store, |store, by| {
                Ok(store.read(&record, &key.text, by)?.map(|value| (key.text.to_vec(), value)).into_iter().collect())
            }),
            _ => self.ask_store(&selection.graph.settings, selection.store, |store, by| store.read_all(&record, by)),
        };
        let variables = variables.unwrap_or_default().into_iter().chain(self.record_fields(&record, &fields, selection));
        for (name, value) in variables.filter(|(name, _)| wants(name)) {
            let key = self.arena.build(|bytes| {
                bytes.extend_from_slice(&record.key);
                let _ = write!(bytes, "::{}::", selection.graph.settings.web_app_id);
                bytes.extend_from_slice(&name);
            });
            let value = self.arena.store(&value);
            found.push(Selected { label: Label::Keyed(collection.variable(), key), value, offsets: None });
        }
    }

    /// Returns the key of a persistent collection's record in this transaction.
    pub fn record_key(&self, collection: PersistentCollection, graph: &RuleGraph) -> RecordKey {
        let key = self.open_records.key(collection).map_or(&b""[..], |key| self.arena.read(key)).into();
        let web_app = if collection.is_of_web_app() { graph.settings.web_app_id.clone() } else { Box::default() };
        RecordKey { collection, key, web_app }
    }

    fn push_keyed(&mut self, variable: Variable, key: &[u8], value: &[u8], found: &mut Vec<Selected>) {
        let key = self.arena.store(key);
        let value = self.arena.store(value);
        found.push(Selected { label: Label::Keyed(variable, key), value, offsets: None });
    }
}

/// The part of an entry that is the value.
#[derive(Clone, Copy)]
enum Column {
    Name,
    Value,
}
