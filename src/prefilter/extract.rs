//! Extracts the required literals of a pattern from its [`Hir`].
//!
//! One walk over the tree, bottom up. Of each part it learns an [`Info`], as RE2's `Prefilter::Info`: the finite set of strings that the part matches,
//! as long as the set is small, and otherwise a formula of literals that each of its matches holds. Sets are joined as
//! [`regex_syntax::hir::literal`] joins its `Seq`: an alternation unites them, a concatenation crosses them. A part without a set, such as `.*`, or a
//! set that would grow too large, ends the run of crossed parts, and the next run begins:
//!
//! ```text
//! (?:\$|&dollar;?)\{jndi                 .*   (?:ldap|rmi):
//! {$, &dollar, &dollar;} × {{jndi}            {ldap, rmi} × {:}
//! {${jndi, &dollar{jndi, &dollar;{jndi}  and  {ldap:, rmi:}
//! ```
//!
//! [`RequiredLiterals::all`] then keeps the first set only, since hardly any value passes it.
//!
//! All strings are in lower case, since prefilters ignore the case of ASCII letters.

use super::required::RequiredLiterals;
use super::texts::Texts;
use crate::pattern::ByteSet;
use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Repetition};
use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// The largest set of strings that is kept exact.
const MAX_STRINGS: usize = 128;

/// The longest string of such a set.
const MAX_STRING_LENGTH: usize = 128;

/// The largest class of bytes whose members become strings.
const MAX_CLASS: usize = 32;

/// How many bytes before and after the boundary of two sets are crossed if all of their strings would be too many, the longest first.
const BOUNDARY_LENGTHS: [(usize, usize); 4] = [(2, 2), (1, 2), (2, 1), (1, 1)];

/// Returns what every match of a pattern holds; `None` if nothing useful is known.
pub(super) fn extract(pattern: &Hir) -> Option<RequiredLiterals> {
    info(pattern, &mut Memo::default()).into_required().filter(RequiredLiterals::is_selective)
}

/// The information about the last different repetitions. Patterns against evasion have the same few between all letters of their words.
#[derive(Default)]
struct Memo<'h> {
    known: VecDeque<(&'h Repetition, Info)>,
}

impl<'h> Memo<'h> {
    /// Maximum number of repetitions that are kept.
    const MAX: usize = 6;

    fn find(&self, repetition: &Repetition) -> Option<Info> {
        self.known.iter().find(|(known, _)| *known == repetition).map(|(_, info)| info.clone())
    }

    fn add(&mut self, repetition: &'h Repetition, info: &Info) {
        self.known.truncate(Self::MAX - 1);
        self.known.push_front((repetition, info.clone()));
    }
}

/// What is known of a part of a pattern.
#[derive(Clone)]
struct Info {
    /// The strings that the part matches, if they are few. A match that is none of them holds `alternative`.
    exact: Option<Texts>,
    /// What a match holds that is none of the exact strings; `None` if all matches are exact.
    alternative: Option<RequiredLiterals>,
    /// What every match holds, if that is more than `exact` and `alternative` tell.
    required: Option<RequiredLiterals>,
    /// For a repetition whose strings are too many: the strings of one iteration. There is at least one iteration.
    iteration: Option<Texts>,
}

impl Info {
    const UNKNOWN: Self = Self { exact: None, alternative: None, required: None, iteration: None };

    fn exact(strings: Texts) -> Self {
        Self { exact: Some(strings), ..Self::UNKNOWN }
    }

    fn required(required: Option<RequiredLiterals>) -> Self {
        Self { required, ..Self::UNKNOWN }
    }

    /// An optional part: its match is empty, or holds this.
    fn empty_or(required: RequiredLiterals) -> Self {
        Self { exact: Some(Texts::one(b"")), alternative: Some(required), ..Self::UNKNOWN }
    }

    fn into_required(self) -> Option<RequiredLiterals> {
        self.required.or_else(|| required_by(self.exact?, self.alternative))
    }
}

