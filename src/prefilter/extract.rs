//! Reads off a pattern's structure what every match of it must hold.

use super::required::Requirement;
use crate::pattern::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The most exact texts that a part of a pattern is spelled out to.
const MOST_SPELLED: usize = 128;

/// The longest exact text.
const LONGEST_SPELLED: usize = 128;

/// The most members of a class that is spelled out.
const MOST_MEMBERS: usize = 32;

/// How many bytes are looked at on both sides of where two parts meet: as many as are not too many texts.
const JOINTS: [(usize, usize); 4] = [(2, 2), (1, 2), (2, 1), (1, 1)];

/// What any value must hold that a pattern with this structure can match; `None` where nothing useful is known.
pub(super) fn needs(pattern: &Hir) -> Option<Requirement> {
    analyse(pattern).into_need().filter(Requirement::is_useful)
}

/// What is known of a part of a pattern.
struct Known {
    /// All texts that the part matches, in lower case, where they are few.
    exact: Option<Vec<Vec<u8>>>,
    /// What a match holds that is none of these texts, if there may be such.
    otherwise: Option<Requirement>,
    /// What every match of the part holds, where that is more than the texts tell.
    need: Option<Requirement>,
    /// The texts of which every match is a row, one of them at least, where the rows are too many to be spelled out.
    row: Option<Vec<Vec<u8>>>,
}

impl Known {
    const NOTHING: Known = Known { exact: None, otherwise: None, need: None, row: None };

    fn exactly(texts: Vec<Vec<u8>>) -> Self {
        Self { exact: Some(texts), ..Self::NOTHING }
    }

    fn needing(need: Option<Requirement>) -> Self {
        Self { need, ..Self::NOTHING }
    }

    /// Nothing at all, or what holds this.
    fn empty_or(need: Requirement) -> Self {
        Self { exact: Some(vec![Vec::new()]), otherwise: Some(need), ..Self::NOTHING }
    }

    fn into_need(self) -> Option<Requirement> {
        self.need.or_else(|| need_of(self.exact?, self.otherwise))
    }
}

/// What a match holds that is one of some texts, or else holds something else.
fn need_of(exact: Vec<Vec<u8>>, otherwise: Option<Requirement>) -> Option<Requirement> {
    let literal = Requirement::one_literal_of(exact)?;
    either(Some(literal), otherwise).flatten()
}

/// One of two requirements where there are two; nothing where they say nothing useful together.
fn either(one: Option<Requirement>, other: Option<Requirement>) -> Option<Option<Requirement>> {
    match (one, other) {
        (Some(one), Some(other)) => Requirement::any(vec![one, other]).map(Some),
        (one, other) => Some(one.or(other)),
    }
}

