//! A compiled pattern.

use super::automata::{Automata, Origin, Traits};
use super::backtrack;
use super::byte_set::ByteSet;
use super::effort::Effort;
use super::error::{LimitExceeded, PatternError};
use super::lower;
use super::parser::parse;
use super::prefix::first_bytes;
use super::program::{Program, compile};
use regex_syntax::hir::Hir;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Options for compiling a pattern; the default is that of `@rx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatternOptions {
    /// `true` if ASCII letters match in either case, as in key selectors (`ARGS:/re/`).
    pub case_insensitive: bool,
    /// Maximum number of backtracking steps of one search (`SecPcreMatchLimit`), in addition to 64 for each byte of the input.
    pub step_limit: usize,
    /// Maximum number of states of a pattern with its repetitions written out.
    pub max_size: usize,
}

impl Default for PatternOptions {
    fn default() -> Self {
        Self { case_insensitive: false, step_limit: 1_000_000, max_size: 2_000_000 }
    }
}

/// The kind of engine that runs a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// Automata, in time linear in the input.
    Linear,
    /// Backtracking, with a step limit: for look-around, back-references, atomic groups, calls and verbs.
    Backtracking,
}

/// A compiled regular expression of PCRE, which matches anywhere in its input.
///
/// Patterns have the meaning that ModSecurity v3 gives them: they match bytes, or characters if they begin with `(*UTF)`; `.` matches newlines; `^`
/// and `$` match at lines.
#[derive(Debug)]
pub struct Pattern {
    source: Arc<[u8]>,
    options: PatternOptions,
    facts: PatternFacts,
    /// Of a pattern whose facts were known, made by the first search.
    matcher: OnceLock<Option<Matcher>>,
    /// Of a linear pattern whose facts were known: what else is known of it.
    traits: Option<Box<Traits>>,
}

/// Properties of a pattern that can be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatternFacts {
    /// The engine that runs it.
    pub engine: Engine,
    /// Number of capturing groups.
    pub groups: usize,
    /// Approximate number of states, with repetitions written out.
    pub size: usize,
}

#[derive(Debug)]
enum Matcher {
    Linear(Box<Automata>),
    Backtracking(Box<Backtracking>),
}

#[derive(Debug)]
struct Backtracking {
    program: Program,
    step_limit: usize,
    /// A relaxed form, searched for first. Without one every input is searched.
    relaxed: Option<Automata>,
    /// The bytes that a match may begin with.
    first_bytes: Option<ByteSet>,
}

/// A pattern is too large if its source has more than this many bytes for each allowed state.
const SOURCE_OF_STATE: usize = 2;

impl Pattern {
    /// Compiles a pattern for one use, such as one with macros expanded for a transaction.
    ///
    /// # Errors
    /// If the pattern cannot be compiled, with the place in its source.
    pub fn compile(source: &[u8], options: PatternOptions) -> Result<Self, PatternError> {
        Self::compile_with_hir(source, options).map(|(pattern, _)| pattern)
    }

    /// Compiles a pattern, and returns the [`Hir`] that was made for it, which the pattern does not keep.
    ///
    /// The `Hir` matches wherever the pattern does. It may match elsewhere: that of a backtracking pattern is relaxed, and `^` matches at the very
    /// end of the input. `None` for a backtracking pattern without a useful relaxed form, or with one that is too large.
    ///
    /// # Errors
    /// If the pattern cannot be compiled, with the place in its source.
    pub fn compile_with_hir(source: &[u8], options: PatternOptions) -> Result<(Self, Option<Hir>), PatternError> {
        let source: Arc<[u8]> = source.into();
        let (matcher, facts, hir) = Matcher::compile(&source, options)?;
        Ok((Self { source, options, facts, matcher: OnceLock::from(Some(matcher)), traits: None }, hir))
    }

    /// Makes a pattern that was compiled before, with these facts and, if it is linear, these traits as the result. Its first search builds the automata,
    /// or compiles it again if it backtracks.
    pub(crate) fn known(source: &[u8], options: PatternOptions, facts: PatternFacts, traits: Option<Traits>) -> Self {
        Self { source: source.into(), options, facts, matcher: OnceLock::new(), traits: traits.map(Box::new) }
    }

    /// Returns the traits of a linear pattern.
    pub(crate) fn traits(&self) -> Option<&Traits> {
        match self.matcher.get() {
            Some(Some(Matcher::Linear(automata))) => Some(automata.traits()),
            _ => self.traits.as_deref(),
        }
    }

    /// Builds the automata before the first search, unless the pattern nests deeply.
    pub fn prepare(&self) {
        match self.matcher() {
            Ok(Matcher::Linear(automata)) => automata.build(),
            Ok(Matcher::Backtracking(backtracking)) => backtracking.relaxed.iter().for_each(Automata::build),
            Err(LimitExceeded) => {}
        }
    }

    /// Fails if the pattern cannot be compiled, which is known to be false: a pattern that was never searched must not look like one without a match.
    fn matcher(&self) -> Result<&Matcher, LimitExceeded> {
        let compile = || {
            if let Some(traits) = &self.traits {
                let origin = Origin::exact(&self.source, self.options.case_insensitive);
                return Some(Matcher::Linear(Box::new(Automata::with_traits(origin, self.facts.size, Traits::clone(traits)))));
            }
            let (matcher, _, hir) = Matcher::compile(&self.source, self.options).ok()?;
            hir.iter().for_each(|hir| matcher.prepare(hir));
            Some(matcher)
        };
        self.matcher.get_or_init(compile).as_ref().ok_or(LimitExceeded)
    }

    /// Returns the pattern as written.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    pub(super) fn shared_source(&self) -> Arc<[u8]> {
        Arc::clone(&self.source)
    }

    /// Returns the options that it was compiled with.
    #[must_use]
    pub const fn options(&self) -> PatternOptions {
        self.options
    }

    /// Returns its properties.
    #[must_use]
    pub const fn facts(&self) -> PatternFacts {
        self.facts
    }

    /// Returns the engine that runs the pattern.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.facts.engine
    }

    /// Returns the number of capturing groups.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.facts.groups
    }

    /// Returns the approximate number of states, with repetitions written out.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.facts.size
    }

    /// Returns `true` if the pattern occurs in `input`. The work of the search beyond reading each byte once is added to `effort`.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit, or the search what `effort` allows.
    pub fn is_match(&self, input: &[u8], effort: &mut Effort) -> Result<bool, LimitExceeded> {
        match self.matcher()? {
            Matcher::Linear(automata) => automata.is_match(input, effort),
            Matcher::Backtracking(backtracking) => backtracking.search(input, 0, &mut Vec::new(), effort),
        }
    }

    /// Finds the first match at or after byte `start` of `input`. `^` and look-behind see the bytes before `start`. The work of the search beyond
    /// reading each byte once is added to `effort`.
    ///
    /// On a match `groups` holds the whole match and each capturing group, `None` for groups that took no part; otherwise it is unchanged.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit, or the search exceeds what `effort` allows.
    pub fn captures(
        &self,
        input: &[u8],
        start: usize,
        groups: &mut Vec<Option<Range<usize>>>,
        effort: &mut Effort,
    ) -> Result<bool, LimitExceeded> {
        if start > input.len() {
            return Ok(false);
        }
        match self.matcher()? {
            Matcher::Linear(automata) => automata.captures(input, start, self.facts.groups, groups, effort),
            Matcher::Backtracking(backtracking) => backtracking.search(input, start, groups, effort),
        }
    }
}

impl AsRef<Self> for Pattern {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Matcher {
    /// Compiles a pattern. Returns the facts about it, and the [`Hir`] that was made for it.
    fn compile(source: &Arc<[u8]>, options: PatternOptions) -> Result<(Self, PatternFacts, Option<Hir>), PatternError> {
        let PatternOptions { case_insensitive, step_limit, max_size } = options;
        // Parsing a pattern takes memory as well.
        if source.len() > max_size.saturating_mul(SOURCE_OF_STATE) {
            return Err(PatternError::too_large());
        }
        let syntax = parse(source, case_insensitive)?;
        let origin = Origin::exact(source, case_insensitive);
        let (matcher, hir) = match lower::exact(&syntax) {
            Some(hir) => (Self::Linear(Box::new(Automata::new(origin, &hir, syntax.utf, max_size)?)), Some(hir)),
            None => {
                let program = compile(&syntax)?;
                if program.ops.len() > max_size {
                    return Err(PatternError::too_large());
                }
                let hir = lower::relaxed(&syntax);
                let origin = Origin { relaxed: true, ..origin };
                let relaxed = hir.as_ref().and_then(|hir| Automata::new(origin, hir, syntax.utf, max_size).ok());
                // Verbs depend on where a match is tried. As in PCRE, only a single byte with which all matches begin is searched for.
                let first =
                    hir.as_ref().and_then(first_bytes).filter(|set| !program.has_verbs || (set.len() == 1 && !syntax.tries_everywhere));
                let hir = hir.filter(|_| relaxed.is_some());
                let matcher = Self::Backtracking(Box::new(Backtracking {
                    program,
                    step_limit: syntax.step_limit.map_or(step_limit, |limit| limit.min(step_limit)),
                    // A relaxed form that matches the empty string matches everywhere.
                    relaxed: relaxed.filter(|_| hir.as_ref().is_some_and(|hir| hir.properties().minimum_len() > Some(0))),
                    first_bytes: first,
                }));
                (matcher, hir)
            }
        };
        let facts = PatternFacts { engine: matcher.engine(), groups: syntax.groups, size: matcher.size() };
        Ok((matcher, facts, hir))
    }

    fn prepare(&self, hir: &Hir) {
        match self {
            Self::Linear(automata) => automata.prepare(hir),
            Self::Backtracking(backtracking) => backtracking.relaxed.iter().for_each(|automata| automata.prepare(hir)),
        }
    }

    const fn engine(&self) -> Engine {
        match self {
            Self::Linear(_) => Engine::Linear,
            Self::Backtracking(_) => Engine::Backtracking,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Linear(automata) => automata.size,
            Self::Backtracking(backtracking) => {
                let relaxed = backtracking.relaxed.as_ref().map_or(0, |relaxed| relaxed.size);
                backtracking.program.ops.len().saturating_add(relaxed)
            }
        }
    }
}

impl Backtracking {
    fn search(
        &self,
        input: &[u8],
        start: usize,
        groups: &mut Vec<Option<Range<usize>>>,
        effort: &mut Effort,
    ) -> Result<bool, LimitExceeded> {
        let mut first = start;
        if let Some(relaxed) = &self.relaxed {
            let Some(found) = relaxed.start_of_match(input, start, effort)? else { return Ok(false) };
            // There is no match before it.
            if !self.program.has_verbs && !self.program.utf {
                first = found;
            }
        }
        backtrack::search(&self.program, input, (start, first), self.first_bytes, self.step_limit, effort, groups)
    }
}

#[cfg(test)]
mod tests;