/// Returns what a match holds that is one of the strings, or else holds the alternative.
fn required_by(exact: Texts, alternative: Option<RequiredLiterals>) -> Option<RequiredLiterals> {
    let literals = RequiredLiterals::any_literal(&exact)?;
    either(Some(literals), alternative).flatten()
}

/// Joins two alternatives, of which each may be missing. Returns `None` if there are two and together they say nothing useful.
fn either(one: Option<RequiredLiterals>, other: Option<RequiredLiterals>) -> Option<Option<RequiredLiterals>> {
    match (one, other) {
        (Some(one), Some(other)) => RequiredLiterals::any(vec![one, other]).map(Some),
        (one, other) => Some(one.or(other)),
    }
}

fn info<'h>(part: &'h Hir, memo: &mut Memo<'h>) -> Info {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => Info::exact(Texts::one(b"")),
        HirKind::Literal(literal) => Info::exact(Texts::one(&literal.0.to_ascii_lowercase())),
        HirKind::Class(class) => class_info(class),
        HirKind::Capture(capture) => info(&capture.sub, memo),
        HirKind::Repetition(repetition) => memo.find(repetition).unwrap_or_else(|| {
            let info = repetition_info(repetition, memo);
            memo.add(repetition, &info);
            info
        }),
        HirKind::Concat(parts) => concat_info(parts, memo),
        HirKind::Alternation(parts) => alternation_info(parts, memo),
    }
}

fn class_info(class: &Class) -> Info {
    let Class::Bytes(class) = class else { return Info::UNKNOWN };
    let set = class.ranges().iter().map(|range| ByteSet::range(range.start()..=range.end())).fold(ByteSet::EMPTY, ByteSet::union);
    let lower = set.lowercase();
    match lower.len() {
        0 => Info::UNKNOWN,
        count @ 1..=MAX_CLASS => {
            let mut strings = Texts::with_capacity(count, count);
            lower.ranges().flatten().for_each(|byte| strings.push(&[byte]));
            Info::exact(strings)
        }
        _ => Info::required(RequiredLiterals::byte_of(set)),
    }
}

fn repetition_info<'h>(repetition: &'h Repetition, memo: &mut Memo<'h>) -> Info {
    let mut inner = info(&repetition.sub, memo);
    match (repetition.min, repetition.max) {
        (0, Some(1)) if inner.exact.as_ref().is_some_and(|strings| !are_rare_bytes(strings)) => {
            inner.exact.as_mut().into_iter().for_each(|strings| strings.push(b""));
            Info { required: None, ..inner }
        }
        (0, _) => inner.into_required().filter(RequiredLiterals::is_selective).map_or(Info::UNKNOWN, Info::empty_or),
        (1, Some(1)) => inner,
        (min, max) => match (inner.exact, inner.alternative) {
            (Some(strings), None) => iterations_of(strings, min, max),
            (exact, alternative) => Info::required(Info { exact, alternative, ..inner }.into_required()),
        },
    }
}

/// Returns what is known of `min` to `max` iterations, of which each is one of the strings.
fn iterations_of(strings: Texts, min: u32, max: Option<u32>) -> Info {
    if let Some(exact) = max.and_then(|max| repeat(&strings, min..=max)) {
        return Info::exact(exact);
    }
    let fewest = repeat(&strings, min..=min).unwrap_or_else(|| strings.clone());
    Info { required: RequiredLiterals::any_literal(&fewest), iteration: Some(strings), ..Info::UNKNOWN }
}

/// Returns `true` if the strings are single bytes that hardly any value holds. Such an optional part becomes an alternative: as exact strings each of
/// them would double the set.
fn are_rare_bytes(strings: &Texts) -> bool {
    strings.iter().all(|string| string.len() == 1) && RequiredLiterals::any_literal(strings).is_some_and(|bytes| bytes.is_rare())
}

/// Crosses the strings with themselves, for each number of times in the range. Returns `None` if the set grows too large.
fn repeat(strings: &Texts, times: RangeInclusive<u32>) -> Option<Texts> {
    let mut power = Texts::one(b"");
    let mut all = Texts::default();
    for time in 0..=*times.end() {
        if time > 0 {
            power = cross(&power, strings)?;
        }
        if times.contains(&time) {
            all.append(&power);
        }
        if all.len() > MAX_STRINGS {
            return None;
        }
    }
    Some(all)
}

