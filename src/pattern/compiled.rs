//! A compiled pattern and the process-wide cache of patterns.

use super::dialect::translate;
use super::error::{LimitExceeded, PatternError};
use super::line_start;
use super::needs::needs;
use super::opening::{Opening, takes_everything};
use super::requirement::Requirement;
use super::structure::structure;
use fancy_regex::{BytesMode, RegexBuilder};
use regex_automata::meta;
use regex_automata::nfa::thompson::{NFA, WhichCaptures, pikevm::PikeVM};
use regex_automata::{Input, util::primitives::NonMaxUsize};
use regex_syntax::hir::{Hir, HirKind};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};

/// How to compile a pattern; what `@rx` means is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PatternOptions {
    /// Whether ASCII letters match in either case, as in key selectors (`ARGS:/re/`).
    pub case_insensitive: bool,
    /// How often the backtracking engine may turn back within one search (`SecPcreMatchLimit`).
    pub step_limit: usize,
}

impl Default for PatternOptions {
    fn default() -> Self {
        Self { case_insensitive: false, step_limit: 1_000_000 }
    }
}

/// The kind of engine that runs a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// Automata: time linear in the input.
    Linear,
    /// Backtracking, for look-around, back-references and atomic groups: bounded by a step limit.
    Backtracking,
}

/// One compiled PCRE-style pattern, searched for anywhere in its input.
///
/// Patterns mean what ModSecurity v3 makes of them: bytes, not characters; `.` matches newlines; `^` and `$` match at
/// lines. Syntax is checked when the pattern is compiled; the automata are built by the first search.
#[derive(Debug)]
pub struct Pattern {
    source: Box<[u8]>,
    groups: usize,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Linear(Linear),
    Backtracking(Box<fancy_regex::Regex>),
}

#[derive(Debug)]
struct Linear {
    /// The pattern in the syntax of the engine. Its structure is large and seldom needed, so it is not kept but read anew.
    text: Box<str>,
    requirement: Option<Requirement>,
    opening: Option<Opening>,
    /// Whether it takes every input whole.
    takes_everything: bool,
    automata: OnceLock<Option<meta::Regex>>,
    /// For patterns whose match may end with `^`: the slower engine that knows where a line starts in PCRE.
    exact_line_start: Option<OnceLock<Option<PikeVM>>>,
}

/// The size of the lazily filled automaton of one pattern, in bytes.
const LAZY_AUTOMATON: usize = 256 * 1024;
/// The most states that the repetitions of a pattern may multiply it to.
const MAXIMUM_SIZE: usize = 2_000_000;

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
        let translation = translate(source, options.case_insensitive)?;
        let matcher = if translation.backtracking {
            Matcher::Backtracking(Box::new(backtracking(&translation.text, options.step_limit)?))
        } else {
            Matcher::Linear(Linear::new(translation.text)?)
        };
        Ok(Self { source: source.into(), groups: translation.groups, matcher })
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
            Matcher::Linear(linear) => linear.requirement.as_ref(),
            Matcher::Backtracking(_) => None,
        }
    }

    /// How many capturing groups the pattern has.
    #[must_use]
    pub const fn groups(&self) -> usize {
        self.groups
    }

    /// Whether the pattern occurs in `input`.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit.
    pub fn is_match(&self, input: &[u8]) -> Result<bool, LimitExceeded> {
        match &self.matcher {
            Matcher::Linear(linear) => linear.is_match(input),
            Matcher::Backtracking(regex) => regex.is_match(input).map_err(|_| LimitExceeded),
        }
    }

    /// Finds the first match at or after byte `start` of `input`, seen in its context: `^` looks back beyond `start`.
    ///
    /// On a match `groups` holds the whole match and each capturing group, `None` for groups that took no part; it is
    /// untouched otherwise.
    ///
    /// # Errors
    /// When the backtracking engine reaches its step limit.
    pub fn captures(&self, input: &[u8], start: usize, groups: &mut Vec<Option<Range<usize>>>) -> Result<bool, LimitExceeded> {
        if start > input.len() {
            return Ok(false);
        }
        match &self.matcher {
            Matcher::Linear(linear) => linear.captures(input, start, self.groups, groups),
            Matcher::Backtracking(regex) => {
                let Some(found) = regex.captures_from_pos(input, start).map_err(|_| LimitExceeded)? else {
                    return Ok(false);
                };
                groups.clear();
                groups.extend((0..=self.groups).map(|group| found.get(group).map(|part| part.start()..part.end())));
                Ok(true)
            }
        }
    }
}

