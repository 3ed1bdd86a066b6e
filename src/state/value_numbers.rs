//! The numbers of values by their places in the arena: most values are selected by several targets.
//!
//! A table with open addressing, at most half full. It does not store the values, only their numbers; its user compares the values.

use super::Text;
use std::hash::{BuildHasher as _, RandomState};

/// The first capacity; it is a power of two, as all later ones.
const FIRST_CAPACITY: usize = 128;

/// The number of a value within its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueId(pub(super) u32);

/// Numbers of values.
#[derive(Debug, Default)]
pub struct ValueNumbers {
    /// One more than the number of a value, or 0.
    places: Vec<u32>,
    /// The number of places that are taken.
    taken: usize,
    /// The factor of hashes, which senders must not know.
    factor: u64,
}

/// A place for the number of a new value, until the next insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacant(usize);

impl ValueNumbers {
    /// Removes all numbers, and keeps the memory.
    pub fn clear(&mut self) {
        if self.taken > 0 {
            self.places.fill(0);
            self.taken = 0;
        }
    }

    /// Returns the number of a value, for which `is_same` returns `true`, or else the place for a new number.
    #[inline]
    pub fn find(&self, text: Text, is_same: impl Fn(ValueId) -> bool) -> Result<ValueId, Vacant> {
        let mut place = self.first_place(text);
        loop {
            let number = self.places.get(place).copied().unwrap_or(0);
            let Some(number) = number.checked_sub(1) else { return Err(Vacant(place)) };
            if is_same(ValueId(number)) {
                return Ok(ValueId(number));
            }
            place = self.next_place(place);
        }
    }

    /// Adds the number of a value at the place that [`find`](Self::find) returned for it; `text_of` returns the values of others.
    #[inline]
    pub fn insert(&mut self, Vacant(place): Vacant, text: Text, id: ValueId, text_of: impl Fn(ValueId) -> Text) {
        self.taken += 1;
        if self.taken * 2 <= self.places.len() {
            self.places.get_mut(place).into_iter().for_each(|place| *place = id.0.saturating_add(1));
        } else {
            self.grow(text_of);
            self.take_place(text, id);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, text_of: impl Fn(ValueId) -> Text) {
        if self.places.is_empty() {
            self.factor = RandomState::new().hash_one(0) | 1;
        }
        let capacity = (self.places.len() * 2).max(FIRST_CAPACITY);
        let before = std::mem::replace(&mut self.places, vec![0; capacity]);
        for id in before.into_iter().filter_map(|place| place.checked_sub(1)).map(ValueId) {
            self.take_place(text_of(id), id);
        }
    }

    fn take_place(&mut self, text: Text, ValueId(number): ValueId) {
        let mut place = self.first_place(text);
        while self.places.get(place).is_some_and(|taken| *taken != 0) {
            place = self.next_place(place);
        }
        self.places.get_mut(place).into_iter().for_each(|place| *place = number.saturating_add(1));
    }

    #[inline]
    fn first_place(&self, text: Text) -> usize {
        ((u64::from(text.hash(self.factor)) * self.places.len() as u64) >> 32) as usize
    }

    #[inline]
    fn next_place(&self, place: usize) -> usize {
        (place + 1) & self.places.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Arena;
    use super::*;

    #[test]
    fn each_of_many_values_is_found_until_they_are_cleared() {
        let (mut arena, mut numbers) = (Arena::default(), ValueNumbers::default());
        let texts: Vec<Text> = (0..5_000).map(|number| arena.store_number(number % 100)).collect();
        let text_of = |ValueId(number)| texts[number as usize];
        for (number, text) in (0..).zip(&texts) {
            let place = numbers.find(*text, |id| text_of(id) == *text).unwrap_err();
            numbers.insert(place, *text, ValueId(number), text_of);
        }
        for (number, text) in (0..).zip(&texts) {
            assert_eq!(numbers.find(*text, |id| text_of(id) == *text), Ok(ValueId(number)));
        }
        numbers.clear();
        assert!(numbers.find(texts[0], |_| true).is_err());
    }
}
