//! What any match of a pattern must contain: literals of which at least one occurs in every match.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// The most literals that one requirement names.
const MOST_LITERALS: usize = 512;

/// The most exact texts that a part of a pattern is spelled out to.
const MOST_SPELLED: usize = 128;

/// The longest literal that is kept; a longer one is cut, which only makes it occur more often.
const LONGEST: usize = 32;

/// The most literals that are compared with each other.
const MOST_COMPARED: usize = 64;

/// The most members of a class that is spelled out.
const MOST_MEMBERS: usize = 16;

/// Literals in lower case: a value that holds none of them, in any case of ASCII letters, cannot match.
///
/// A requirement may only be wrong in one direction: it may let a value through that does not match, never keep one out that does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    literals: Vec<Vec<u8>>,
}

impl Requirement {
    /// What any match of a pattern with this structure must contain; `None` where nothing useful is known.
    pub(super) fn of(pattern: &Hir) -> Option<Self> {
        let best = analyse(pattern).best()?;
        (value(&best) >= USEFUL).then_some(Self { literals: best })
    }

    /// One of these texts, in any case of ASCII letters; `None` where an empty one is among them.
    pub fn any_of<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Option<Self> {
        let mut literals: Vec<Vec<u8>> = texts.into_iter().map(|text| fold(text.get(..LONGEST).unwrap_or(text))).collect();
        literals.sort_unstable();
        literals.dedup();
        (!literals.is_empty() && literals.iter().all(|literal| !literal.is_empty())).then_some(Self { literals })
    }

    /// The literals, in lower case, none empty and none twice.
    pub fn literals(&self) -> &[Vec<u8>] {
        &self.literals
    }
}

/// What is known of a part of a pattern.
struct Known {
    /// All texts that the part matches, in lower case, where they are few.
    exact: Option<Vec<Vec<u8>>>,
    /// Literals of which every match of the part holds one.
    required: Option<Vec<Vec<u8>>>,
}

impl Known {
    const NOTHING: Known = Known { exact: None, required: None };

    fn exactly(texts: Vec<Vec<u8>>) -> Self {
        Self { exact: Some(texts), required: None }
    }

    /// The better of the two sets that this part gives.
    fn best(self) -> Option<Vec<Vec<u8>>> {
        better(self.exact.map(normalised), self.required)
    }
}

fn analyse(part: &Hir) -> Known {
    match part.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => Known::exactly(vec![fold(&literal.0)]),
        HirKind::Class(class) => class_members(class).map_or(Known::NOTHING, Known::exactly),
        HirKind::Capture(capture) => analyse(&capture.sub),
        HirKind::Repetition(repetition) => repeated(repetition),
        HirKind::Concat(parts) => concatenated(parts),
        HirKind::Alternation(parts) => alternated(parts),
    }
}

fn class_members(class: &Class) -> Option<Vec<Vec<u8>>> {
    let Class::Bytes(class) = class else { return None };
    let mut members = Vec::new();
    for range in class.ranges() {
        for byte in range.start()..=range.end() {
            let member = vec![byte.to_ascii_lowercase()];
            if !members.contains(&member) {
                members.push(member);
            }
            if members.len() > MOST_MEMBERS {
                return None;
            }
        }
    }
    (!members.is_empty()).then_some(members)
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
                spelled_out(texts, least).map_or_else(|| Known { exact: None, required: inner.best() }, Known::exactly)
            }
            _ => Known { exact: None, required: inner.best() },
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
    let mut required = None;
    for part in parts {
        let known = analyse(part);
        match known.exact.as_deref().and_then(|texts| product(&run, texts)) {
            Some(longer) => run = longer,
            None => {
                whole = false;
                required = better(required, Some(normalised(std::mem::take(&mut run))));
                required = better(required, known.required);
                run = known.exact.unwrap_or_else(|| vec![Vec::new()]);
            }
        }
    }
    if whole {
        return Known::exactly(run);
    }
    Known { exact: None, required: better(required, Some(normalised(run))) }
}

fn alternated(parts: &[Hir]) -> Known {
    let mut exact = Some(Vec::new());
    let mut required = Some(Vec::new());
    for part in parts {
        let known = analyse(part);
        if let Some(texts) = &mut exact {
            match &known.exact {
                Some(more) if texts.len() + more.len() <= MOST_SPELLED => texts.extend_from_slice(more),
                _ => exact = None,
            }
        }
        if let Some(literals) = &mut required {
            match known.best() {
                Some(more) if literals.len() + more.len() <= MOST_LITERALS => literals.extend(more),
                _ => required = None,
            }
        }
    }
    let required = required.map(normalised).filter(|literals| literals.iter().all(|literal| !literal.is_empty()));
    Known { exact, required }
}

