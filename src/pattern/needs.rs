//! Reads off a pattern's structure what every match of it must hold.

use super::ByteSet;
use super::requirement::Requirement;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// The most exact texts that a part of a pattern is spelled out to.
const MOST_SPELLED: usize = 128;

/// The longest exact text.
const LONGEST_SPELLED: usize = 128;

/// The most members of a class that is spelled out.
const MOST_MEMBERS: usize = 16;

/// What any value must hold that a pattern with this structure can match; `None` where nothing useful is known.
pub(super) fn needs(pattern: &Hir) -> Option<Requirement> {
    analyse(pattern).into_need().filter(Requirement::is_useful)
}

/// What is known of a part of a pattern.
struct Known {
    /// All texts that the part matches, in lower case, where they are few.
    exact: Option<Vec<Vec<u8>>>,
    /// What every match of the part holds.
    need: Option<Requirement>,
}

impl Known {
    const NOTHING: Known = Known { exact: None, need: None };

    fn exactly(texts: Vec<Vec<u8>>) -> Self {
        Self { exact: Some(texts), need: None }
    }

    fn needing(need: Option<Requirement>) -> Self {
        Self { exact: None, need }
    }

    fn into_need(self) -> Option<Requirement> {
        self.need.or_else(|| self.exact.and_then(Requirement::one_literal_of))
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
    let inner = analyse(&repetition.sub);
    match (repetition.min, repetition.max) {
        (0, Some(1)) => match inner.exact {
            Some(mut texts) => {
                texts.push(Vec::new());
                Known::exactly(texts)
            }
            None => Known::NOTHING,
        },
        (0, _) => Known::NOTHING,
        (1, Some(1)) => inner,
        (least, most) => match &inner.exact {
            // A text that is repeated at least so often is there in a row.
            Some(texts) if most == Some(least) => {
                spelled_out(texts, least).map_or_else(|| Known::needing(inner.into_need()), Known::exactly)
            }
            _ => Known::needing(inner.into_need()),
        },
    }
}

fn spelled_out(texts: &[Vec<u8>], times: u32) -> Option<Vec<Vec<u8>>> {
    let mut spelled = vec![Vec::new()];
    for _ in 0..times {
        spelled = product(&spelled, texts)?;
    }
    Some(spelled)
}

fn concatenated(parts: &[Hir]) -> Known {
    // The exact texts of the parts since the last one that could not be spelled out.
    let mut run = vec![Vec::new()];
    let mut whole = true;
    let mut needs = Vec::new();
    for part in parts {
        let known = analyse(part);
        match known.exact.as_deref().and_then(|texts| product(&run, texts)) {
            Some(longer) => run = longer,
            None => {
                whole = false;
                needs.extend(Requirement::one_literal_of(std::mem::take(&mut run)));
                needs.extend(known.need);
                run = known.exact.unwrap_or_else(|| vec![Vec::new()]);
            }
        }
    }
    if whole {
        return Known::exactly(run);
    }
    needs.extend(Requirement::one_literal_of(run));
    Known::needing(Requirement::all(needs))
}

fn alternated(parts: &[Hir]) -> Known {
    let mut exact = Some(Vec::new());
    let mut needs = Some(Vec::new());
    for part in parts {
        let known = analyse(part);
        if let Some(texts) = &mut exact {
            match &known.exact {
                Some(more) if texts.len() + more.len() <= MOST_SPELLED => texts.extend_from_slice(more),
                _ => exact = None,
            }
        }
        if let Some(all) = &mut needs {
            match known.into_need() {
                Some(need) => all.push(need),
                None => needs = None,
            }
        }
    }
    Known { need: if exact.is_some() { None } else { needs.and_then(Requirement::any) }, exact }
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
    use crate::pattern::{Pattern, PatternOptions};

    fn requirement(pattern: &str) -> Option<Requirement> {
        Pattern::compile(pattern.as_bytes(), PatternOptions::default()).unwrap().requirement().cloned()
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
