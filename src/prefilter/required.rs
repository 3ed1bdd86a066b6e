//! The formula of literals and bytes that every match of a pattern holds.

use super::frequency::{self, Frequency};
use super::texts::{ByLength, Texts};
use crate::pattern::ByteSet;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The most literals that one set names.
const MAX_LITERALS: usize = 512;

/// The most formulas that are joined by "and" or by "or".
const MAX_OPERANDS: usize = 4;

/// The length of the longest literal, in bytes. A longer one is cut, which only makes it more frequent.
pub const LONGEST_LITERAL: usize = 32;

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
    Literals(Arc<Texts>),
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
        let mut texts: Texts = texts.into_iter().collect();
        texts.make_lowercase();
        Self::one_of(&texts, usize::MAX).filter(Self::is_selective)
    }

    /// One of these bytes; `None` if that says nothing useful.
    pub fn byte_of(bytes: ByteSet) -> Option<Self> {
        Some(Self::Bytes(bytes.fold_case())).filter(Self::is_selective)
    }

    /// One of a pattern's literals, in lower case; `None` if they are too many, or one is empty.
    pub(super) fn any_literal(literals: &Texts) -> Option<Self> {
        Self::one_of(literals, MAX_LITERALS)
    }

    fn one_of(texts: &Texts, max: usize) -> Option<Self> {
        if texts.is_empty() || texts.iter().any(<[u8]>::is_empty) {
            return None;
        }
        let single = texts.iter().filter(|text| text.len() == 1).flatten().fold(ByteSet::EMPTY, |set, byte| set.with(*byte));
        let mut literals = match single.is_empty() {
            true => minimized(texts.iter()),
            false => minimized(texts.iter().filter(|text| !text.iter().any(|byte| single.contains(*byte)))),
        };
        if literals.len() > max {
            literals = minimized(with_shared_prefixes(&literals));
        }
        if literals.len() > max {
            return None;
        }
        let literals = Arc::new(literals);
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
        let mut literals: Vec<Arc<Texts>> = Vec::new();
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
        let literals = match literals.len() {
            // One set is minimized already.
            0 | 1 => literals.pop().map(Self::Literals),
            _ => Some(Self::one_of(&united(&literals), MAX_LITERALS)?),
        };
        joined.extend(single.into_iter().chain(literals));
        let whole = if joined.len() > 1 { Some(Self::Any(joined)) } else { joined.pop() };
        whole.filter(Self::is_selective)
    }

    /// Adds this alternative to the bytes, the literals and the conjunctions of a disjunction.
    fn flatten_into(self, bytes: &mut ByteSet, literals: &mut Vec<Arc<Texts>>, conjunctions: &mut Vec<Self>) {
        match self {
            Self::Bytes(set) => *bytes = bytes.union(set),
            Self::Literals(more) => literals.push(more),
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
    #[must_use]
    pub fn is_rare(&self) -> bool {
        self.frequency() < RARE
    }

    /// A guess at the share of values in clean traffic that satisfy it.
    fn frequency(&self) -> Frequency {
        match self {
            Self::Literals(literals) => literals.iter().map(frequency::of_literal).sum::<Frequency>().min(1.0),
            Self::Bytes(set) => frequency::of_bytes(*set),
            Self::All(operands) => operands.iter().map(Self::frequency).product(),
            Self::Any(operands) => operands.iter().map(Self::frequency).sum::<Frequency>().min(1.0),
        }
    }
}

/// Joins lists into one.
fn united(lists: &[Arc<Texts>]) -> Texts {
    let (texts, bytes) = (lists.iter().map(|list| list.len()).sum(), lists.iter().map(|list| list.total_length()).sum());
    let mut all = Texts::with_capacity(texts, bytes);
    lists.iter().for_each(|list| all.append(list));
    all
}

/// Replaces literals that differ only in their last byte by their common prefix.
fn with_shared_prefixes(literals: &Texts) -> impl Iterator<Item = &[u8]> {
    let mut sharing: FxHashMap<&[u8], usize> = FxHashMap::default();
    for (_, prefix) in literals.iter().filter_map(|literal| literal.split_last()) {
        *sharing.entry(prefix).or_default() += 1;
    }
    literals.iter().map(move |literal| match literal.split_last() {
        Some((_, prefix)) if prefix.len() >= MIN_PREFIX_LENGTH && sharing.get(prefix).is_some_and(|count| *count >= MIN_SHARING_PREFIX) => {
            prefix
        }
        _ => literal,
    })
}

/// Cuts, sorts and deduplicates literals, and removes those that hold another one if they are few enough to compare.
fn minimized<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Texts {
    let cut = |literal: &'l [u8]| ByLength::of(literal.get(..LONGEST_LITERAL).unwrap_or(literal));
    let mut sorted: Vec<ByLength> = literals.map(cut).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut kept = Texts::with_capacity(sorted.len(), sorted.iter().map(|literal| literal.bytes.len()).sum());
    if sorted.len() > MAX_COMPARED {
        sorted.iter().for_each(|literal| kept.push(literal.bytes));
        return kept;
    }
    let mut shorter: Vec<(u64, &[u8])> = Vec::with_capacity(sorted.len());
    for ByLength { bytes, .. } in sorted {
        let present = low_bits(bytes);
        if !shorter.iter().any(|(needed, shorter)| needed & !present == 0 && bytes.windows(shorter.len()).any(|part| part == *shorter)) {
            kept.push(bytes);
            shorter.push((present, bytes));
        }
    }
    kept
}

/// Sets a bit for each byte, by the low bits of it. A text that holds another has all bits of it.
fn low_bits(text: &[u8]) -> u64 {
    text.iter().fold(0, |bits, byte| bits | 1 << (byte % 64))
}
