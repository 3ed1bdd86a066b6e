//! The names and values that are secret.

use crate::graph::{BodyProcessor, Key, Selector, Target};
use crate::mask::{Choice, Kept, Needles};
use crate::state::Text;
use crate::vocabulary::Variable;
use rustc_hash::FxHashSet;
use std::ops::Range;
use std::sync::OnceLock;

/// Minimum length of a secret that is searched for outside of its own place, in bytes.
pub const MIN_SEARCHED: usize = 4;

/// Maximum number of names. If actions name more, all members of their collection are secret.
const MAX_NAMES: usize = 64;

/// The beginning of names of arguments in a JSON body.
const JSON: &[u8] = b"json.";

/// The names and values of an exchange that are secret.
#[derive(Debug, Default)]
pub struct Secrets {
    /// The members of collections, and the scalars, that are secret.
    targets: Vec<Target>,
    /// Members of which only these parts are secret.
    partial: Vec<(Target, Needles)>,
    /// Values that are searched for.
    pub needles: Needles,
    /// Shorter values, in lower case.
    short: FxHashSet<Box<[u8]>>,
    /// `true` if texts of the XML body are covered as a whole: it may hold secrets that were not found, or that are too short to be searched for.
    pub hides_xml: bool,
    /// The request body without its secrets; `None` if it has none. Rules and logs ask for it many times.
    pub covered_body: OnceLock<(BodySource, Option<Box<[u8]>>)>,
    /// Number of changes, by which logs see that there is something new.
    pub changes: usize,
    /// Number of changes and of matches when matches were covered last.
    pub covered: (usize, usize),
}

/// The state of a request body on which its secrets depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodySource {
    /// The body.
    pub text: Text,
    /// Its processor.
    pub processor: Option<BodyProcessor>,
    /// `true` if applications may read it in another way.
    pub is_doubtful: bool,
}

/// The part of a request that an argument is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The query.
    Query,
    /// The body.
    Body,
    /// Any of them.
    Any,
}

impl Secrets {
    /// Makes the secrets of an exchange that has not begun, by the targets of `SecSanitise`.
    pub fn new(targets: &[Target]) -> Self {
        Self { targets: targets.to_vec(), ..Self::default() }
    }

    /// Adds a target. Returns `true` if it is new. Its values must be learned then.
    pub fn add_target(&mut self, target: Target) -> bool {
        if self.targets.iter().any(|known| known.is_same(&target)) {
            return false;
        }
        if self.targets.len() < MAX_NAMES {
            self.targets.push(target);
        } else {
            self.targets.retain(|known| known.variable != target.variable);
            self.targets.push(Target::new(target.variable, Selector::All));
            self.hides_xml |= target.variable == Variable::Xml;
        }
        self.note_change(true);
        true
    }

    /// Adds a text that is a secret part of a member of a collection. Returns `false` if there are too many such members: the whole collection is a target
    /// then.
    #[must_use]
    pub fn add_part(&mut self, variable: Variable, key: &[u8], text: &[u8], kept: Kept) -> bool {
        if text.len() >= MIN_SEARCHED {
            let is_new = self.needles.add(text, kept);
            self.note_change(is_new);
        }
        let target = Target::new(variable, Selector::Key(Key { text: key.into(), tx: None }));
        let place = self.partial.iter().position(|(known, _)| known.is_same(&target));
        if place.is_none() && self.partial.len() >= MAX_NAMES {
            return false;
        }
        let place = place.unwrap_or_else(|| {
            self.partial.push((target, Needles::default()));
            self.partial.len() - 1
        });
        if let Some((_, parts)) = self.partial.get_mut(place) {
            let is_new = parts.add(text, kept);
            self.note_change(is_new);
        }
        true
    }

    /// Adds a value.
    pub fn add_value(&mut self, value: &[u8]) {
        for value in [value, value.trim_ascii()] {
            match value.len() {
                0 => {}
                1..MIN_SEARCHED => self.changes += usize::from(self.short.insert(value.to_ascii_lowercase().into())),
                _ => self.changes += usize::from(self.needles.add(value, Kept::default())),
            }
        }
    }

    fn note_change(&mut self, is_new: bool) {
        if is_new {
            self.changes += 1;
            self.covered_body.take();
        }
    }

    /// Covers texts of the XML body as a whole from now on.
    pub fn hide_xml(&mut self) {
        self.note_change(!self.hides_xml);
        self.hides_xml = true;
    }

