//! A compiled pattern and the process-wide cache of patterns.

use super::automata::{Automata, Origin};
use super::backtrack;
use super::byte_set::ByteSet;
use super::effort::Effort;
use super::error::{LimitExceeded, PatternError};
use super::linear;
use super::opening::first_bytes;
use super::parser::parse;
use super::program::{Program, compile};
use super::requirement::Requirement;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// How to compile a pattern; what `@rx` means is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatternOptions {
    /// Whether ASCII letters match in either case, as in key selectors (`ARGS:/re/`).
    pub case_insensitive: bool,
    /// How many steps the backtracking engine may take within one search (`SecPcreMatchLimit`), besides 64 for each byte of the input.
    pub step_limit: usize,
    /// How many states the repetitions of a pattern may multiply it to.
    pub max_size: usize,
}

impl Default for PatternOptions {
    fn default() -> Self {
        Self { case_insensitive: false, step_limit: 1_000_000, max_size: 2_000_000 }
    }
}

/// The kind of engine that runs a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Automata: time linear in the input.
    Linear,
    /// Backtracking, for look-around, back-references, atomic groups, calls and verbs: bounded by a step limit.
    Backtracking,
}

/// One compiled PCRE-style pattern, searched for anywhere in its input.
///
/// Patterns mean what ModSecurity v3 makes of them: bytes, not characters, unless they begin with `(*UTF)`; `.` matches newlines; `^` and `$` match at
/// lines.
#[derive(Debug)]
pub struct Pattern {
    source: Arc<[u8]>,
    groups: usize,
    matcher: Matcher,
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
    /// A relaxed form, asked first; without one every input is searched.
    relaxed: Option<Automata>,
    requirement: Option<Requirement>,
    /// The bytes that a match may begin with.
    first_bytes: Option<ByteSet>,
}

/// A pattern is too large if its source has so many bytes for each state that it may have.
const SOURCE_OF_STATE: usize = 2;

type Cache = HashMap<(Box<[u8]>, PatternOptions), Weak<Pattern>>;
static SHARED: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

impl Pattern {
    /// The pattern from a process-wide cache, compiled if it is not there. The cache keeps only what somebody holds.
    ///
    /// # Errors
    /// When the pattern cannot be compiled, with the place in its source.
    pub fn shared(source: &[u8], options: PatternOptions) -> Result<Arc<Self>, PatternError> {
        // A linear pattern is the same whatever the limit.
        let mut key = (Box::from(source), PatternOptions { step_limit: 0, ..options });
        let cached =
            |key: &(Box<[u8]>, PatternOptions)| SHARED.lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade);
        if let Some(pattern) = cached(&key).or_else(|| cached(&(Box::from(source), options))) {
            return Ok(pattern);
        }
        // Compiled outside the lock: two threads may do it twice, but none waits for another's pattern.
        let pattern = Arc::new(Self::compile(source, options)?);
        if pattern.engine() == Engine::Backtracking {
            key.1 = options;
        }
        let mut cache = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() == cache.capacity() {
            cache.retain(|_, held| held.strong_count() > 0);
        }
        cache.insert(key, Arc::downgrade(&pattern));
        Ok(pattern)
    }

    /// Compiles a pattern for one use, such as one with macros expanded for a transaction.
    ///
    /// # Errors
    /// When the pattern cannot be compiled, with the place in its source.
    pub fn compile(source: &[u8], options: PatternOptions) -> Result<Self, PatternError> {
        let PatternOptions { case_insensitive, step_limit, max_size } = options;
        // Reading it takes memory as well.
        if source.len() > max_size.saturating_mul(SOURCE_OF_STATE) {
            return Err(PatternError::too_large());
        }
        let syntax = parse(source, case_insensitive)?;
        let source: Arc<[u8]> = source.into();
        let origin = Origin { source: Arc::clone(&source), case_insensitive, relaxed: false };
        let matcher = match linear::exact(&syntax) {
            Some(structure) => Matcher::Linear(Box::new(Automata::new(origin, &structure, syntax.utf, max_size)?)),
            None => {
                let program = compile(&syntax)?;
                if program.ops.len() > max_size {
                    return Err(PatternError::too_large());
                }
                let structure = linear::relaxed(&syntax);
                let origin = Origin { relaxed: true, ..origin };
                let form = structure.as_ref().and_then(|structure| Automata::new(origin, structure, syntax.utf, max_size).ok());
                // Verbs look at where a match is tried, as PCRE does, which only knows a single byte that all matches begin with.
                let first = structure
                    .as_ref()
                    .and_then(first_bytes)
                    .filter(|set| !program.has_verbs || (set.len() == 1 && !syntax.tries_everywhere));
                Matcher::Backtracking(Box::new(Backtracking {
                    program,
                    step_limit: syntax.step_limit.map_or(step_limit, |limit| limit.min(step_limit)),
                    requirement: form.as_ref().and_then(|form| form.requirement.clone()),
                    // What matches no byte matches everywhere.
                    relaxed: form.filter(|_| structure.is_some_and(|structure| structure.properties().minimum_len() > Some(0))),
                    first_bytes: first,
                }))
            }
        };
        Ok(Self { source, groups: syntax.groups, matcher })
    }

    /// The pattern as written.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// Which engine runs the pattern.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.matcher {
            Matcher::Linear(_) => Engine::Linear,
            Matcher::Backtracking(_) => Engine::Backtracking,
        }
    }

    /// What any match must contain, where something useful is known.
    #[must_use]
    pub fn requirement(&self) -> Option<&Requirement> {
        match &self.matcher {
            Matcher::Linear(automata) => automata.requirement.as_ref(),
            Matcher::Backtracking(backtracking) => backtracking.requirement.as_ref(),
        }
    }

    /// How many capturing groups the pattern has.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// How many states it has, roughly, once its repetitions are written out.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.matcher {
            Matcher::Linear(automata) => automata.size,
            Matcher::Backtracking(backtracking) => {
                let relaxed = backtracking.relaxed.as_ref().map_or(0, |relaxed| relaxed.size);
                backtracking.program.ops.len().saturating_add(relaxed)
            }
        }
    }

    /// Whether the pattern occurs in `input`. What the search takes besides looking at each byte once is added
    /// to `effort`.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit, or the search what `effort` allows.
    pub fn is_match(&self, input: &[u8], effort: &mut Effort) -> Result<bool, LimitExceeded> {
        match &self.matcher {
            Matcher::Linear(automata) => automata.is_match(input, effort),
            Matcher::Backtracking(backtracking) => backtracking.search(input, 0, &mut Vec::new(), effort),
        }
    }

    /// Finds the first match at or after byte `start` of `input`, seen in its context: `^` looks back beyond `start`. What the search takes besides
    /// looking at each byte once is added to `effort`.
    ///
    /// On a match `groups` holds the whole match and each capturing group, `None` for groups that took no part; it is
    /// untouched otherwise.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit, or the search what `effort` allows.
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
        match &self.matcher {
            Matcher::Linear(automata) => automata.captures(input, start, self.groups, groups, effort),
            Matcher::Backtracking(backtracking) => backtracking.search(input, start, groups, effort),
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
            // Nothing before it matches.
            if !self.program.has_verbs && !self.program.utf {
                first = found;
            }
        }
        backtrack::search(&self.program, input, (start, first), self.first_bytes, self.step_limit, effort, groups)
    }
}

#[cfg(test)]
mod tests;
