//! The engine that takes linear time: a pattern, or a relaxed form of it, as automata.
//!
//! Compiling a pattern checks its syntax, and reads off its [`Hir`] what can be answered without a search. The automata are built at load
//! ([`Automata::prepare`]), or by the first search.

use super::backtrack;
use super::effort::Effort;
use super::error::{LimitExceeded, PatternError};
use super::line_start;
use super::lower;
use super::nfa;
use super::parser::parse;
use super::prefix::{AnchoredPrefix, ContainedLiteral, matches_everything};
use super::program::{Program, compile};
use super::searcher::{self, Searcher};
use super::tree::Syntax;
use regex_automata::Input;
use regex_automata::nfa::thompson::{NFA, WhichCaptures, pikevm::PikeVM};
use regex_syntax::hir::{Hir, HirKind};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Up to this many states from counted repetitions cost no extra work: the lazy DFA soon holds all their combinations.
const FREE_REPEATED: usize = 32;

/// Maximum nesting of a pattern whose automata are built at load.
const MAX_PREPARED_LEVELS: usize = 100;

/// Units of work for each input byte and each state from counted repetitions, if all those states are active at once.
const WORK_OF_REPEATED: usize = 16;

/// Source of the automata. The [`Hir`] is large and seldom needed again, so it is not kept: the source is parsed again.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub source: Arc<[u8]>,
    pub case_insensitive: bool,
    /// `true` if the automata are of the relaxed form.
    pub relaxed: bool,
}

/// A pattern that is searched in linear time.
#[derive(Debug)]
pub(super) struct Automata {
    origin: Origin,
    /// Approximate number of states.
    pub size: usize,
    /// Units of work for an input byte if all counted repetitions are active.
    work_of_repeated: usize,
    /// `true` if the pattern has large counted repetitions: the work of a search is limited.
    has_repetitions: bool,
    traits: Traits,
    searcher: OnceLock<Option<Searcher>>,
    /// For patterns whose match may end with `^`: the slower engine that implements PCRE's line start.
    exact_line_start: Option<OnceLock<Option<PikeVM>>>,
    /// For groups within repetitions of which an iteration may be empty: the program that captures what PCRE captures in the last iteration.
    exact_captures: Option<OnceLock<Option<Program>>>,
}

/// Properties of a pattern that its searches read before they begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traits {
    /// Number of states that counted repetitions add.
    pub repeated: usize,
    pub prefix: Option<AnchoredPrefix>,
    pub contained: Option<ContainedLiteral>,
    /// `true` if the pattern matches every input as a whole.
    pub matches_everything: bool,
    /// `true` if a match may end with `^`.
    pub may_end_with_line_start: bool,
    /// `true` if a group is within a repetition of which an iteration may be empty.
    pub captures_empty_rounds: bool,
    /// `true` if an empty match between the bytes of a character does not count.
    pub utf: bool,
}

impl Traits {
    fn of(hir: &Hir, size: &Size, utf: bool) -> Self {
        let repeated = size.expanded.saturating_sub(size.plain);
        Self {
            repeated,
            prefix: AnchoredPrefix::of(hir),
            // The work of patterns with large repetitions is counted by the search.
            contained: if repeated > FREE_REPEATED { None } else { ContainedLiteral::of(hir) },
            matches_everything: matches_everything(hir),
            may_end_with_line_start: line_start::may_end_a_match(hir),
            captures_empty_rounds: captures_empty_rounds(hir, false),
            utf,
        }
    }
}

impl Origin {
    pub(super) fn exact(source: &Arc<[u8]>, case_insensitive: bool) -> Self {
        Self { source: Arc::clone(source), case_insensitive, relaxed: false }
    }

    fn syntax(&self) -> Option<Syntax> {
        parse(&self.source, self.case_insensitive).ok()
    }

    fn hir(&self) -> Option<Hir> {
        let syntax = self.syntax()?;
        self.hir_of(&syntax)
    }

    fn hir_of(&self, syntax: &Syntax) -> Option<Hir> {
        if self.relaxed { lower::relaxed(syntax) } else { lower::exact(syntax) }
    }

    fn nfa(&self) -> Option<NFA> {
        let syntax = self.syntax()?;
        let built = if self.relaxed { None } else { nfa::build(&syntax) };
        built.or_else(|| nfa_of(&self.hir_of(&syntax)?, syntax.utf))
    }
}

impl Automata {
    /// Prepares the automata of a pattern of at most `max_size` states.
    ///
    /// # Errors
    /// If it has more states.
    pub(super) fn new(origin: Origin, hir: &Hir, utf: bool, max_size: usize) -> Result<Self, PatternError> {
        let size = Size::of(hir);
        if size.expanded > max_size {
            return Err(PatternError::too_large());
        }
        Ok(Self::with_traits(origin, size.expanded, Traits::of(hir, &size, utf)))
    }

