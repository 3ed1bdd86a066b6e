//! Lines of a multipart body that may be boundaries, found while the body arrives.

use super::boundary::{self, delimiter};
use super::flags::MultipartFlags;
use memchr::{memmem, memrchr};

/// Minimum number of bytes that arrive between two searches.
const STEP: usize = 16 << 10;

/// The most lines that are remembered. A body with more of them is read line by line from there on.
const MAX_LINES: usize = 4096;

/// Lines that begin with two hyphens, and lines in which the boundary occurs. The parser reads no others of the data of a part.
#[derive(Debug)]
pub struct BoundaryCandidates {
    /// Finds two hyphens and the boundary.
    delimiter: memmem::Finder<'static>,
    /// Finds the end of a line before one that begins with two hyphens.
    hyphens: memmem::Finder<'static>,
    /// The offsets of the lines, in their order.
    lines: Vec<usize>,
    /// The number of bytes that were searched.
    searched: usize,
    /// The lines before this offset are known: it is the start of the last line, or of the first one that is not remembered.
    known: usize,
    /// `true` if there were too many lines, or there is no boundary.
    is_full: bool,
}

impl BoundaryCandidates {
    /// Begins the search in a body with this `Content-Type`. If that names no boundary, nothing is searched for.
    pub fn new(content_type: &[u8]) -> Self {
        let boundary = boundary::parse(Some(content_type), &mut MultipartFlags::default(), &mut Vec::new()).unwrap_or_default();
        let delimiter = memmem::Finder::new(&delimiter(boundary)).into_owned();
        let hyphens = memmem::Finder::new(b"\n--").into_owned();
        Self { delimiter, hyphens, lines: vec![0], searched: 0, known: 0, is_full: boundary.is_empty() }
    }

    /// Searches the bytes that have arrived since the last search, if they are enough. `body` is the body so far.
    pub fn read(&mut self, body: &[u8]) {
        if body.len() >= self.searched + STEP {
            self.finish(body);
        }
    }

    /// Searches all bytes that have arrived since the last search.
    pub fn finish(&mut self, body: &[u8]) {
        if self.is_full || body.len() <= self.searched {
            return;
        }
        let room = MAX_LINES.saturating_sub(self.lines.len());
        let mut found: Vec<usize> = self.with_hyphens(body).chain(self.with_boundary(body).take(room + 1)).collect();
        found.sort_unstable();
        found.dedup();
        if let Some(at) = memrchr(b'\n', body.get(self.searched..).unwrap_or_default()) {
            self.known = self.searched + at + 1;
        }
        if let Some(first) = found.get(room) {
            (self.known, self.is_full) = (*first, true);
        }
        self.lines.extend(found.into_iter().take(room));
        self.searched = body.len();
    }

    /// Returns the next line from the one at `start` on that the parser must read.
    pub(super) fn next(&self, start: usize) -> usize {
        let place = self.lines.partition_point(|line| *line < start);
        let next = self.lines.get(place).map_or(self.known, |line| self.known.min(*line));
        next.max(start)
    }

    /// Returns `true` if these are the lines of bodies with this delimiter.
    pub(super) fn are_of(&self, delimiter: &[u8]) -> bool {
        self.delimiter.needle() == delimiter
    }

    /// Returns the lines with two hyphens at their beginning, of which a byte is new.
    fn with_hyphens(&self, body: &[u8]) -> impl Iterator<Item = usize> {
        let from = self.searched.saturating_sub(self.hyphens.needle().len() - 1);
        let room = MAX_LINES + 1;
        self.hyphens.find_iter(body.get(from..).unwrap_or_default()).map(move |at| from + at + 1).take(room)
    }

    /// Returns the lines in which the boundary occurs, if a byte of it is new; a line may come several times.
    fn with_boundary(&self, body: &[u8]) -> impl Iterator<Item = usize> {
        let from = self.searched.saturating_sub(self.delimiter.needle().len() - 1);
        let (mut line, mut read) = (self.known, self.searched);
        self.delimiter.find_iter(body.get(from..).unwrap_or_default()).map(move |at| {
            let end = (from + at).max(read);
            if let Some(at) = memrchr(b'\n', body.get(read..end).unwrap_or_default()) {
                line = read + at + 1;
            }
            read = end;
            line
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Multipart, MultipartLimits};
    use super::*;
    use proptest::prelude::*;

    const TYPE: &[u8] = b"multipart/form-data; boundary=cut";

    #[test]
    fn lines_are_found_wherever_chunks_end() {
        let body = b"--cut\r\na: b\r\n\r\none\r\n--two\r\nthree --cut\r\nfour\r\n--cut--";
        for first in 0..body.len() {
            for second in first..body.len() {
                let mut candidates = BoundaryCandidates::new(TYPE);
                [first, second, body.len()].iter().for_each(|end| candidates.finish(&body[..*end]));
                let mut lines = candidates.lines.clone();
                lines.dedup();
                assert_eq!(lines, [0, 20, 27, 46], "{first} {second}");
                assert_eq!([1, 20, 21, 28, 46].map(|start| candidates.next(start)), [20, 20, 27, 46, 46]);
            }
        }
    }

    #[test]
    fn a_body_with_very_many_of_them_is_read_line_by_line() {
        let body = "--x\r\n".repeat(2 * MAX_LINES);
        let mut candidates = BoundaryCandidates::new(TYPE);
        candidates.finish(body.as_bytes());
        assert_eq!((candidates.lines.len(), candidates.known), (MAX_LINES, 5 * MAX_LINES));
        assert_eq!(candidates.next(5 * MAX_LINES + 1), 5 * MAX_LINES + 1);
    }

    proptest! {
        #[test]
        fn a_body_is_read_alike_with_and_without_them(
            pieces in proptest::collection::vec(
                "(--cut\r\n|--cut--\r\n|--cut|\r\n|\n|Content-Disposition: form-data; name=a|; filename=\"x|b: c\r\n| d\r\n|-|--|e|\r){0,12}", 0..6),
        ) {
            let body = pieces.concat().into_bytes();
            let mut candidates = BoundaryCandidates::new(TYPE);
            let mut arrived = 0;
            for piece in &pieces {
                arrived += piece.len();
                candidates.finish(&body[..arrived]);
            }
            let limits = MultipartLimits::default();
            let whole = Multipart::parse(Some(TYPE), &body, &limits, None);
            prop_assert_eq!(Multipart::parse(Some(TYPE), &body, &limits, Some(&candidates)), whole);
        }
    }
}