impl Linear {
    fn new(text: String) -> Result<Self, PatternError> {
        let hir = structure(&text)?;
        if expanded_size(&hir) > MAXIMUM_SIZE {
            return Err(PatternError::new("the repetitions make this pattern too large", 0));
        }
        let exact_line_start = line_start::may_end_a_match(&hir).then(OnceLock::new);
        // Where `^` would match at the very end of the input the structure matches more than the pattern, which a requirement may.
        let requirement = needs(&hir);
        let opening = Opening::of(&hir);
        let takes_everything = takes_everything(&hir);
        Ok(Self { text: text.into(), requirement, opening, takes_everything, automata: OnceLock::new(), exact_line_start })
    }

    fn hir(&self) -> Option<Hir> {
        structure(&self.text).ok()
    }

    /// A pattern that cannot be built in spite of all checks must not look like one that does not match.
    fn automata(&self) -> Result<&meta::Regex, LimitExceeded> {
        self.automata.get_or_init(|| automata(&self.hir()?)).as_ref().ok_or(LimitExceeded)
    }

    fn is_match(&self, input: &[u8]) -> Result<bool, LimitExceeded> {
        if let Some(answer) = self.takes_everything.then_some(true).or_else(|| self.opening.as_ref()?.answer(input)) {
            return Ok(answer);
        }
        let regex = self.automata()?;
        let Some(exact) = self.exact_line_start.as_ref().filter(|_| input.ends_with(b"\n")) else {
            return Ok(regex.is_match(input));
        };
        match regex.find(input) {
            Some(found) if found.end() == input.len() => {
                let exact = exact.get_or_init(|| exact_automaton(&self.hir()?)).as_ref().ok_or(LimitExceeded)?;
                Ok(exact.is_match(&mut exact.create_cache(), input))
            }
            found => Ok(found.is_some()),
        }
    }

    fn captures(&self, input: &[u8], start: usize, count: usize, groups: &mut Vec<Option<Range<usize>>>) -> Result<bool, LimitExceeded> {
        if start == 0 && self.opening.as_ref().and_then(|opening| opening.answer(input)) == Some(false) {
            return Ok(false);
        }
        if start == 0 && self.takes_everything {
            groups.clear();
            groups.push(Some(0..input.len()));
            return Ok(true);
        }
        let regex = self.automata()?;
        let search = Input::new(input).span(start..input.len());
        // Finding out that there is no match costs no allocation.
        let Some(found) = regex.search(&search) else { return Ok(false) };
        let ends_at_a_newline = found.end() == input.len() && input.ends_with(b"\n");
        let exact = self.exact_line_start.as_ref().filter(|_| ends_at_a_newline);
        if count == 0 && exact.is_none() {
            groups.clear();
            groups.push(Some(found.range()));
            return Ok(true);
        }
        let mut slots = vec![None; count.saturating_add(1).saturating_mul(2)];
        let matched = match exact {
            None => regex.search_slots(&search, &mut slots),
            Some(exact) => {
                let exact = exact.get_or_init(|| exact_automaton(&self.hir()?)).as_ref().ok_or(LimitExceeded)?;
                exact.search_slots(&mut exact.create_cache(), &search, &mut slots)
            }
        };
        if matched.is_some() {
            groups.clear();
            groups.extend(slots.chunks_exact(2).map(|pair| match pair {
                [Some(from), Some(to)] => Some(NonMaxUsize::get(*from)..NonMaxUsize::get(*to)),
                _ => None,
            }));
        }
        Ok(matched.is_some())
    }
}

fn automata(hir: &Hir) -> Option<meta::Regex> {
    let config = meta::Config::new().utf8_empty(false).nfa_size_limit(None).hybrid_cache_capacity(LAZY_AUTOMATON);
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

fn exact_automaton(hir: &Hir) -> Option<PikeVM> {
    let config = NFA::config().utf8(false).which_captures(WhichCaptures::All);
    let nfa = NFA::compiler().configure(config).build_from_hir(hir).ok()?;
    PikeVM::new_from_nfa(line_start::as_in_pcre(&nfa)?).ok()
}

fn backtracking(text: &str, step_limit: usize) -> Result<fancy_regex::Regex, PatternError> {
    RegexBuilder::new(text)
        .bytes_mode(BytesMode::Ascii)
        .unicode_mode(false)
        .backtrack_limit(step_limit)
        .delegate_dfa_size_limit(LAZY_AUTOMATON)
        .build()
        .map_err(|error| PatternError::new(error.to_string(), 0))
}

/// How many states the pattern has once its repetitions are written out, roughly.
///
/// The depth of the recursion is bounded by the nesting limit of the parser.
fn expanded_size(hir: &Hir) -> usize {
    let sum = |parts: &[Hir]| parts.iter().map(expanded_size).fold(1, usize::saturating_add);
    match hir.kind() {
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Capture(capture) => expanded_size(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => sum(parts),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            expanded_size(&repetition.sub).saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
        }
    }
}

#[cfg(test)]
mod tests;
