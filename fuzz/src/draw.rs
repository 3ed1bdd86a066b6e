//! Choices, made by the bytes of an input. Where the bytes end, every choice falls on the first and every chance is missed.

use arbitrary::Unstructured;

/// Bytes that choices are made by.
pub struct Draw<'a>(Unstructured<'a>);

impl<'a> Draw<'a> {
    /// Begins with the first byte.
    pub fn new(data: &'a [u8]) -> Self {
        Self(Unstructured::new(data))
    }

    /// A number from 0 to `end`, without `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.int_in_range(0..=end.saturating_sub(1)).unwrap_or(0)
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        self.0.int_in_range(low..=high).unwrap_or(low)
    }

    /// A chance of one in so many.
    pub fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == number - 1
    }

    /// One of a list.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Up to `most` texts, one after the other.
    pub fn texts(&mut self, max: usize, mut text: impl FnMut(&mut Self) -> String) -> String {
        (0..self.between(0, max)).map(|_| text(self)).collect()
    }

    /// Up to `most` bytes as they are.
    pub fn bytes(&mut self, max: usize) -> Vec<u8> {
        let number = self.between(0, max).min(self.0.len());
        self.0.bytes(number).map(<[u8]>::to_vec).unwrap_or_default()
    }

    /// Whether every byte was used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All bytes that are left.
    pub fn rest(self) -> &'a [u8] {
        self.0.take_rest()
    }
}
