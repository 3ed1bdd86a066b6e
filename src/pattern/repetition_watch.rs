//! Tells, before a search, whether the counted repetitions of a pattern would make it slow.
//!
//! An automaton takes a byte in constant time as long as the combinations of states that the input drives it through fit in its memory. Counted
//! repetitions can make them many: `a.{1,128}c` may have 128 repetitions under way at once, and then the automata behind a search follow
//! them one by one. So a small automaton runs first: it finds that there is no match, that there may be one, or that its memory does not suffice,
//! and the search is paid for.
//!
//! What it finds depends on the input alone. Memory that earlier inputs filled is used again only as long as nothing has to be thrown out of it:
//! an empty memory would have sufficed for the same input, too.

use super::effort::Effort;
use super::error::LimitExceeded;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::{Input, MatchError, MatchErrorKind};
use regex_syntax::hir::Hir;

/// The memory of the automaton, in bytes.
const MEMORY: usize = 256 * 1024;

/// How often it may be emptied within a search, and how many bytes it must have read for each of its states: beyond that the input drives it
/// through ever new combinations of states.
const MAX_CLEARS: usize = 4;
const MIN_BYTES_OF_STATE: usize = 16;

/// The automaton, with memory that searches share.
#[derive(Debug)]
pub(super) struct RepetitionWatch {
    automaton: DFA,
    memory: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>>,
}

impl RepetitionWatch {
    /// An automaton of this structure; `None` where it cannot be built. With `utf`, matches of no byte lie between characters.
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

    /// Returns `true` if there may be a match at or after `start`. Where the memory does not suffice to find out, a search must be allowed that
    /// takes `work_of_byte` for each byte that is left.
    ///
    /// # Errors
    /// When it is not.
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

    /// What searching an input takes beyond looking at each byte.
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