fn concat_info<'h>(parts: &'h [Hir], memo: &mut Memo<'h>) -> Info {
    let mut run = Run::default();
    let mut is_one_run = true;
    let mut required = Vec::new();
    for part in parts {
        if run.append_part(part) {
            continue;
        }
        let part = info(part, memo);
        // A repetition such as `(?:a|b)+` joins what precedes it by its first iteration, and what follows by its last.
        let iteration = part.iteration.clone().map(Info::exact);
        let next = iteration.as_ref().unwrap_or(&part);
        if !run.cross(next) {
            is_one_run = false;
            required.extend(run.boundary(next));
            required.extend(std::mem::take(&mut run).into_required());
            required.extend(part.required.clone());
            run.cross(next);
        }
        if let Some(iteration) = &iteration {
            is_one_run = false;
            required.extend(std::mem::take(&mut run).into_required());
            required.extend(part.required);
            run.cross(iteration);
        }
    }
    match is_one_run {
        true => run.into_info(),
        false => {
            required.extend(run.into_required());
            Info::required(RequiredLiterals::all(required))
        }
    }
}

/// Adjacent parts of a concatenation whose sets are crossed. Parts may be optional: a match of `w[\x22]*get` is `wget`, or holds a quote.
struct Run {
    exact: Texts,
    /// What a match holds if an optional part stands within the strings, so that they are not contiguous.
    within: Option<RequiredLiterals>,
    /// What a match may hold before the strings, or after them; the strings stay contiguous.
    around: Option<RequiredLiterals>,
}

impl Default for Run {
    fn default() -> Self {
        // Room for what most runs hold, as they grow letter by letter.
        let mut exact = Texts::with_capacity(1, 32);
        exact.push(b"");
        Self { exact, within: None, around: None }
    }
}

impl Run {
    /// Crosses the run with the next part. Returns `false`, and changes nothing, if the strings of the part are not known, or would become too many.
    fn cross(&mut self, part: &Info) -> bool {
        let Some(strings) = &part.exact else { return false };
        let around = either(self.around.clone(), part.alternative.clone());
        if strings.are_all_empty() {
            return around.map(|around| self.around = around).is_some();
        }
        // What precedes the first string leaves it whole, unlike what stands between two.
        let is_first = self.exact.are_all_empty();
        let (within, around) = match is_first {
            true => (Some(part.alternative.clone()), self.around.clone()),
            false => (around.and_then(|around| self.interrupted_by(around)), None),
        };
        let Some(within) = within.filter(|_| self.append(strings)) else { return false };
        (self.within, self.around) = (within, around);
        true
    }

    /// Appends a part that matches one text, in any case of letters. Returns `false`, and changes nothing, if it is no such part, or the strings would
    /// become too long.
    fn append_part(&mut self, part: &Hir) -> bool {
        match part.kind() {
            HirKind::Empty | HirKind::Look(_) => true,
            // As `cross` does with such a part.
            _ if self.around.is_some() => false,
            HirKind::Literal(literal) => self.append_text(&literal.0),
            HirKind::Class(Class::Bytes(class)) => letter(class).is_some_and(|letter| self.append_text(&[letter])),
            _ => false,
        }
    }

    /// Appends a text to each of the strings. Returns `false`, and changes nothing, if they would become too long.
    fn append_text(&mut self, text: &[u8]) -> bool {
        if self.exact.iter().any(|string| string.len() + text.len() > MAX_STRING_LENGTH) {
            return false;
        }
        if self.exact.len() == 1 {
            self.exact.append_to_last(text);
        } else {
            let mut longer = Texts::with_capacity(self.exact.len(), self.exact.total_length() + self.exact.len() * text.len());
            self.exact.iter().for_each(|string| longer.push_both(string, text));
            self.exact = longer;
        }
        self.exact.make_lowercase();
        true
    }

