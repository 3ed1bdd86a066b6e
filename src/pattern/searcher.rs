//! The automata of a pattern, and the searches with them.
//!
//! A lazy DFA answers most searches: it says that there is no match, or where the first one ends. Its NFA is built in a tenth of the time that
//! `regex_automata::meta` takes, which also makes a reverse NFA, extracts literals and tries other automata. Here these are made by the first match that
//! needs them, and most patterns never match.
//!
//! States of the DFA are made when a search first enters them, and are kept. The OWASP CRS has patterns of thousands of NFA states, of which the values
//! of many different requests use about a megabyte of DFA states. So the cache may grow to that: a smaller one would be filled again and again. The
//! caches of all patterns together have a limit (`search_caches.rs`).
//!
//! # Counted repetitions
//!
//! With large counted repetitions an input can keep entering new states: `a.{1,128}c` may have 128 repetitions active at once. Then the DFA gives up,
//! and the search follows the NFA states one by one. That work depends on the input alone, not on earlier searches ([`Searcher::may_match`]): if the cache
//! is full, an empty one must be too small as well.

use super::error::LimitExceeded;
use super::search_caches::{CachePool, Caches, pool};
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::backtrack::BoundedBacktracker;
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::util::prefilter::Prefilter;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Anchored, Input, MatchError, MatchErrorKind, MatchKind, dfa::onepass};
use regex_syntax::hir::Hir;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Maximum size of the cache of a lazy DFA, in bytes.
const CACHE: usize = 1 << 20;
/// The same for a pattern with large counted repetitions. An input that fills it without reading `BYTES_OF_STATE` bytes for each state is given up.
const CACHE_OF_REPETITIONS: usize = 5 << 18;

/// Minimum number of bytes that a search must read for each state, once the cache was filled.
const BYTES_OF_STATE: usize = 10;
const BYTES_OF_REPEATED_STATE: usize = 16;

/// In inputs of at least so many bytes, the literals that matches begin with are searched for first. Of patterns of more states they take too long to
/// extract.
const MIN_LENGTH_FOR_PREFILTER: usize = 8_192;
const MAX_STATES_OF_PREFILTER: usize = 200;

/// The automaton that finds the start of a match is built for patterns of at most so many states, or for longer inputs.
const MAX_STATES_OF_REVERSE: usize = 500;
const MAX_BACKTRACKED: usize = 128;

/// The automata of one pattern, with caches that searches share.
#[derive(Debug)]
pub(super) struct Searcher {
    nfa: NFA,
    forward: Arc<DFA>,
    /// Finds the start of a match.
    reverse: OnceLock<Option<DFA>>,
    /// Finds places where a match may start.
    prefilter: OnceLock<Option<Prefilter>>,
    one_pass: OnceLock<Option<onepass::DFA>>,
    backtracker: BoundedBacktracker,
    stepper: PikeVM,
    caches: CachePool,
}

/// Positions of a match and its groups: two for each.
type Slots = [Option<NonMaxUsize>];

