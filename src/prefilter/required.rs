//! What any value must hold that a pattern can match: derived at load, so that most values need not be searched at all.

use super::frequency::{self, Chance};
use crate::pattern::ByteSet;
use std::collections::HashMap;

/// The most literals that one requirement names.
const MOST_LITERALS: usize = 512;

/// The most requirements that are joined by "and" or by "or".
const MOST_JOINED: usize = 4;

/// The longest literal that is kept; a longer one is cut, which only makes it occur more often.
const LONGEST: usize = 32;

/// Literals with so many different last bytes do without them, where all literals together are too many.
const MANY_ENDINGS: usize = 4;

/// The shortest literal that remains of longer ones.
const SHORTEST: usize = 3;

/// The most literals that are compared with each other.
const MOST_COMPARED: usize = 64;

/// A requirement that more values than these meet is not worth the question.
const COMMON: Chance = 0.7;

/// Where fewer values than these meet some requirements, more of them are not worth the search.
const RARE: Chance = 0.005;

/// What a value must hold so that a pattern, or an operator, can match it.
///
/// A requirement may only be wrong in one direction: it may let a value through that does not match, never keep one out that does. It does not
/// look at the case of ASCII letters, and not at the order of what it finds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Requirement {
    /// One of these literals, each of two bytes at least, in lower case, sorted by length and then by their bytes.
    Literals(Vec<Vec<u8>>),
    /// One of these bytes; with a letter its other case is in the set too.
    Bytes(ByteSet),
    /// All of these.
    All(Vec<Requirement>),
    /// One of these.
    Any(Vec<Requirement>),
}

impl Requirement {
    /// One of these texts, in any case of ASCII letters; `None` where nothing useful is known, as where an empty text is among them.
    pub fn any_of<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Option<Self> {
        Self::one_of(texts.into_iter().map(<[u8]>::to_ascii_lowercase).collect(), usize::MAX).filter(Self::is_useful)
    }

    /// One of these bytes; `None` where nothing useful is known.
    pub fn byte_of(bytes: ByteSet) -> Option<Self> {
        Some(Self::Bytes(bytes.fold_case())).filter(Self::is_useful)
    }

    /// One of a pattern's literals, in lower case; `None` where they are too many, or an empty one is among them.
    pub(super) fn one_literal_of(literals: Vec<Vec<u8>>) -> Option<Self> {
        Self::one_of(literals, MOST_LITERALS)
    }

    fn one_of(mut literals: Vec<Vec<u8>>, most: usize) -> Option<Self> {
        if literals.is_empty() || literals.iter().any(Vec::is_empty) {
            return None;
        }
        let single = literals.iter().filter(|literal| literal.len() == 1).flatten().fold(ByteSet::EMPTY, |set, byte| set.with(*byte));
        literals.retain(|literal| !literal.iter().any(|byte| single.contains(*byte)));
        let mut literals = normalised(literals);
        if literals.len() > most {
            literals = normalised(without_endings(literals));
        }
        if literals.len() > most {
            return None;
        }
        match (single.is_empty(), literals.is_empty()) {
            (true, _) => Some(Self::Literals(literals)),
            (false, true) => Some(Self::Bytes(single.fold_case())),
            (false, false) => Some(Self::Any(vec![Self::Bytes(single.fold_case()), Self::Literals(literals)])),
        }
    }

    /// Every one of these: the rarest of them, as more would not tell more.
    pub(super) fn all(parts: Vec<Self>) -> Option<Self> {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        let mut rated: Vec<(Chance, Self)> =
            flat.into_iter().map(|part| (part.chance(), part)).filter(|(chance, _)| *chance < COMMON).collect();
        rated.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        rated.dedup();
        rated.truncate(MOST_JOINED);
        let mut together = 1.0;
        rated.retain(|(chance, _)| {
            let wanted = together > RARE;
            together *= chance;
            wanted
        });
        let mut rarest: Vec<Self> = rated.into_iter().map(|(_, part)| part).collect();
        match rarest.len() {
            0 | 1 => rarest.pop(),
            _ => Some(Self::All(rarest)),
        }
    }

    /// One of these, each of which is what one of several alternatives needs.
    pub(super) fn any(parts: Vec<Self>) -> Option<Self> {
        let mut bytes = ByteSet::EMPTY;
        let mut literals = Vec::new();
        let mut joined = Vec::new();
        for part in parts {
            part.spread(&mut bytes, &mut literals, &mut joined);
        }
        if joined.len() > MOST_JOINED {
            for part in std::mem::take(&mut joined) {
                part.rarest().spread(&mut bytes, &mut literals, &mut joined);
            }
        }
        let single = (!bytes.is_empty()).then_some(Self::Bytes(bytes));
        let literals = if literals.is_empty() { None } else { Some(Self::one_of(literals, MOST_LITERALS)?) };
        joined.extend(single.into_iter().chain(literals));
        let whole = if joined.len() > 1 { Some(Self::Any(joined)) } else { joined.pop() };
        whole.filter(Self::is_useful)
    }

    /// Adds this alternative to the bytes, the literals and the rest.
    fn spread(self, bytes: &mut ByteSet, literals: &mut Vec<Vec<u8>>, rest: &mut Vec<Self>) {
        match self {
            Self::Bytes(set) => *bytes = bytes.union(set),
            Self::Literals(more) => literals.extend(more),
            Self::Any(inner) => inner.into_iter().for_each(|part| part.spread(bytes, literals, rest)),
            all @ Self::All(_) => rest.push(all),
        }
    }

    /// Of a conjunction the rarest member that is none itself.
    fn rarest(self) -> Self {
        match self {
            Self::All(mut parts) if !parts.is_empty() => parts.swap_remove(0).rarest(),
            other => other,
        }
    }

    /// Whether few enough values meet it.
    pub(super) fn is_useful(&self) -> bool {
        self.chance() < COMMON
    }

    /// Whether hardly a value meets it.
    pub(super) fn is_rare(&self) -> bool {
        self.chance() < RARE
    }

    /// How many values of clean traffic meet it, roughly.
    fn chance(&self) -> Chance {
        match self {
            Self::Literals(literals) => literals.iter().map(|literal| frequency::of_literal(literal)).sum::<Chance>().min(1.0),
            Self::Bytes(set) => frequency::of_bytes(*set),
            Self::All(parts) => parts.iter().map(Self::chance).product(),
            Self::Any(parts) => parts.iter().map(Self::chance).sum::<Chance>().min(1.0),
        }
    }
}

/// Where several literals differ in nothing but their last byte, what they have in common.
fn without_endings(literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut alike: HashMap<Vec<u8>, usize> = HashMap::new();
    for (_, start) in literals.iter().filter_map(|literal| literal.split_last()) {
        *alike.entry(start.to_vec()).or_default() += 1;
    }
    let shorter = |literal: Vec<u8>| match literal.split_last() {
        Some((_, start)) if start.len() >= SHORTEST && alike.get(start).is_some_and(|count| *count >= MANY_ENDINGS) => start.to_vec(),
        _ => literal,
    };
    literals.into_iter().map(shorter).collect()
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
        if !kept.iter().any(|shorter| literal.windows(shorter.len()).any(|part| part == shorter)) {
            kept.push(literal);
        }
    }
    kept
}