    /// Crosses the strings of the run with others. Returns `false`, and changes nothing, if they would become too many.
    fn append(&mut self, strings: &Texts) -> bool {
        cross(&self.exact, strings).map(|exact| self.exact = exact).is_some()
    }

    /// Returns the alternative requirement if `around` may follow the strings so far: `around` itself, or the strings so far if those are rare.
    fn interrupted_by(&self, around: Option<RequiredLiterals>) -> Option<Option<RequiredLiterals>> {
        let interrupted = either(self.within.clone(), around.clone());
        if around.is_none() || interrupted.as_ref() == Some(&self.within) {
            return interrupted;
        }
        let before = RequiredLiterals::any_literal(&self.exact).filter(RequiredLiterals::is_rare);
        before.map_or(interrupted, |before| either(self.within.clone(), Some(before)))
    }

    /// Returns the strings at the boundary to the next part, if the two sets together would be too large: the last bytes of these crossed with the
    /// first bytes of those.
    fn boundary(&self, next: &Info) -> Option<RequiredLiterals> {
        let is_exact = self.within.is_none() && self.around.is_none() && next.alternative.is_none();
        let following = next.exact.as_ref().filter(|_| is_exact)?;
        BOUNDARY_LENGTHS.into_iter().find_map(|(before, after)| {
            let ends = self.exact.iter().map(|string| string.get(string.len().saturating_sub(before)..).unwrap_or_default());
            let starts = following.iter().map(|string| string.get(..after.min(string.len())).unwrap_or_default());
            RequiredLiterals::any_literal(&cross(&distinct(ends), &distinct(starts))?)
        })
    }

    fn into_required(self) -> Option<RequiredLiterals> {
        required_by(self.exact, self.within)
    }

    fn into_info(self) -> Info {
        match either(self.within.clone(), self.around.clone()) {
            Some(None) => Info::exact(self.exact),
            Some(alternative) => Info { exact: Some(self.exact.clone()), alternative, required: self.into_required(), iteration: None },
            None => Info::required(self.into_required()),
        }
    }
}

fn alternation_info<'h>(parts: &'h [Hir], memo: &mut Memo<'h>) -> Info {
    let branches: Vec<Info> = parts.iter().map(|part| info(part, memo)).collect();
    let union = union(&branches);
    if let Some((strings, None)) = union {
        return Info::exact(strings);
    }
    let required: Option<Vec<RequiredLiterals>> = branches.into_iter().map(Info::into_required).collect();
    let all = Info::required(required.and_then(RequiredLiterals::any));
    match union {
        Some((strings, alternative)) => Info { exact: Some(strings), alternative, ..all },
        None => all,
    }
}

/// Unites the strings of several branches, and their alternatives. Returns `None` if the strings are not known, or too many.
fn union(branches: &[Info]) -> Option<(Texts, Option<RequiredLiterals>)> {
    let mut strings = Texts::default();
    let mut alternative = None;
    for branch in branches {
        strings.append(branch.exact.as_ref().filter(|more| strings.len() + more.len() <= MAX_STRINGS)?);
        alternative = either(alternative, branch.alternative.clone())?;
    }
    Some((strings, alternative))
}

fn distinct<'t>(strings: impl Iterator<Item = &'t [u8]>) -> Texts {
    let mut strings: Vec<&[u8]> = strings.collect();
    strings.sort_unstable();
    strings.dedup();
    strings.into_iter().collect()
}

/// Appends each of the one strings to each of the others. Returns `None` if the set grows too large.
fn cross(starts: &Texts, ends: &Texts) -> Option<Texts> {
    let count = starts.len().checked_mul(ends.len()).filter(|count| *count <= MAX_STRINGS)?;
    let mut crossed = Texts::with_capacity(count, starts.total_length() * ends.len() + ends.total_length() * starts.len());
    for start in starts.iter() {
        for end in ends.iter() {
            if start.len() + end.len() > MAX_STRING_LENGTH {
                return None;
            }
            crossed.push_both(start, end);
        }
    }
    Some(crossed)
}