impl Searcher {
    /// Builds the automata of a pattern; `None` if they cannot be built.
    pub(super) fn new(nfa: NFA, has_repetitions: bool) -> Option<Self> {
        let (capacity, clears, bytes) = match has_repetitions {
            true => (CACHE_OF_REPETITIONS, 0, BYTES_OF_REPEATED_STATE),
            false => (CACHE, 1, BYTES_OF_STATE),
        };
        let config = DFA::config()
            .unicode_word_boundary(true)
            .cache_capacity(capacity)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(clears))
            .minimum_bytes_per_state(Some(bytes));
        let forward = Arc::new(DFA::builder().configure(config).build_from_nfa(nfa.clone()).ok()?);
        Some(Self {
            caches: pool(Arc::clone(&forward)),
            forward,
            reverse: OnceLock::new(),
            prefilter: OnceLock::new(),
            one_pass: OnceLock::new(),
            backtracker: BoundedBacktracker::new_from_nfa(nfa.clone()).ok()?,
            stepper: PikeVM::new_from_nfa(nfa.clone()).ok()?,
            nfa,
        })
    }

    fn with_caches<T>(&self, search: impl FnOnce(&mut Caches) -> T) -> T {
        let mut caches = self.caches.get();
        let result = search(&mut caches);
        caches.end_search(&self.forward);
        result
    }

    /// Skips the part of a long input in which no match starts; `None` if there is no match at all. `hir` returns the pattern again.
    pub(super) fn skip<'i>(&self, input: Input<'i>, hir: impl FnOnce() -> Option<Hir>) -> Option<Input<'i>> {
        if input.get_span().len() < MIN_LENGTH_FOR_PREFILTER {
            return Some(input);
        }
        let is_small = self.nfa.states().len() <= MAX_STATES_OF_PREFILTER && !self.nfa.is_always_start_anchored();
        let build = || if is_small { Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, &hir()?) } else { None };
        let Some(prefilter) = self.prefilter.get_or_init(build) else { return Some(input) };
        let found = prefilter.find(input.haystack(), input.get_span())?;
        Some(input.clone().range(found.start..input.end()))
    }

    /// Returns `true` if there may be a match, for a pattern with large counted repetitions. If the input keeps entering new states, `charge` is called
    /// with the number of bytes that are left.
    ///
    /// # Errors
    /// Those of `charge`.
    pub(super) fn may_match(
        &self,
        input: &Input<'_>,
        charge: impl FnOnce(usize) -> Result<(), LimitExceeded>,
    ) -> Result<bool, LimitExceeded> {
        let input = input.clone().earliest(true);
        let found = self.with_caches(|caches| {
            let mut found = self.forward.try_search_fwd(&mut caches.forward, &input);
            let is_too_small = |found: &Result<_, MatchError>, cache: &Cache| found.is_err() || cache.clear_count() > 0;
            if !caches.is_fresh && is_too_small(&found, &caches.forward) {
                caches.forward.reset(&self.forward);
                found = self.forward.try_search_fwd(&mut caches.forward, &input);
            }
            caches.is_fresh = is_too_small(&found, &caches.forward);
            if caches.is_fresh {
                caches.forward.reset(&self.forward);
            }
            found
        });
        match found {
            Ok(found) => Ok(found.is_some()),
            Err(error) => {
                let rest = match error.kind() {
                    MatchErrorKind::GaveUp { offset } => input.end().saturating_sub(*offset),
                    _ => input.haystack().len(),
                };
                charge(rest).map(|()| true)
            }
        }
    }

    /// Returns `true` if there is a match.
    pub(super) fn is_match(&self, input: Input<'_>) -> bool {
        let input = input.earliest(true);
        self.with_caches(|caches| {
            caches.is_fresh = false;
            match self.forward.try_search_fwd(&mut caches.forward, &input) {
                Ok(found) => found.is_some(),
                Err(_) => self.follow(caches, &input, &mut []),
            }
        })
    }

    /// Returns the position of the first match. `hir` returns the pattern again.
    pub(super) fn find(&self, input: &Input<'_>, hir: impl FnOnce() -> Option<Hir>) -> Option<Range<usize>> {
        self.with_caches(|caches| {
            caches.is_fresh = false;
            match self.forward.try_search_fwd(&mut caches.forward, input) {
                Ok(found) => found.and_then(|end| self.find_start(caches, &input.clone().range(input.start()..end.offset()), hir)),
                Err(_) => self.find_slowly(caches, input),
            }
        })
    }

    /// Returns the position of the first match, which ends at the end of the input.
    fn find_start(&self, caches: &mut Caches, input: &Input<'_>, hir: impl FnOnce() -> Option<Hir>) -> Option<Range<usize>> {
        let (start, end) = (input.start(), input.end());
        if start == end || self.nfa.is_always_start_anchored() {
            return Some(start..end);
        }
        if self.nfa.states().len() > MAX_STATES_OF_REVERSE && end - start <= MAX_BACKTRACKED && self.reverse.get().is_none() {
            return self.find_slowly(caches, input);
        }
        let build = || {
            let config = NFA::config().utf8(self.nfa.is_utf8()).which_captures(WhichCaptures::None).reverse(true);
            let nfa = NFA::compiler().configure(config).build_from_hir(&hir()?).ok()?;
            let config = self.forward.get_config().clone().match_kind(MatchKind::All);
            DFA::builder().configure(config).build_from_nfa(nfa).ok()
        };
        let found = self.reverse.get_or_init(build).as_ref().and_then(|reverse| {
            let cache = caches.reverse.get_or_insert_with(|| Cache::new(reverse));
            reverse.try_search_rev(cache, &input.clone().anchored(Anchored::Yes)).ok()?
        });
        match found {
            Some(found) => Some(found.offset()..end),
            None => self.find_slowly(caches, input),
        }
    }

    fn find_slowly(&self, caches: &mut Caches, input: &Input<'_>) -> Option<Range<usize>> {
        let mut slots = [None; 2];
        self.follow(caches, input, &mut slots);
        range(&slots)
    }

    /// Fills in the groups of a match whose position is known.
    pub(super) fn groups(&self, input: &Input<'_>, found: Range<usize>, slots: &mut Slots) -> bool {
        let build =
            || onepass::DFA::builder().configure(onepass::DFA::config().size_limit(Some(CACHE))).build_from_nfa(self.nfa.clone()).ok();
        let input = input.clone().range(found).anchored(Anchored::Yes);
        self.with_caches(|caches| match self.one_pass.get_or_init(build) {
            Some(one_pass) => {
                let cache = caches.one_pass.get_or_insert_with(|| one_pass.create_cache());
                one_pass.try_search_slots(cache, &input, slots).is_ok_and(|found| found.is_some())
            }
            None => self.follow(caches, &input, slots),
        })
    }

    /// Searches by following the states of the NFA, and fills in the slots of the first match. Returns `true` if there is one.
    fn follow(&self, caches: &mut Caches, input: &Input<'_>, slots: &mut Slots) -> bool {
        if input.get_span().len() <= self.backtracker.max_haystack_len() {
            let cache = caches.backtracker.get_or_insert_with(|| self.backtracker.create_cache());
            if let Ok(found) = self.backtracker.try_search_slots(cache, input, slots) {
                return found.is_some();
            }
        }
        let cache = caches.stepper.get_or_insert_with(|| self.stepper.create_cache());
        follow_states(&self.stepper, cache, input, slots)
    }
}

/// Follows all states of an NFA at once. A group within a repetition of zero times has no slots in the NFA, and the search may not be given more slots
/// than that.
pub(super) fn follow_states(stepper: &PikeVM, cache: &mut pikevm::Cache, input: &Input<'_>, slots: &mut Slots) -> bool {
    let known = slots.len().min(stepper.get_nfa().group_info().slot_len());
    slots.get_mut(..known).is_some_and(|slots| stepper.search_slots(cache, input, slots).is_some())
}

/// Returns the range between two slots.
pub(super) fn range(pair: &Slots) -> Option<Range<usize>> {
    match pair {
        [Some(from), Some(to)] => Some(from.get()..to.get()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Effort, Pattern, PatternOptions};

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
