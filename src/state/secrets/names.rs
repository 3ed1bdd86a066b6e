//! The names and values that are secret.

use crate::graph::{Key, Selector, Target};
use crate::mask::{Choice, Kept, Needles};
use crate::vocabulary::Variable;
use rustc_hash::FxHashSet;
use std::borrow::Cow;

/// Minimum length of a secret that is searched for outside of its own place, in bytes.
pub const MIN_SEARCHED: usize = 4;

/// Maximum number of names. If actions name more, all members of their collection are secret.
const MAX_NAMES: usize = 64;

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
    /// Number of changes, by which logs see that there is something new.
    pub changes: usize,
    /// Number of changes and of matches when matches were covered last.
    pub covered: (usize, usize),
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
        }
        self.changes += 1;
        true
    }

    /// Adds a text that is a secret part of a member of a collection.
    pub fn add_part(&mut self, variable: Variable, key: &[u8], text: &[u8], kept: Kept) {
        let target = Target::new(variable, Selector::Key(Key { text: key.into(), tx: None }));
        let place = self.partial.iter().position(|(known, _)| known.is_same(&target));
        if place.is_none() && self.partial.len() >= MAX_NAMES {
            self.add_target(Target::new(variable, Selector::All));
            return;
        }
        let place = place.unwrap_or_else(|| {
            self.partial.push((target, Needles::default()));
            self.partial.len() - 1
        });
        if let Some((_, parts)) = self.partial.get_mut(place) {
            self.changes += usize::from(parts.add(text, kept));
        }
        if text.len() >= MIN_SEARCHED {
            self.changes += usize::from(self.needles.add(text, kept));
        }
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

    /// Covers texts of the XML body as a whole from now on.
    pub fn hide_xml(&mut self) {
        self.changes += usize::from(!self.hides_xml);
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

    /// Returns `true` if the one value of a variable is secret.
    pub fn has_scalar(&self, variable: Variable) -> bool {
        self.targets.iter().any(|target| target.variable == variable)
    }

    /// Returns `true` if names of arguments in this part are secret.
    pub fn names_arguments(&self, part: Part) -> bool {
        let variables = argument_variables(part);
        let named = self.targets.iter().chain(self.partial.iter().map(|(target, _)| target));
        named.into_iter().any(|target| variables.contains(&target.variable))
    }

    /// Returns the secret part of an argument.
    pub fn argument(&self, part: Part, name: &[u8]) -> Choice<'_> {
        self.choose(argument_variables(part), &names_of(name))
    }

    /// Returns the secret part of a member of another collection.
    pub fn member(&self, variable: Variable, name: &[u8]) -> Choice<'_> {
        self.choose(&[variable], &[Cow::Borrowed(name)])
    }

    /// Returns the secret part of a cookie.
    pub fn cookie(&self, name: &[u8]) -> Choice<'_> {
        match self.member(Variable::RequestHeaders, b"Cookie") {
            Choice::Whole => Choice::Whole,
            _ => self.member(Variable::RequestCookies, name),
        }
    }

    fn choose(&self, variables: &[Variable], names: &[Cow<'_, [u8]>]) -> Choice<'_> {
        // The first three are the whole name and its ends, which exclude too.
        let is_excluded = |target: &Target| names.iter().take(3).any(|name| target.excludes(name));
        let is_meant = |target: &Target| {
            variables.contains(&target.variable) && names.iter().any(|name| target.selector.selects(name)) && !is_excluded(target)
        };
        if self.targets.iter().any(is_meant) {
            return Choice::Whole;
        }
        let parts = self.partial.iter().find(|(target, _)| is_meant(target));
        parts.map_or(Choice::Clear, |(_, parts)| Choice::Parts(parts))
    }
}

fn argument_variables(part: Part) -> &'static [Variable] {
    match part {
        Part::Query => &[Variable::Args, Variable::ArgsGet],
        Part::Body => &[Variable::Args, Variable::ArgsPost],
        Part::Any => &[Variable::Args, Variable::ArgsGet, Variable::ArgsPost],
    }
}

/// Returns the names under which an argument is secret: its own, and for a member of JSON such as `json.user.password.array_0` also without `json.`,
/// and each key: `password` is secret with everything in it.
fn names_of(name: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let Some(path) = name.strip_prefix(b"json.") else { return vec![Cow::Borrowed(name)] };
    let is_index = |key: &&[u8]| key.strip_prefix(b"array_").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
    let mut keys: Vec<&[u8]> = path.split(|byte| *byte == b'.').filter(|key| !is_index(key)).collect();
    keys.reverse();
    [name, path].into_iter().chain(keys).map(Cow::Borrowed).collect()
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
    fn parts_of_a_request_are_told_apart() {
        let secrets = secrets(Variable::ArgsGet, "a");
        assert!(matches!(secrets.argument(Part::Query, b"a"), Choice::Whole));
        assert!(matches!(secrets.argument(Part::Body, b"a"), Choice::Clear));
        assert!(!secrets.names_arguments(Part::Body));
    }
}
