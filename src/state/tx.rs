//! TX: variables of one transaction that rules set.

use super::arena::Text;
use super::{Arena, Budget};
use crate::graph::{TxName, TxNames};
use crate::operator::leading_integer;
use std::collections::HashMap;

/// A transaction that made more keys than these, or more bytes of them, frees their memory.
const MAX_MADE: usize = 1024;
const MAX_MADE_BYTES: usize = 64 << 10;

/// Size of a key made at run time in addition to its bytes: its value, its two spellings, and its index.
const MADE: usize = size_of::<Option<Value>>() + size_of::<(Vec<u8>, usize)>() + size_of::<usize>();

/// Up to this many run-time keys, a linear scan is faster than a hash look-up.
const FEW: usize = 16;

/// TX. Keys in rules have numbers from the load; keys that a macro makes get later ones.
#[derive(Debug, Default)]
pub struct TxVariables {
    values: Vec<Option<Value>>,
    /// Keys made at run time, if they are more than a few: in lower case, with their index in `values`.
    made: HashMap<Vec<u8>, usize>,
    /// Spellings of keys made at run time, by index after the known ones.
    spellings: Spellings,
    known: usize,
}

/// Texts, one after the other: most rules that make keys make one for each value of a request.
#[derive(Debug, Default)]
struct Spellings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A value.
#[derive(Clone, Copy, Debug)]
struct Value {
    text: Text,
    /// Its number, after the first comparison or sum: the same scores and levels are compared again and again.
    number: Option<i64>,
}

/// The index of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxSlot(usize);

impl TxVariables {
    /// Clears everything, and frees the memory of many keys made at run time.
    pub fn clear(&mut self) {
        if self.spellings.ends.len() > MAX_MADE || self.spellings.bytes.len() > MAX_MADE_BYTES {
            *self = Self::default();
        }
        self.values.clear();
        self.made.clear();
        self.spellings.clear();
        self.known = 0;
    }

    /// Clears everything, and makes room for the keys of a graph.
    pub fn reset(&mut self, names: &TxNames) {
        self.clear();
        self.values.resize(names.len(), None);
        self.known = names.len();
    }

    /// Returns the index of a key of the graph.
    pub fn known(&self, name: TxName) -> TxSlot {
        TxSlot(name.0 as usize)
    }

    /// Returns the index of a key made at run time, if there is one.
    pub fn find(&self, names: &TxNames, key: &[u8]) -> Option<TxSlot> {
        let mut short = [0; 64];
        let long;
        let folded = match short.get_mut(..key.len()) {
            Some(short) => {
                short.copy_from_slice(key);
                short.make_ascii_lowercase();
                &*short
            }
            None => {
                long = key.to_ascii_lowercase();
                &long
            }
        };
        match names.find_folded(folded) {
            Some(name) => Some(self.known(name)),
            None if self.spellings.ends.len() <= FEW => {
                let made = self.spellings.iter().position(|spelling| spelling.eq_ignore_ascii_case(key))?;
                Some(TxSlot(self.known + made))
            }
            None => self.made.get(folded).copied().map(TxSlot),
        }
    }

    /// Returns the index of a key made at run time, and makes the key if necessary.
    pub fn find_or_make(&mut self, names: &TxNames, key: &[u8], work: &mut Budget) -> TxSlot {
        self.find(names, key).unwrap_or_else(|| {
            work.reserve(MADE.saturating_add(key.len().saturating_mul(2)));
            let place = self.values.len();
            self.values.push(None);
            self.spellings.push(key);
            if self.spellings.ends.len() > FEW {
                let left_out = self.spellings.iter().enumerate().skip(self.made.len());
                self.made.extend(left_out.map(|(made, spelling)| (spelling.to_ascii_lowercase(), self.known + made)));
            }
            TxSlot(place)
        })
    }

    /// Returns the value at an index.
    pub fn read(&self, slot: TxSlot) -> Option<Text> {
        self.values.get(slot.0)?.map(|value| value.text)
    }

    /// Returns the value at an index as operators read it that compare numbers.
    #[inline]
    pub fn number(&mut self, slot: TxSlot, arena: &Arena) -> Option<i64> {
        let value = self.values.get_mut(slot.0)?.as_mut()?;
        Some(value.number.unwrap_or_else(|| value.learn_number(arena)))
    }

    /// Sets or removes the value at an index.
    pub fn write(&mut self, slot: TxSlot, value: Option<Text>) {
        if let Some(place) = self.values.get_mut(slot.0) {
            *place = value.map(|text| Value { text, number: None });
        }
    }

    /// Sets the value at an index to a number, whose digits are `text`.
    pub fn write_number(&mut self, slot: TxSlot, text: Text, number: i64) {
        if let Some(place) = self.values.get_mut(slot.0) {
            *place = Some(Value { text, number: Some(number) });
        }
    }

    /// Returns every key that has a value, as it was first written: those of the graph first.
    pub fn iter<'a>(&'a self, names: &'a TxNames) -> impl Iterator<Item = (&'a [u8], Text)> {
        names.in_order().filter_map(|name| Some((names.spelling(name), self.read(self.known(name))?))).chain(self.made())
    }

    /// Returns every key made at run time that has a value, as it was first written.
    pub fn made(&self) -> impl Iterator<Item = (&[u8], Text)> {
        let made = self.spellings.iter().zip(self.values.iter().skip(self.known));
        made.filter_map(|(spelling, value)| Some((spelling, value.as_ref()?.text)))
    }
}

impl Value {
    #[inline(never)]
    fn learn_number(&mut self, arena: &Arena) -> i64 {
        *self.number.insert(leading_integer(arena.read(self.text)))
    }
}

impl Spellings {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, spelling: &[u8]) {
        self.bytes.extend_from_slice(spelling);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| self.bytes.get(std::mem::replace(&mut start, *end)..*end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Arena;

    #[test]
    fn keys_are_one_whatever_their_case_and_origin() {
        let mut names = TxNames::default();
        let known = names.intern(b"Score");
        let mut arena = Arena::default();
        let mut tx = TxVariables::default();
        tx.reset(&names);
        let slot = tx.find_or_make(&names, b"SCORE", &mut arena.budget);
        assert_eq!(slot, tx.known(known));
        tx.write(slot, Some(arena.store(b"5")));
        let made = tx.find_or_make(&names, b"new-One", &mut arena.budget);
        assert_eq!(tx.find(&names, b"NEW-one"), Some(made));
        tx.write(made, Some(arena.store(b"x")));
        let keys: Vec<_> = tx.iter(&names).map(|(key, _)| key.to_vec()).collect();
        assert_eq!(keys, [b"Score".to_vec(), b"new-One".to_vec()]);
        tx.reset(&names);
        assert_eq!(tx.iter(&names).count(), 0);
    }

    #[test]
    fn many_keys_are_found_as_few_are() {
        let names = TxNames::default();
        let mut work = Budget::default();
        let mut tx = TxVariables::default();
        for _ in 0..2 {
            tx.reset(&names);
            let made: Vec<_> = (0..3 * FEW).map(|number| tx.find_or_make(&names, format!("Key{number}").as_bytes(), &mut work)).collect();
            for (number, slot) in made.into_iter().enumerate() {
                assert_eq!(tx.find(&names, format!("kEY{number}").as_bytes()), Some(slot));
                assert_eq!(tx.find_or_make(&names, format!("key{number}").as_bytes(), &mut work), slot);
            }
            assert_eq!(tx.find(&names, b"other"), None);
        }
    }
}