fn product(starts: &[Vec<u8>], ends: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if starts.len().checked_mul(ends.len())? > MOST_SPELLED {
        return None;
    }
    let joined: Vec<Vec<u8>> = starts.iter().flat_map(|start| ends.iter().map(move |end| [start.as_slice(), end].concat())).collect();
    joined.iter().all(|text| text.len() <= 4 * LONGEST).then_some(joined)
}

/// Sorted, cut to a length that is worth searching for, without repetition, and where they are few without literals that hold another.
fn normalised(mut literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    literals.iter_mut().for_each(|literal| literal.truncate(LONGEST));
    literals.sort_by(|one, other| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    literals.dedup();
    if literals.len() > MOST_COMPARED {
        return literals;
    }
    let mut kept: Vec<Vec<u8>> = Vec::with_capacity(literals.len());
    for literal in literals {
        if !kept.iter().any(|shorter| memchr::memmem::find(&literal, shorter).is_some()) {
            kept.push(literal);
        }
    }
    kept
}

fn fold(text: &[u8]) -> Vec<u8> {
    text.to_ascii_lowercase()
}

fn better(one: Option<Vec<Vec<u8>>>, other: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if value(&other) > value(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}

/// The least value that makes a requirement worth its search: a rare byte, or two common letters.
const USEFUL: i64 = 40;

/// How rarely values hold one of these literals: roughly eight times the bits that the commonest of them carries, less for many.
fn value(literals: &[Vec<u8>]) -> i64 {
    let rarity = |literal: &Vec<u8>| literal.iter().map(|byte| byte_rarity(*byte)).sum::<i64>();
    let least = literals.iter().map(rarity).min().unwrap_or(0);
    let many = i64::from(usize::BITS - literals.len().leading_zeros());
    if least == 0 { 0 } else { least - 2 * many }
}

/// How rare a byte is in values of clean traffic.
fn byte_rarity(byte: u8) -> i64 {
    match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b' ' | b'0' | b'1' => 24,
        b'a'..=b'z' | b'0'..=b'9' => 32,
        b'-' | b'_' | b'.' | b'/' | b',' | b'=' | b':' | b';' => 32,
        _ => 48,
    }
}

#[cfg(test)]
mod tests {
    use crate::pattern::{Pattern, PatternOptions};

    fn literals(pattern: &str) -> Option<Vec<String>> {
        let pattern = Pattern::compile(pattern.as_bytes(), PatternOptions::default()).unwrap();
        let requirement = pattern.requirement()?;
        Some(requirement.literals().iter().map(|literal| String::from_utf8_lossy(literal).into_owned()).collect())
    }

    fn some(expected: &[&str]) -> Option<Vec<String>> {
        Some(expected.iter().map(|literal| (*literal).to_owned()).collect())
    }

    #[test]
    fn the_rarest_literal_of_a_sequence_is_required() {
        assert_eq!(literals(r"(?i)\d+\s*UNION\s+select"), some(&["select"]));
        assert_eq!(literals(r"^a.*\$\{jndi"), some(&["${jndi"]));
    }

    #[test]
    fn alternatives_need_one_literal_each() {
        assert_eq!(literals(r"\b(?:exec|system|passthru)\d*\("), some(&["exec", "system", "passthru"]));
        assert_eq!(literals(r"foo|\d+"), None);
    }

    #[test]
    fn optional_parts_are_not_required() {
        assert_eq!(literals(r"(?:abc)?defg"), some(&["defg"]));
        assert_eq!(literals(r"(?:abcdef)*"), None);
        assert_eq!(literals(r"x{3}y*"), some(&["xxx"]));
    }

    #[test]
    fn small_classes_are_spelled_out() {
        assert_eq!(literals(r"a[bc]d.+"), some(&["abd", "acd"]));
        assert_eq!(literals(r"[^a]"), None);
        assert_eq!(literals(r"[<>]"), some(&["<", ">"]));
    }

    #[test]
    fn a_literal_that_holds_another_is_not_needed() {
        assert_eq!(literals(r"select|selecting|xselect"), some(&["select"]));
    }
}