    /// Returns `true` if nothing is secret so far.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.partial.is_empty() && self.needles.is_empty() && self.short.is_empty()
    }

    /// Returns `true` if this is a part of a secret, long enough to be searched for.
    pub fn holds_part(&self, text: &[u8]) -> bool {
        text.len() >= MIN_SEARCHED && self.needles.contain(text)
    }

    /// Returns `true` if this is a secret that is too short to be searched for.
    pub fn is_short(&self, value: &[u8]) -> bool {
        value.len() < MIN_SEARCHED && self.short.contains(&*value.to_ascii_lowercase())
    }

    /// Returns the XPaths whose nodes are secret.
    pub fn xpaths(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().filter(|target| target.variable == Variable::Xml).filter_map(|target| match &target.selector {
            Selector::XPath(path) => Some(&**path),
            _ => None,
        })
    }

    /// Returns `true` if all nodes of the XML body are secret, because actions named too many XPaths.
    pub fn has_all_xml(&self) -> bool {
        self.targets.iter().any(|target| target.variable == Variable::Xml && matches!(target.selector, Selector::All))
    }

    /// Returns `true` if the one value of a variable is secret.
    pub fn has_scalar(&self, variable: Variable) -> bool {
        self.targets.iter().any(|target| target.variable == variable)
    }

    /// Returns `true` if what a value of this variable was read from is secret as a whole: the query or the body.
    pub fn hides_source(&self, variable: Variable) -> bool {
        let is_hidden = |source| self.has_scalar(source);
        match variable {
            Variable::Args => is_hidden(Variable::QueryString) || is_hidden(Variable::RequestBody),
            Variable::ArgsGet => is_hidden(Variable::QueryString),
            Variable::ArgsPost | Variable::FilesTmpContent | Variable::Xml => is_hidden(Variable::RequestBody),
            _ => false,
        }
    }

    /// Returns `true` if names of arguments in this part are secret.
    pub fn names_arguments(&self, part: Part) -> bool {
        let variables = argument_variables(part);
        self.all_targets().any(|target| variables.contains(&target.variable))
    }

    /// Returns the secret part of an argument.
    pub fn argument(&self, part: Part, name: &[u8]) -> Choice<'_> {
        ArgumentNames::new(self, part).choose(name)
    }

    /// Returns the secret part of a member of another collection.
    pub fn member(&self, variable: Variable, name: &[u8]) -> Choice<'_> {
        self.choose(&[variable], &[name], &[])
    }

    /// Returns the secret part of a file, by its field.
    pub fn file(&self, field: &[u8]) -> Choice<'_> {
        match self.argument(Part::Body, field) {
            Choice::Clear => self.member(Variable::FilesTmpContent, field),
            choice => choice,
        }
    }

    /// Returns the secret part of a cookie.
    pub fn cookie(&self, name: &[u8]) -> Choice<'_> {
        // Servers ignore blanks around it.
        let name = name.trim_ascii();
        match self.member(Variable::RequestHeaders, b"Cookie") {
            Choice::Whole => Choice::Whole,
            _ => self.member(Variable::RequestCookies, name),
        }
    }

    /// Returns the targets, first those of whole members, then those of parts.
    fn all_targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().chain(self.partial.iter().map(|(target, _)| target))
    }

    /// Returns the secret part of a member with these names. `selecting` are the positions of targets that select it by something else than its names.
    fn choose(&self, variables: &[Variable], names: &[&[u8]], selecting: &[usize]) -> Choice<'_> {
        let is_meant = |at: usize, target: &Target| {
            variables.contains(&target.variable)
                && (selecting.contains(&at) || names.iter().any(|name| target.selector.selects(name)))
                && !names.iter().any(|name| target.excludes(name))
        };
        match self.all_targets().enumerate().find(|(at, target)| is_meant(*at, target)) {
            None => Choice::Clear,
            Some((at, _)) => at
                .checked_sub(self.targets.len())
                .and_then(|at| self.partial.get(at))
                .map_or(Choice::Whole, |(_, parts)| Choice::Parts(parts)),
        }
    }
}

/// The secret parts of arguments, one after the other.
///
/// An argument is secret under its own name, and a member of JSON such as `json.user.password.array_0` also without `json.`, and under each key:
/// `password` is secret with everything in it. Keys are compared when an object or array begins, not again for each of its members.
pub struct ArgumentNames<'s> {
    secrets: &'s Secrets,
    variables: &'static [Variable],
    /// The last name of JSON.
    last: Vec<u8>,
    /// The keys in it, the outermost first.
    keys: Vec<KeyInName>,
}

struct KeyInName {
    /// The offset after it in the name.
    end: usize,
    /// The range of the innermost key so far that is not an index of an array.
    own: Range<usize>,
    /// The positions of targets that select one of the keys so far.
    selecting: Vec<usize>,
}

