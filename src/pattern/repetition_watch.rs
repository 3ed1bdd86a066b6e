//! Predicts, before a search, if the counted repetitions of a pattern would make it slow.
//!
//! A lazy DFA takes constant time for a byte as long as the state sets that the input leads to fit in its cache. Counted repetitions can make them
//! many: `a.{1,128}c` may have 128 repetitions active at once, and then the search falls back to engines that follow them one by one. So a small DFA
//! runs first. It finds that there is no match, that there may be one, or that its cache is too small; then the search is charged to the effort.
//!
//! The result depends on the input alone. A cache that earlier inputs filled is reused only as long as it need not be cleared: for the same input an
//! empty cache would have been large enough, too.

use super::effort::Effort;
use super::error::LimitExceeded;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::{Input, MatchError, MatchErrorKind};
use regex_syntax::hir::Hir;

/// Size of the cache, in bytes.
const MEMORY: usize = 256 * 1024;

/// Maximum number of times that a search may clear the cache, and minimum number of bytes read for each state. Beyond these, the input keeps
/// producing new state sets.
const MAX_CLEARS: usize = 4;
const MIN_BYTES_OF_STATE: usize = 16;

/// The DFA, with caches that searches share.
#[derive(Debug)]
pub(super) struct RepetitionWatch {
    automaton: DFA,
    memory: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>>,
}

impl RepetitionWatch {
    /// Builds the DFA of this structure; `None` if it cannot be built. With `utf`, empty matches between the bytes of a character do not count.
    pub(super) fn new(structure: &Hir, utf: bool) -> Option<Self> {
        let nfa = NFA::compiler().configure(NFA::config().utf8(utf).which_captures(WhichCaptures::None)).build_from_hir(structure).ok()?;
        let config = DFA::config()
            .cache_capacity(MEMORY)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(MAX_CLEARS))
            .minimum_bytes_per_state(Some(MIN_BYTES_OF_STATE));
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        let of = automaton.clone();
        Some(Self { automaton, memory: Pool::new(Box::new(move || Cache::new(&of))) })
    }

    /// Returns `true` if there may be a match at or after `start`. If the cache is too small to find out, charges `work_of_byte` for each remaining
    /// byte to `effort`.
    ///
    /// # Errors
    /// If `effort` does not allow that.
    pub(super) fn may_match(&self, input: &[u8], start: usize, work_of_byte: usize, effort: &mut Effort) -> Result<bool, LimitExceeded> {
        let rest = match self.search(input, start) {
            Ok(found) => return Ok(found),
            Err(error) => match error.kind() {
                MatchErrorKind::GaveUp { offset } => input.len().saturating_sub(*offset),
                _ => input.len(),
            },
        };
        if effort.allows(rest.saturating_mul(work_of_byte)) { Ok(true) } else { Err(LimitExceeded) }
    }

    fn search(&self, input: &[u8], start: usize) -> Result<bool, MatchError> {
        let search = Input::new(input).span(start..input.len()).earliest(true);
        let mut cache = self.memory.get();
        let mut found = self.automaton.try_search_fwd(&mut cache, &search);
        if cache.clear_count() > 0 {
            cache.reset(&self.automaton);
            found = self.automaton.try_search_fwd(&mut cache, &search);
            if cache.clear_count() > 0 {
                cache.reset(&self.automaton);
            }
        }
        found.map(|found| found.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Pattern, PatternOptions};
    use super::*;

    /// Returns the work of searching an input beyond reading each byte.
    fn effort(pattern: &Pattern, input: &[u8]) -> usize {
        let mut effort = Effort::default();
        pattern.is_match(input, &mut effort).unwrap();
        effort.used
    }

    #[test]
    fn what_a_search_takes_does_not_depend_on_those_before_it() {
        let compiled = || Pattern::compile(b"a[ab]{200}c|x.{1,300}y", PatternOptions::default()).unwrap();
        let (pattern, mut bits) = (compiled(), 7_u64);
        let mut noise = || {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if bits >> 40 & 1 == 0 { b'a' } else { b'b' }
        };
        let mut inputs: Vec<Vec<u8>> = [10, 300, 3_000, 12_000].map(|length| (0..length).map(|_| noise()).collect()).to_vec();
        inputs.push(b"x marks the spot ".repeat(100));
        let mut costly = 0;
        for input in inputs.iter().chain(inputs.iter().rev()) {
            let alone = effort(&compiled(), input);
            costly += usize::from(alone > 0);
            assert_eq!(effort(&pattern, input), alone, "{} bytes", input.len());
        }
        assert!(costly >= 2, "{costly}");
    }
}
