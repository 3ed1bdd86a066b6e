//! A body in pieces, as far as it is held.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Bytes from which on a piece is not added to.
const FULL: usize = 64 << 10;

/// The start of a body. Small pieces are put together, so that a body of many small chunks takes no more memory than its bytes.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    full: VecDeque<Bytes>,
    last: BytesMut,
    bytes: usize,
}

impl Pieces {
    /// Returns the number of bytes that were added.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds data at the end.
    pub fn push(&mut self, data: Bytes) {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.last.is_empty() && data.len() >= FULL {
            self.full.push_back(data);
            return;
        }
        self.last.extend_from_slice(&data);
        if self.last.len() >= FULL {
            self.full.push_back(self.last.split().freeze());
        }
    }

    /// Returns the number of bytes that are left.
    pub fn left(&self) -> usize {
        self.full.iter().map(Bytes::len).sum::<usize>().saturating_add(self.last.len())
    }

    /// Takes the first piece.
    pub fn pop(&mut self) -> Option<Bytes> {
        self.full.pop_front().or_else(|| Some(self.last.split().freeze()).filter(|last| !last.is_empty()))
    }

    /// Returns all pieces in their order. Copies of them share the bytes.
    pub fn into_queue(mut self) -> VecDeque<Bytes> {
        if !self.last.is_empty() {
            self.full.push_back(self.last.freeze());
        }
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_become_few_and_keep_their_order() {
        let mut pieces = Pieces::default();
        let body: Vec<u8> = (0..=u8::MAX).cycle().take(200_000).collect();
        body.chunks(7).for_each(|chunk| pieces.push(Bytes::copy_from_slice(chunk)));
        assert_eq!(pieces.bytes(), 200_000);
        let queue = pieces.into_queue();
        assert_eq!(queue.len(), 4);
        assert_eq!(queue.iter().flatten().copied().collect::<Vec<u8>>(), body);
    }
}