impl<'s> ArgumentNames<'s> {
    /// Makes the names of a part of a request.
    pub fn new(secrets: &'s Secrets, part: Part) -> Self {
        Self { secrets, variables: argument_variables(part), last: Vec::new(), keys: Vec::new() }
    }

    /// Returns the secret part of an argument.
    pub fn choose(&mut self, name: &[u8]) -> Choice<'s> {
        let Some(path) = name.strip_prefix(JSON) else { return self.secrets.choose(self.variables, &[name], &[]) };
        self.read_keys(name);
        let Some(key) = self.keys.last() else { return Choice::Clear };
        let own = name.get(key.own.clone()).filter(|_| !key.own.is_empty()).unwrap_or(path);
        self.secrets.choose(self.variables, &[name, path, own], &key.selecting)
    }

    fn read_keys(&mut self, name: &[u8]) {
        self.keys.truncate(self.common_keys(name));
        let mut at = self.keys.last().map_or(JSON.len().saturating_sub(1), |key| key.end);
        self.last.truncate(at);
        self.last.extend_from_slice(name.get(self.last.len()..).unwrap_or_default());
        while at < name.len() {
            let start = at.saturating_add(1);
            let rest = name.get(start..).unwrap_or_default();
            at = start.saturating_add(memchr::memchr(b'.', rest).unwrap_or(rest.len()));
            self.add_key(name, start..at);
        }
    }

    /// Returns the number of keys that a name has in common with the last one.
    fn common_keys(&self, name: &[u8]) -> usize {
        let is_common = |key: &KeyInName| self.last.get(..key.end) == name.get(..key.end) && matches!(name.get(key.end), None | Some(b'.'));
        self.keys.iter().rposition(is_common).map_or(0, |last| last.saturating_add(1))
    }

    fn add_key(&mut self, name: &[u8], range: Range<usize>) {
        let key = name.get(range.clone()).unwrap_or_default();
        let is_index = key.strip_prefix(b"array_").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
        let around = self.keys.last();
        let mut selecting = around.map_or(Vec::new(), |around| around.selecting.clone());
        let (end, mut own) = (range.end, around.map_or(0..0, |around| around.own.clone()));
        if !is_index {
            own = range;
            let targets = self.secrets.all_targets().enumerate();
            let added = targets.filter(|(_, target)| self.variables.contains(&target.variable) && target.selector.selects(key));
            selecting.extend(added.map(|(at, _)| at));
        }
        self.keys.push(KeyInName { end, own, selecting });
    }
}

fn argument_variables(part: Part) -> &'static [Variable] {
    match part {
        Part::Query => &[Variable::Args, Variable::ArgsGet],
        Part::Body => &[Variable::Args, Variable::ArgsPost],
        Part::Any => &[Variable::Args, Variable::ArgsGet, Variable::ArgsPost],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(variable: Variable, key: &str) -> Secrets {
        Secrets::new(&[Target::new(variable, Selector::Key(Key { text: key.as_bytes().into(), tx: None }))])
    }

    #[test]
    fn a_key_of_json_is_secret_with_everything_in_it() {
        let secrets = secrets(Variable::Args, "Password");
        for name in ["password", "json.password", "json.a.password", "json.password.array_3", "json.password.old"] {
            assert!(matches!(secrets.argument(Part::Body, name.as_bytes()), Choice::Whole), "{name}");
        }
        for name in ["json.passwords", "user.password", "array_0"] {
            assert!(matches!(secrets.argument(Part::Body, name.as_bytes()), Choice::Clear), "{name}");
        }
    }

    #[test]
    fn the_keys_around_members_are_compared_once() {
        let secrets = secrets(Variable::Args, "password");
        let mut names = ArgumentNames::new(&secrets, Part::Body);
        let mut is_secret = |name: &str, common: usize| {
            assert_eq!(names.common_keys(name.as_bytes()), common, "{name}");
            matches!(names.choose(name.as_bytes()), Choice::Whole)
        };
        assert!(!is_secret("json.a.b.array_0", 0));
        assert!(!is_secret("json.a.b.array_1", 2));
        assert!(!is_secret("json.a.bc", 1));
        assert!(is_secret("json.a.password.array_0.x", 1));
        assert!(is_secret("json.a.password.array_1", 2));
        assert!(!is_secret("json.a.passwords", 1));
        assert!(is_secret("json.password", 0));
    }

    #[test]
    fn parts_of_a_request_are_told_apart() {
        let secrets = secrets(Variable::ArgsGet, "a");
        assert!(matches!(secrets.argument(Part::Query, b"a"), Choice::Whole));
        assert!(matches!(secrets.argument(Part::Body, b"a"), Choice::Clear));
        assert!(!secrets.names_arguments(Part::Body));
    }
}
