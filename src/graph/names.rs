//! The keys of TX that rules name, numbered at load so that evaluation looks up numbers.

use crate::pattern::{Effort, Pattern};
use rustc_hash::FxHashMap;

/// The number of a TX key within its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxName(pub u32);

/// Keys of TX with their numbers. Keys are compared without regard to ASCII case, as ModSecurity does.
#[derive(Clone, Debug, Default)]
pub struct TxNames {
    /// The names come from rules, not from requests, so that a fast hash will do.
    numbers: FxHashMap<Box<[u8]>, TxName>,
    spellings: Vec<Box<[u8]>>,
    /// The names that are one digit: what rules capture.
    digits: [Option<TxName>; 10],
}

impl TxNames {
    /// The number of a key, given out now if it is new.
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

    /// The number of the key that a captured group is stored under, if it has one.
    pub fn of_group(&self, index: usize) -> Option<TxName> {
        self.digits.get(index).copied().flatten()
    }

    /// The keys that a pattern selects, in the order of their numbers.
    pub fn selected_by<'n>(&'n self, pattern: &'n Pattern) -> impl Iterator<Item = TxName> + use<'n> {
        let selects = |spelling: &[u8]| pattern.is_match(spelling, &mut Effort::default()).unwrap_or(false);
        (0..).map(TxName).zip(&self.spellings).filter(move |(_, spelling)| selects(spelling)).map(|(name, _)| name)
    }

    /// The number of a key in lower case, if it has one.
    pub fn find_folded(&self, folded: &[u8]) -> Option<TxName> {
        self.numbers.get(folded).copied()
    }

    /// The key as it was first spelled.
    pub fn spelling(&self, name: TxName) -> &[u8] {
        self.spellings.get(name.0 as usize).map_or(b"", |spelling| spelling)
    }

    /// How many keys have a number.
    pub fn len(&self) -> usize {
        self.spellings.len()
    }

    /// Returns `true` if no key has a number.
    pub fn is_empty(&self) -> bool {
        self.spellings.is_empty()
    }
}