fn analyse(part: &Hir) -> Known {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => Known::exactly(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => class_members(class),
        HirKind::Capture(capture) => analyse(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Concat(parts) => concatenated(parts),
        HirKind::Alternation(parts) => alternated(parts),
    }
}

fn class_members(class: &Class) -> Known {
    let Class::Bytes(class) = class else { return Known::NOTHING };
    let set = class.ranges().iter().map(|range| ByteSet::range(range.start()..=range.end())).fold(ByteSet::EMPTY, ByteSet::union);
    let lower = set.lowercase();
    match lower.len() {
        0 => Known::NOTHING,
        1..=MOST_MEMBERS => Known::exactly(lower.ranges().flatten().map(|byte| vec![byte]).collect()),
        _ => Known::needing(Requirement::byte_of(set)),
    }
}

fn repeated(repetition: &Repetition) -> Known {
    let mut inner = analyse(&repetition.sub);
    match (repetition.min, repetition.max) {
        (0, Some(1)) if inner.exact.as_deref().is_some_and(|texts| !are_rare_bytes(texts)) => {
            inner.exact.as_mut().into_iter().for_each(|texts| texts.push(Vec::new()));
            Known { need: None, ..inner }
        }
        (0, _) => inner.into_need().filter(Requirement::is_useful).map_or(Known::NOTHING, Known::empty_or),
        (1, Some(1)) => inner,
        (least, most) => match (inner.exact, inner.otherwise) {
            (Some(texts), None) => row_of(texts, least, most),
            (exact, otherwise) => Known::needing(Known { exact, otherwise, ..inner }.into_need()),
        },
    }
}

/// Texts in a row: so many at least, and at most where there is a limit.
fn row_of(texts: Vec<Vec<u8>>, least: u32, most: Option<u32>) -> Known {
    if let Some(exact) = most.and_then(|most| spelled_out(&texts, least..=most)) {
        return Known::exactly(exact);
    }
    let shortest = spelled_out(&texts, least..=least).unwrap_or_else(|| texts.clone());
    Known { need: Requirement::one_literal_of(shortest), row: Some(texts), ..Known::NOTHING }
}

/// Whether texts are bytes that hardly a value holds: such a part is left out, as each that is spelled out doubles the texts.
fn are_rare_bytes(texts: &[Vec<u8>]) -> bool {
    texts.iter().all(|text| text.len() == 1) && Requirement::one_literal_of(texts.to_vec()).is_some_and(|bytes| bytes.is_rare())
}

fn spelled_out(texts: &[Vec<u8>], times: RangeInclusive<u32>) -> Option<Vec<Vec<u8>>> {
    let mut row = vec![Vec::new()];
    let mut spelled = Vec::new();
    for time in 0..=*times.end() {
        if time > 0 {
            row = product(&row, texts)?;
        }
        if times.contains(&time) {
            spelled.extend_from_slice(&row);
        }
        if spelled.len() > MOST_SPELLED {
            return None;
        }
    }
    Some(spelled)
}

fn concatenated(parts: &[Hir]) -> Known {
    let mut run = Run::default();
    let mut whole = true;
    let mut needs = Vec::new();
    for part in parts {
        let known = analyse(part);
        // Of a row, the texts that it begins with follow what is in front of it, and those that it ends with come before what is behind it.
        let ends = known.row.clone().map(Known::exactly);
        let next = ends.as_ref().unwrap_or(&known);
        if !run.goes_on(next) {
            whole = false;
            needs.extend(run.joint(next));
            needs.extend(std::mem::take(&mut run).into_need());
            needs.extend(known.need.clone());
            run.goes_on(next);
        }
        if let Some(ends) = &ends {
            whole = false;
            needs.extend(std::mem::take(&mut run).into_need());
            needs.extend(known.need);
            run.goes_on(ends);
        }
    }
    match whole {
        true => run.into_known(),
        false => {
            needs.extend(run.into_need());
            Known::needing(Requirement::all(needs))
        }
    }
}

/// Parts of a sequence, one behind the other, whose texts are known.
struct Run {
    exact: Vec<Vec<u8>>,
    /// What stands there otherwise, so that the texts may be torn apart.
    within: Option<Requirement>,
    /// What may stand before the texts or behind them.
    around: Option<Requirement>,
}

impl Default for Run {
    fn default() -> Self {
        Self { exact: vec![Vec::new()], within: None, around: None }
    }
}

impl Run {
    /// Adds a part, if its texts are known and few.
    fn goes_on(&mut self, part: &Known) -> bool {
        let Some(texts) = &part.exact else { return false };
        let around = either(self.around.clone(), part.otherwise.clone());
        if texts.iter().all(Vec::is_empty) {
            return around.map(|around| self.around = around).is_some();
        }
        // What stands before the first text takes nothing from it, unlike what stands between two.
        let begins = self.exact.iter().all(Vec::is_empty);
        let (within, around) = match begins {
            true => (Some(part.otherwise.clone()), self.around.clone()),
            false => (around.and_then(|around| self.torn_by(around)), None),
        };
        let Some(within) = within.filter(|_| self.append(texts)) else { return false };
        (self.within, self.around) = (within, around);
        true
    }

    /// Writes texts behind those of the run, if they are few then.
    fn append(&mut self, texts: &[Vec<u8>]) -> bool {
        // Most runs are one text, and most parts are one letter.
        if let ([text], [more]) = (self.exact.as_mut_slice(), texts)
            && text.len() + more.len() <= LONGEST_SPELLED
        {
            text.extend_from_slice(more);
            return true;
        }
        product(&self.exact, texts).map(|exact| self.exact = exact).is_some()
    }

    /// What is there otherwise, if this may stand behind the texts so far: it, or these texts, whichever hardly a value holds.
    fn torn_by(&self, around: Option<Requirement>) -> Option<Option<Requirement>> {
        let torn = either(self.within.clone(), around.clone());
        if around.is_none() || torn.as_ref() == Some(&self.within) {
            return torn;
        }
        let before = Requirement::one_literal_of(self.exact.clone()).filter(Requirement::is_rare);
        before.map_or(torn, |before| either(self.within.clone(), Some(before)))
    }

    /// What stands where these texts meet those of the next part, when together they are too many.
    fn joint(&self, next: &Known) -> Option<Requirement> {
        let known = self.within.is_none() && self.around.is_none() && next.otherwise.is_none();
        let ends = next.exact.as_deref().filter(|_| known)?;
        JOINTS.into_iter().find_map(|(before, behind)| {
            let starts = self.exact.iter().map(|text| text.get(text.len().saturating_sub(before)..).unwrap_or_default().to_vec());
            let ends = ends.iter().map(|text| text.get(..behind.min(text.len())).unwrap_or_default().to_vec());
            Requirement::one_literal_of(product(&distinct(starts), &distinct(ends))?)
        })
    }

    fn into_need(self) -> Option<Requirement> {
        need_of(self.exact, self.within)
    }

    fn into_known(self) -> Known {
        match either(self.within.clone(), self.around.clone()) {
            Some(None) => Known::exactly(self.exact),
            Some(otherwise) => Known { exact: Some(self.exact.clone()), otherwise, need: self.into_need(), row: None },
            None => Known::needing(self.into_need()),
        }
    }
}

fn alternated(parts: &[Hir]) -> Known {
    let known: Vec<Known> = parts.iter().map(analyse).collect();
    let texts = texts_of(&known);
    if let Some((texts, None)) = texts {
        return Known::exactly(texts);
    }
    let needs: Option<Vec<Requirement>> = known.into_iter().map(Known::into_need).collect();
    let known = Known::needing(needs.and_then(Requirement::any));
    match texts {
        Some((texts, otherwise)) => Known { exact: Some(texts), otherwise, ..known },
        None => known,
    }
}

/// All texts of several alternatives, and what is there otherwise, where the texts are known and few.
fn texts_of(alternatives: &[Known]) -> Option<(Vec<Vec<u8>>, Option<Requirement>)> {
    let mut texts = Vec::new();
    let mut otherwise = None;
    for known in alternatives {
        texts.extend_from_slice(known.exact.as_deref().filter(|more| texts.len() + more.len() <= MOST_SPELLED)?);
        otherwise = either(otherwise, known.otherwise.clone())?;
    }
    Some((texts, otherwise))
}

fn distinct(texts: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    texts.collect::<BTreeSet<_>>().into_iter().collect()
}

fn product(starts: &[Vec<u8>], ends: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if starts.len().checked_mul(ends.len())? > MOST_SPELLED {
        return None;
    }
    let joined: Vec<Vec<u8>> = starts.iter().flat_map(|start| ends.iter().map(move |end| [start.as_slice(), end].concat())).collect();
    joined.iter().all(|text| text.len() <= LONGEST_SPELLED).then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::PatternOptions;
    use crate::prefilter::FilteredPattern;

    fn requirement(pattern: &str) -> Option<Requirement> {
        FilteredPattern::compile(pattern.as_bytes(), PatternOptions::default()).unwrap().requirement().cloned()
    }

    fn literals(expected: &[&str]) -> Requirement {
        Requirement::Literals(expected.iter().map(|literal| literal.as_bytes().to_vec()).collect())
    }

    fn bytes(expected: &str) -> Requirement {
        Requirement::Bytes(ByteSet::of(expected.as_bytes()))
    }

    #[test]
    fn the_literals_of_a_sequence_are_required_the_rarest_first_until_they_are_rare() {
        assert_eq!(requirement(r"(?i)\d*AB.*cd"), Some(Requirement::All(vec![literals(&["cd"]), literals(&["ab"])])));
        assert_eq!(requirement(r"(?i)\d*UNION.*select"), Some(literals(&["select"])));
        assert_eq!(requirement(r"^a.*\$\{jndi"), Some(literals(&["${jndi"])));
    }

    #[test]
    fn alternatives_need_one_literal_each() {
        assert_eq!(requirement(r"\b(?:in|on)\d*\("), Some(Requirement::All(vec![bytes("("), literals(&["in", "on"])])));
        assert_eq!(requirement(r"foo|.+"), None);
    }

    #[test]
    fn optional_parts_are_not_required() {
        assert_eq!(requirement(r"(?:abc)?defg"), Some(literals(&["defg"])));
        assert_eq!(requirement(r"(?:abcdef)*"), None);
        assert_eq!(requirement(r"x{3}y*"), Some(literals(&["xxx"])));
    }

    #[test]
    fn what_may_stand_between_letters_is_there_or_the_letters_are_a_word() {
        let evaded = r"(?i)w[\x22'\[]*(?:\$[a-z]*)?\x5c?g[\x22'\[]*(?:\$[a-z]*)?\x5c?et";
        assert_eq!(requirement(evaded), Some(Requirement::Any(vec![bytes("\"'[\\$"), literals(&["wget"])])));
        assert_eq!(requirement(r"(?:\$x)*get\x5c*"), Some(literals(&["get"])));
    }

    #[test]
    fn texts_in_a_row_and_where_parts_meet_are_required() {
        assert_eq!(requirement(r"(?:^|[/;])\.{2,3}[/;]"), Some(literals(&["../", "..;"])));
        assert_eq!(requirement(r"q(?:zx){2,}w\d"), Some(literals(&["zxzx"])));
        assert_eq!(requirement(r"\d(?:zx)+q"), Some(literals(&["zxq"])));
    }

    #[test]
    fn rows_within_rows_are_read_once() {
        let (opening, closing) = ("(?:x".repeat(200), "+y)".repeat(200));
        assert_eq!(requirement(&format!("{opening}a{closing}")), Some(Requirement::All(vec![literals(&["xa"]), literals(&["ay"])])));
    }

    #[test]
    fn small_classes_are_spelled_out_and_large_ones_are_sets() {
        assert_eq!(requirement(r"a[bc]d.+"), Some(literals(&["abd", "acd"])));
        assert_eq!(requirement(r"[^a]"), None);
        assert_eq!(requirement(r"[<>]"), Some(bytes("<>")));
        assert_eq!(requirement(r"[\x80-\xFF]"), Some(Requirement::Bytes(ByteSet::range(0x80..=0xFF))));
    }

    #[test]
    fn letters_are_required_in_either_case() {
        assert_eq!(requirement(r"[qz]"), Some(bytes("qQzZ")));
    }

    #[test]
    fn a_literal_that_holds_another_is_not_needed() {
        assert_eq!(requirement(r"select|selecting|xselect"), Some(literals(&["select"])));
    }
}