    /// Prepares the automata of a pattern of which everything is known that is read off its `Hir`.
    pub(super) fn with_traits(origin: Origin, size: usize, traits: Traits) -> Self {
        Self {
            origin,
            size,
            work_of_repeated: traits.repeated.saturating_mul(WORK_OF_REPEATED),
            has_repetitions: traits.repeated > FREE_REPEATED,
            searcher: OnceLock::new(),
            exact_line_start: traits.may_end_with_line_start.then(OnceLock::new),
            exact_captures: traits.captures_empty_rounds.then(OnceLock::new),
            traits,
        }
    }

    pub(super) const fn traits(&self) -> &Traits {
        &self.traits
    }

    /// As [`prepare`](Self::prepare), without a `Hir`.
    pub(super) fn build(&self) {
        if self.searcher.get().is_none()
            && let Some(hir) = self.origin.hir()
        {
            self.prepare(&hir);
        }
    }

    /// Builds the automata before the first search. Building them recurses as deeply as the pattern nests, more deeply than anything else that a load
    /// does, so those of patterns that nest deeply are left to the first search.
    pub(super) fn prepare(&self, hir: &Hir) {
        if !nests_within(hir, MAX_PREPARED_LEVELS) {
            return;
        }
        self.searcher.get_or_init(|| Searcher::new(nfa_of(hir, self.traits.utf)?, self.has_repetitions));
    }

    /// Fails if the automata cannot be built, which all checks should exclude: a pattern that was never searched must not look like one without a
    /// match.
    fn searcher(&self) -> Result<&Searcher, LimitExceeded> {
        let build = || Searcher::new(self.origin.nfa()?, self.has_repetitions);
        self.searcher.get_or_init(build).as_ref().ok_or(LimitExceeded)
    }

    fn exact<'a>(&self, exact: &'a OnceLock<Option<PikeVM>>) -> Result<&'a PikeVM, LimitExceeded> {
        exact.get_or_init(|| exact_automaton(&self.origin.hir()?, self.traits.utf)).as_ref().ok_or(LimitExceeded)
    }

    /// Returns the searcher, and the part of `input` in which matches may start, if there may be a match.
    ///
    /// # Errors
    /// If the counted repetitions make a search of this input too slow.
    fn may_match<'i>(&self, input: Input<'i>, effort: &mut Effort) -> Result<Option<(Input<'i>, &Searcher)>, LimitExceeded> {
        let searcher = self.searcher()?;
        let input = if self.has_repetitions {
            let charge =
                |bytes: usize| if effort.allows(bytes.saturating_mul(self.work_of_repeated)) { Ok(()) } else { Err(LimitExceeded) };
            searcher.may_match(&input, charge)?.then_some(input)
        } else {
            searcher.skip(input, || self.origin.hir())
        };
        Ok(input.map(|input| (input, searcher)))
    }

    /// Returns the position of the first match in the span of `input`, with the searcher.
    fn find(&self, input: Input<'_>, effort: &mut Effort) -> Result<Option<(Range<usize>, &Searcher)>, LimitExceeded> {
        let Some((input, searcher)) = self.may_match(input, effort)? else { return Ok(None) };
        Ok(searcher.find(&input, || self.origin.hir()).map(|found| (found, searcher)))
    }

    pub(super) fn is_match(&self, input: &[u8], effort: &mut Effort) -> Result<bool, LimitExceeded> {
        let traits = &self.traits;
        let decided = traits.matches_everything.then_some(true).or_else(|| traits.prefix.as_ref()?.decide(input));
        if let Some(answer) = decided.or_else(|| traits.contained.as_ref()?.decide(input)) {
            return Ok(answer);
        }
        let search = Input::new(input);
        let Some(exact) = self.exact_line_start.as_ref().filter(|_| input.ends_with(b"\n")) else {
            return Ok(self.may_match(search, effort)?.is_some_and(|(input, searcher)| searcher.is_match(input)));
        };
        match self.find(search, effort)? {
            Some((found, _)) if found.end == input.len() => {
                let exact = self.exact(exact)?;
                Ok(exact.is_match(&mut exact.create_cache(), input))
            }
            found => Ok(found.is_some()),
        }
    }

    /// Returns the start of the first match at or after `start`. A line start at the very end counts too.
    pub(super) fn start_of_match(&self, input: &[u8], start: usize, effort: &mut Effort) -> Result<Option<usize>, LimitExceeded> {
        if start == 0 && self.traits.prefix.as_ref().and_then(|prefix| prefix.decide(input)) == Some(false) {
            return Ok(None);
        }
        Ok(self.find(Input::new(input).range(start..), effort)?.map(|(found, _)| found.start))
    }

    /// Finds the first match at or after `start` and its groups, of which there are `count`.
    pub(super) fn captures(
        &self,
        input: &[u8],
        start: usize,
        count: usize,
        groups: &mut Vec<Option<Range<usize>>>,
        effort: &mut Effort,
    ) -> Result<bool, LimitExceeded> {
        if start == 0 && self.traits.prefix.as_ref().and_then(|prefix| prefix.decide(input)) == Some(false) {
            return Ok(false);
        }
        if start == 0 && self.traits.matches_everything {
            groups.clear();
            groups.push(Some(0..input.len()));
            return Ok(true);
        }
        let search = Input::new(input).range(start..);
        // A search without a match allocates nothing.
        let Some((found, searcher)) = self.find(search.clone(), effort)? else { return Ok(false) };
        let ends_at_a_newline = found.end == input.len() && input.ends_with(b"\n");
        let exact = self.exact_line_start.as_ref().filter(|_| ends_at_a_newline);
        if count == 0 && exact.is_none() {
            groups.clear();
            groups.push(Some(found));
            return Ok(true);
        }
        // If the program exceeds its limit, the captures of the automata are used.
        if let Some(program) = &self.exact_captures
            && let Some(program) = program.get_or_init(|| compile(&self.origin.syntax()?).ok())
            && backtrack::search(program, input, (start, found.start), None, 0, effort, groups) == Ok(true)
        {
            return Ok(true);
        }
        // Finding captures follows all states.
        if self.has_repetitions && !effort.allows(found.len().saturating_mul(self.work_of_repeated)) {
            return Err(LimitExceeded);
        }
        let mut slots = vec![None; count.saturating_add(1).saturating_mul(2)];
        let matched = match exact {
            None => searcher.groups(&search, found, &mut slots),
            Some(exact) => {
                let exact = self.exact(exact)?;
                searcher::follow_states(exact, &mut exact.create_cache(), &search, &mut slots)
            }
        };
        if matched {
            groups.clear();
            groups.extend(slots.chunks_exact(2).map(searcher::range));
        }
        Ok(matched)
    }
}