/// Returns the only byte of a class, or either case of its only letter.
fn letter(class: &ClassBytes) -> Option<u8> {
    let only = class.ranges().first()?.start();
    class.ranges().iter().all(|range| range.start() == range.end() && range.start().eq_ignore_ascii_case(&only)).then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternOptions;
    use crate::prefilter::FilteredPattern;
    use std::sync::Arc;

    fn required(pattern: &str) -> Option<RequiredLiterals> {
        FilteredPattern::compile(pattern.as_bytes(), PatternOptions::default()).unwrap().required_literals().cloned()
    }

    fn literals(expected: &[&str]) -> RequiredLiterals {
        RequiredLiterals::Literals(Arc::new(expected.iter().map(|literal| literal.as_bytes()).collect()))
    }

    fn bytes(expected: &str) -> RequiredLiterals {
        RequiredLiterals::Bytes(ByteSet::of(expected.as_bytes()))
    }

    #[test]
    fn the_literals_of_a_sequence_are_required_the_rarest_first_until_they_are_rare() {
        assert_eq!(required(r"(?i)\d*AB.*cd"), Some(RequiredLiterals::All(vec![literals(&["cd"]), literals(&["ab"])])));
        assert_eq!(required(r"(?i)\d*UNION.*select"), Some(literals(&["select"])));
        assert_eq!(required(r"^a.*\$\{jndi"), Some(literals(&["${jndi"])));
    }

    #[test]
    fn alternatives_need_one_literal_each() {
        assert_eq!(required(r"\b(?:in|on)\d*\("), Some(RequiredLiterals::All(vec![bytes("("), literals(&["in", "on"])])));
        assert_eq!(required(r"foo|.+"), None);
    }

    #[test]
    fn optional_parts_are_not_required() {
        assert_eq!(required(r"(?:abc)?defg"), Some(literals(&["defg"])));
        assert_eq!(required(r"(?:abcdef)*"), None);
        assert_eq!(required(r"x{3}y*"), Some(literals(&["xxx"])));
    }

    #[test]
    fn what_may_stand_between_letters_is_there_or_the_letters_are_a_word() {
        let evaded = r"(?i)w[\x22'\[]*(?:\$[a-z]*)?\x5c?g[\x22'\[]*(?:\$[a-z]*)?\x5c?et";
        assert_eq!(required(evaded), Some(RequiredLiterals::Any(vec![bytes("\"'[\\$"), literals(&["wget"])])));
        assert_eq!(required(r"(?:\$x)*get\x5c*"), Some(literals(&["get"])));
    }

    #[test]
    fn texts_in_a_row_and_where_parts_meet_are_required() {
        assert_eq!(required(r"(?:^|[/;])\.{2,3}[/;]"), Some(literals(&["../", "..;"])));
        assert_eq!(required(r"q(?:zx){2,}w\d"), Some(literals(&["zxzx"])));
        assert_eq!(required(r"\d(?:zx)+q"), Some(literals(&["zxq"])));
    }

    #[test]
    fn rows_within_rows_are_read_once() {
        let (opening, closing) = ("(?:x".repeat(200), "+y)".repeat(200));
        assert_eq!(required(&format!("{opening}a{closing}")), Some(RequiredLiterals::All(vec![literals(&["xa"]), literals(&["ay"])])));
    }

    #[test]
    fn small_classes_are_spelled_out_and_large_ones_are_sets() {
        assert_eq!(required(r"a[bc]d.+"), Some(literals(&["abd", "acd"])));
        assert_eq!(required(r"[^a]"), None);
        assert_eq!(required(r"[<>]"), Some(bytes("<>")));
        assert_eq!(required(r"[\x80-\xFF]"), Some(RequiredLiterals::Bytes(ByteSet::range(0x80..=0xFF))));
    }

    #[test]
    fn letters_are_required_in_either_case() {
        assert_eq!(required(r"[qz]"), Some(bytes("qQzZ")));
    }

    #[test]
    fn a_literal_that_holds_another_is_not_needed() {
        assert_eq!(required(r"select|selecting|xselect"), Some(literals(&["select"])));
    }
}
