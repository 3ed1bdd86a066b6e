//! The formula of literals and bytes that every match of a pattern holds.

use super::frequency::{self, Frequency};
use crate::pattern::ByteSet;
use std::collections::HashMap;

/// The most literals that one set names.
const MAX_LITERALS: usize = 512;

/// The most formulas that are joined by "and" or by "or".
const MAX_OPERANDS: usize = 4;

/// The longest literal. A longer one is cut, which only makes it more frequent.
const MAX_LENGTH: usize = 32;

/// When there are too many literals, those that differ only in their last byte are replaced by their common prefix, if at least this many share it.
const MIN_SHARING_PREFIX: usize = 4;

/// The shortest such prefix.
const MIN_PREFIX_LENGTH: usize = 3;

/// The largest set whose literals are compared with each other.
const MAX_COMPARED: usize = 64;

/// A formula that more values than these satisfy is not worth evaluating.
const MAX_FREQUENCY: Frequency = 0.7;

/// If fewer values than these satisfy a conjunction, more operands are not worth the search.
const RARE: Frequency = 0.005;

/// What a value must hold so that a pattern, or an operator, can match it.
///
/// It may only err on one side: it may admit a value that does not match, and never excludes one that does. It ignores the case of ASCII letters, and
/// the order of what it finds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequiredLiterals {
    /// One of these literals, each of at least two bytes, in lower case, sorted by length and then by their bytes.
    Literals(Vec<Vec<u8>>),
    /// One of these bytes; with a letter its other case is in the set too.
    Bytes(ByteSet),
    /// All of these.
    All(Vec<RequiredLiterals>),
    /// One of these.
    Any(Vec<RequiredLiterals>),
}

impl RequiredLiterals {
    /// One of these texts, in any case of ASCII letters; `None` if that says nothing useful, as with an empty text among them.
    pub fn any_of<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Option<Self> {
        Self::one_of(texts.into_iter().map(<[u8]>::to_ascii_lowercase).collect(), usize::MAX).filter(Self::is_selective)
    }

    /// One of these bytes; `None` if that says nothing useful.
    pub fn byte_of(bytes: ByteSet) -> Option<Self> {
        Some(Self::Bytes(bytes.fold_case())).filter(Self::is_selective)
    }

    /// One of a pattern's literals, in lower case; `None` if they are too many, or one is empty.
    pub(super) fn any_literal(literals: Vec<Vec<u8>>) -> Option<Self> {
        Self::one_of(literals, MAX_LITERALS)
    }

    fn one_of(mut literals: Vec<Vec<u8>>, max: usize) -> Option<Self> {
        if literals.is_empty() || literals.iter().any(Vec::is_empty) {
            return None;
        }
        let single = literals.iter().filter(|literal| literal.len() == 1).flatten().fold(ByteSet::EMPTY, |set, byte| set.with(*byte));
        literals.retain(|literal| !literal.iter().any(|byte| single.contains(*byte)));
        let mut literals = minimized(literals);
        if literals.len() > max {
            literals = minimized(with_shared_prefixes(literals));
        }
        if literals.len() > max {
            return None;
        }
        match (single.is_empty(), literals.is_empty()) {
            (true, _) => Some(Self::Literals(literals)),
            (false, true) => Some(Self::Bytes(single.fold_case())),
            (false, false) => Some(Self::Any(vec![Self::Bytes(single.fold_case()), Self::Literals(literals)])),
        }
    }