fn exact_automaton(hir: &Hir, utf: bool) -> Option<PikeVM> {
    PikeVM::new_from_nfa(line_start::as_in_pcre(&nfa_of(hir, utf)?)?).ok()
}

/// Builds the NFA of a `Hir`. With `utf`, empty matches between the bytes of a character do not count.
fn nfa_of(hir: &Hir, utf: bool) -> Option<NFA> {
    let config = NFA::config().utf8(utf).which_captures(WhichCaptures::All);
    NFA::compiler().configure(config).build_from_hir(hir).ok()
}

/// The approximate number of states of a pattern.
struct Size {
    /// With its repetitions written out.
    expanded: usize,
    /// With each repetition counted as a single iteration.
    plain: usize,
}

impl Size {
    /// The depth of the recursion is bounded by the nesting limit of the parser.
    fn of(hir: &Hir) -> Self {
        let same = |count| Self { expanded: count, plain: count };
        match hir.kind() {
            HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => same(1),
            HirKind::Literal(literal) => same(literal.0.len()),
            HirKind::Capture(capture) => same(2).plus(&Self::of(&capture.sub)),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().fold(same(1), |sum, part| sum.plus(&Self::of(part))),
            HirKind::Repetition(repetition) => {
                let times = repetition.max.unwrap_or(repetition.min).max(1);
                let Self { expanded, plain } = Self::of(&repetition.sub);
                Self { expanded: expanded.saturating_mul(usize::try_from(times).unwrap_or(usize::MAX)), plain }
            }
        }
    }

    const fn plus(self, other: &Self) -> Self {
        Self { expanded: self.expanded.saturating_add(other.expanded), plain: self.plain.saturating_add(other.plain) }
    }
}

/// Returns `true` if a pattern has at most so many levels.
fn nests_within(hir: &Hir, levels: usize) -> bool {
    levels.checked_sub(1).is_some_and(|levels| hir.kind().subs().iter().all(|part| nests_within(part, levels)))
}

/// Returns `true` if a group is within a repetition of which an iteration may be empty.
fn captures_empty_rounds(hir: &Hir, within: bool) -> bool {
    if hir.properties().explicit_captures_len() == 0 {
        return false;
    }
    match hir.kind() {
        HirKind::Capture(capture) => within || captures_empty_rounds(&capture.sub, within),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(|part| captures_empty_rounds(part, within)),
        HirKind::Repetition(repetition) => {
            let repeats = repetition.max.is_none_or(|max| max > 1);
            let may_be_empty = repetition.sub.properties().minimum_len() == Some(0);
            captures_empty_rounds(&repetition.sub, within || (repeats && may_be_empty))
        }
        _ => false,
    }
}
