//! The keys of TX that rules name, numbered at load so that evaluation looks up numbers.

use crate::pattern::{Effort, Pattern};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The number of a TX key within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxName(pub u32);

/// TX keys with their numbers. Keys are compared without regard to ASCII case, as in ModSecurity.
#[derive(Clone, Debug, Default)]
pub struct TxNames {
    /// The keys of the graph that this one extends; their numbers come first.
    base: Option<Arc<TxNames>>,
    /// Number of those keys.
    before: usize,
    /// The keys that are written before all others, in the order in which they are, although their numbers are higher.
    first: Vec<TxName>,
    /// `true` while the keys that come first are written.
    notes_first: bool,
    /// `true` if a key was written in another case than in the graph that this one extends.
    respells: bool,
    /// Keys come from rules, not from requests, so a fast hash without protection against collisions is enough.
    numbers: FxHashMap<Box<[u8]>, TxName>,
    spellings: Vec<Box<[u8]>>,
    /// The keys that are one digit, for captures.
    digits: [Option<TxName>; 10],
}

impl TxNames {
    /// Returns the keys of another graph, which is no extension itself, to be extended. The other's keys are shared.
    pub fn extending(base: &Arc<TxNames>) -> Self {
        Self { base: Some(Arc::clone(base)), before: base.len(), digits: base.digits, notes_first: true, ..Self::default() }
    }

    /// Ends the part that is read before the graph that this one extends.
    pub fn end_first(&mut self) {
        self.notes_first = false;
    }

    /// Returns `true` if there are other keys than in the graph that this one extends, or another order.
    pub fn differs(&self) -> bool {
        !self.first.is_empty() || !self.spellings.is_empty()
    }

    /// Returns `true` if a key was written in another case than in the graph that this one extends.
    pub fn respells(&self) -> bool {
        self.respells
    }

    /// Returns the number of a key, and assigns one if it is new.
    pub fn intern(&mut self, key: &[u8]) -> TxName {
        let name = self.number(key);
        if self.notes_first && !self.first.contains(&name) {
            self.first.push(name);
        }
        name
    }

    fn number(&mut self, key: &[u8]) -> TxName {
        let folded = key.to_ascii_lowercase().into_boxed_slice();
        if let Some(known) = self.find_folded(&folded) {
            self.respells |= (known.0 as usize) < self.before && self.spelling(known) != key;
            return known;
        }
        let name = TxName(u32::try_from(self.len()).unwrap_or(u32::MAX));
        self.spellings.push(key.into());
        self.numbers.insert(folded, name);
        if let [digit @ b'0'..=b'9'] = key
            && let Some(known) = self.digits.get_mut(usize::from(digit - b'0'))
        {
            *known = Some(name);
        }
        name
    }

    /// Returns the number of the key for a captured group, if it has one.
    pub fn of_group(&self, index: usize) -> Option<TxName> {
        self.digits.get(index).copied().flatten()
    }

    /// Returns all keys, in the order in which they are first written.
    pub fn in_order(&self) -> impl Iterator<Item = TxName> {
        let numbers = (0..).map(TxName).take(self.len());
        self.first.iter().copied().chain(numbers.filter(|name| !self.first.contains(name)))
    }

    /// Returns `true` if a pattern selects a key.
    pub fn is_selected(&self, name: TxName, pattern: &Pattern) -> bool {
        pattern.is_match(self.spelling(name), &mut Effort::default()).unwrap_or(false)
    }

    /// Returns the number of a key in lower case, if it has one.
    pub fn find_folded(&self, folded: &[u8]) -> Option<TxName> {
        let known = self.base.as_ref().and_then(|base| base.numbers.get(folded).copied());
        known.or_else(|| self.numbers.get(folded).copied())
    }

    /// Returns the key as it was first written.
    pub fn spelling(&self, name: TxName) -> &[u8] {
        let number = name.0 as usize;
        let spelling = match number.checked_sub(self.before) {
            Some(own) => self.spellings.get(own),
            None => self.base.as_ref().and_then(|base| base.spellings.get(number)),
        };
        spelling.map_or(b"", |spelling| spelling)
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.before + self.spellings.len()
    }

    /// Returns `true` if there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_numbers_its_keys_after_those_that_it_extends() {
        let mut base = TxNames::default();
        let (known, digit) = (base.intern(b"Score"), base.intern(b"1"));
        let mut names = TxNames::extending(&Arc::new(base));
        assert_eq!((names.intern(b"Score"), names.respells()), (known, false));
        assert_eq!((names.intern(b"new"), names.len()), (TxName(2), 3));
        assert_eq!(names.find_folded(b"new"), Some(TxName(2)));
        assert_eq!((names.spelling(known), names.spelling(TxName(2))), (&b"Score"[..], &b"new"[..]));
        assert_eq!((names.of_group(1), names.of_group(2)), (Some(digit), None));
        names.end_first();
        names.intern(b"last");
        assert_eq!(names.in_order().map(|name| name.0).collect::<Vec<_>>(), [0, 2, 1, 3]);
        assert_eq!((names.intern(b"score"), names.respells()), (known, true));
    }
}