    /// All of these: the rarest first, and no more of them than make the whole rare.
    pub(super) fn all(operands: Vec<Self>) -> Option<Self> {
        let mut flat = Vec::new();
        for operand in operands {
            match operand {
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        let mut rated: Vec<(Frequency, Self)> =
            flat.into_iter().map(|operand| (operand.frequency(), operand)).filter(|(frequency, _)| *frequency < MAX_FREQUENCY).collect();
        rated.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        rated.dedup();
        rated.truncate(MAX_OPERANDS);
        let mut together = 1.0;
        rated.retain(|(frequency, _)| {
            let needed = together > RARE;
            together *= frequency;
            needed
        });
        let mut rarest: Vec<Self> = rated.into_iter().map(|(_, operand)| operand).collect();
        match rarest.len() {
            0 | 1 => rarest.pop(),
            _ => Some(Self::All(rarest)),
        }
    }

    /// One of these, of which each is required by one of several alternatives.
    pub(super) fn any(operands: Vec<Self>) -> Option<Self> {
        let mut bytes = ByteSet::EMPTY;
        let mut literals = Vec::new();
        let mut joined = Vec::new();
        for operand in operands {
            operand.flatten_into(&mut bytes, &mut literals, &mut joined);
        }
        if joined.len() > MAX_OPERANDS {
            for operand in std::mem::take(&mut joined) {
                operand.rarest().flatten_into(&mut bytes, &mut literals, &mut joined);
            }
        }
        let single = (!bytes.is_empty()).then_some(Self::Bytes(bytes));
        let literals = if literals.is_empty() { None } else { Some(Self::one_of(literals, MAX_LITERALS)?) };
        joined.extend(single.into_iter().chain(literals));
        let whole = if joined.len() > 1 { Some(Self::Any(joined)) } else { joined.pop() };
        whole.filter(Self::is_selective)
    }

    /// Adds this alternative to the bytes, the literals and the conjunctions of a disjunction.
    fn flatten_into(self, bytes: &mut ByteSet, literals: &mut Vec<Vec<u8>>, conjunctions: &mut Vec<Self>) {
        match self {
            Self::Bytes(set) => *bytes = bytes.union(set),
            Self::Literals(more) => literals.extend(more),
            Self::Any(inner) => inner.into_iter().for_each(|operand| operand.flatten_into(bytes, literals, conjunctions)),
            all @ Self::All(_) => conjunctions.push(all),
        }
    }

    /// The rarest operand of a conjunction, down to one that is not a conjunction itself.
    fn rarest(self) -> Self {
        match self {
            Self::All(mut operands) if !operands.is_empty() => operands.swap_remove(0).rarest(),
            other => other,
        }
    }

    /// Returns `true` if few enough values satisfy it.
    pub(super) fn is_selective(&self) -> bool {
        self.frequency() < MAX_FREQUENCY
    }

    /// Returns `true` if hardly any value satisfies it.
    pub(super) fn is_rare(&self) -> bool {
        self.frequency() < RARE
    }

    /// A guess at the share of values in clean traffic that satisfy it.
    fn frequency(&self) -> Frequency {
        match self {
            Self::Literals(literals) => literals.iter().map(|literal| frequency::of_literal(literal)).sum::<Frequency>().min(1.0),
            Self::Bytes(set) => frequency::of_bytes(*set),
            Self::All(operands) => operands.iter().map(Self::frequency).product(),
            Self::Any(operands) => operands.iter().map(Self::frequency).sum::<Frequency>().min(1.0),
        }
    }
}

/// Replaces literals that differ only in their last byte by their common prefix.
fn with_shared_prefixes(literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut sharing: HashMap<Vec<u8>, usize> = HashMap::new();
    for (_, prefix) in literals.iter().filter_map(|literal| literal.split_last()) {
        *sharing.entry(prefix.to_vec()).or_default() += 1;
    }
    let shorten = |literal: Vec<u8>| match literal.split_last() {
        Some((_, prefix)) if prefix.len() >= MIN_PREFIX_LENGTH && sharing.get(prefix).is_some_and(|count| *count >= MIN_SHARING_PREFIX) => {
            prefix.to_vec()
        }
        _ => literal,
    };
    literals.into_iter().map(shorten).collect()
}

/// Cuts, sorts and deduplicates literals, and removes those that hold another one if they are few enough to compare.
fn minimized(mut literals: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    literals.iter_mut().for_each(|literal| literal.truncate(MAX_LENGTH));
    literals.sort_by(|one, other| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    literals.dedup();
    if literals.len() > MAX_COMPARED {
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
