//! `normalisePath`, `normalisePathWin`: normalise the spellings of a path.

use memchr::{memchr, memchr2, memchr2_iter, memrchr};

use super::rewrite::Step;

/// Separators of path segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separators {
    Slash,
    /// Windows: a backslash is a separator, and becomes a slash.
    SlashAndBackslash,
}

/// Removes doubled slashes, `.` segments, and `..` segments with the one before them.
///
/// A relative path keeps the `..` that lead out of it; an absolute one does not climb above its root. A trailing slash stays, and none is added. As
/// in ModSecurity v3, a longer segment that ends in `..` is removed like `..`. On Windows v3 overlooks a backslash after two other separators or a
/// removed segment; here all become slashes.
pub(super) fn normalise(input: &[u8], output: &mut Vec<u8>, separators: Separators) -> Step {
    if is_normal(input, separators) {
        return Step::Unchanged;
    }
    let mut path = Path { input, separators, above_start: false };
    output.reserve(input.len());
    path.write(output);
    Step::Written
}

/// Returns `true` if no segment needs work: none ends in a dot or is empty, and no backslash must become a slash.
fn is_normal(input: &[u8], separators: Separators) -> bool {
    let windows = separators == Separators::SlashAndBackslash;
    let settled = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| input.get(before));
        let backslash = input.get(at) == Some(&b'\\');
        !(backslash && windows || matches!(before, Some(b'.' | b'/')))
    };
    let other = if windows { b'\\' } else { b'/' };
    input.last() != Some(&b'.') && memchr2_iter(b'/', other, input).all(settled)
}

struct Path<'a> {
    input: &'a [u8],
    separators: Separators,
    /// `true` if a relative path was left through a `..` with nothing to remove.
    above_start: bool,
}

/// The action after a segment that ends in a dot.
enum Segment {
    Kept,
    Removed,
}

impl Path<'_> {
    fn write(&mut self, output: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(byte) = self.byte(at) {
            // Only the last byte of a segment decides what becomes of it.
            if let Some(start) = self.start_of_segment(at) {
                output.extend_from_slice(start);
                at += start.len();
                continue;
            }
            let next = self.byte(at + 1);
            if matches!(next, None | Some(b'/')) {
                if byte == b'.' {
                    if let Segment::Removed = self.end_dotted_segment(output, next.is_none()) {
                        at += 1;
                    }
                } else if !output.is_empty() && (byte != b'/' || next.is_none()) {
                    self.above_start = false;
                }
            }
            at = self.copy(at, output);
        }
        let ends_in_slash = self.input.len().checked_sub(1).is_some_and(|last| self.is_slash(last));
        if !ends_in_slash && output.last() == Some(&b'/') {
            output.pop();
        }
    }

    /// Returns the bytes of the segment from `at` on, without the last one; `None` if there are none.
    fn start_of_segment(&self, at: usize) -> Option<&[u8]> {
        let rest = self.input.get(at..)?;
        let slash = match self.separators {
            Separators::Slash => memchr(b'/', rest),
            Separators::SlashAndBackslash => memchr2(b'/', b'\\', rest),
        };
        let last = slash.unwrap_or(rest.len()).checked_sub(1)?;
        rest.get(..last).filter(|start| !start.is_empty())
    }

    /// Handles the last dot of a segment, before it is copied: drops the segment if it is `.` or `..`.
    fn end_dotted_segment(&mut self, output: &mut Vec<u8>, last: bool) -> Segment {
        match output.last() {
            None => Segment::Removed,
            Some(b'/') => {
                if !last {
                    output.pop();
                }
                Segment::Removed
            }
            Some(b'.') if self.is_relative() && (self.above_start || output.len() <= 2) => {
                self.above_start = true;
                Segment::Kept
            }
            Some(b'.') => {
                self.climb(output, last);
                Segment::Removed
            }
            Some(_) => Segment::Kept,
        }
    }

    /// Removes the `.` that is the first half of `..`, and the segment before it with its slash.
    fn climb(&mut self, output: &mut Vec<u8>, last: bool) {
        let before = output.len().saturating_sub(3);
        let slash = output.get(..=before).and_then(|text| memrchr(b'/', text)).unwrap_or(0);
        output.truncate(slash);
        if slash == 0 {
            self.above_start = true;
            if last && !self.is_relative() {
                output.push(b'/');
            }
        }
    }

    /// Copies the byte at `at`, and only one of a run of slashes; returns where to continue.
    fn copy(&self, at: usize, output: &mut Vec<u8>) -> usize {
        let Some(byte) = self.byte(at) else { return at };
        if byte != b'/' {
            output.push(byte);
            return at + 1;
        }
        let mut end = at + 1;
        while self.is_slash(end) {
            end += 1;
        }
        if !(self.is_relative() && output.is_empty()) {
            output.push(b'/');
        }
        end
    }

    fn byte(&self, at: usize) -> Option<u8> {
        match self.input.get(at) {
            Some(b'\\') if self.separators == Separators::SlashAndBackslash => Some(b'/'),
            byte => byte.copied(),
        }
    }

    fn is_slash(&self, at: usize) -> bool {
        self.byte(at) == Some(b'/')
    }

    fn is_relative(&self) -> bool {
        !self.is_slash(0)
    }
}
