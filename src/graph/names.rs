//! The keys of TX that rules name, numbered at load so that evaluation looks up numbers.

use crate::pattern::{Effort, Pattern};
use rustc_hash::FxHashMap;

/// The number of a TX key within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxName(pub u32);

/// TX keys with their numbers. Keys are compared without regard to ASCII case, as in ModSecurity.
#[derive(Clone, Debug, Default)]
pub struct TxNames {
    /// Keys come from rules, not from requests, so a fast hash without protection against collisions is enough.
    numbers: FxHashMap<Box<[u8]>, TxName>,
    spellings: Vec<Box<[u8]>>,
    /// The keys that are one digit, for captures.
    digits: [Option<TxName>; 10],
}

impl TxNames {
    /// Returns the number of a key, and assigns one if it is new.
    pub fn intern(&mut self, key: &[u8]) -> TxName {
        let folded = key.to_ascii_lowercase().into_boxed_slice();
        if let Some(known) = self.numbers.get(&folded) {
            return *known;
        }
        let name = TxName(u32::try_from(self.spellings.len()).unwrap_or(u32::MAX));
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

    /// Returns the keys that a pattern selects, in the order of their numbers.
    pub fn selected_by<'n>(&'n self, pattern: &'n Pattern) -> impl Iterator<Item = TxName> + use<'n> {
        let selects = |spelling: &[u8]| pattern.is_match(spelling, &mut Effort::default()).unwrap_or(false);
        (0..).map(TxName).zip(&self.spellings).filter(move |(_, spelling)| selects(spelling)).map(|(name, _)| name)
    }

    /// Returns the number of a key in lower case, if it has one.
    pub fn find_folded(&self, folded: &[u8]) -> Option<TxName> {
        self.numbers.get(folded).copied()
    }

    /// Returns the key as it was first written.
    pub fn spelling(&self, name: TxName) -> &[u8] {
        self.spellings.get(name.0 as usize).map_or(b"", |spelling| spelling)
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.spellings.len()
    }

    /// Returns `true` if there are no keys.
    pub fn is_empty(&self) -> bool {
        self.spellings.is_empty()
    }
}
