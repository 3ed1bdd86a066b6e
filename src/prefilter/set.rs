//! The prefilters of a rule set, evaluated together: a value is scanned once, whatever the number of patterns.

use super::RequiredLiterals;
use super::literal::{Membership, with_trigrams};
use super::scanner::{LiteralScanner, LiteralTable};
use super::spread::SpreadLiterals;
use super::texts::Texts;
use crate::pattern::ByteSet;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The number of a prefilter within its set. Patterns that require the same share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrefilterId(u32);

/// A kind of values. Each kind is searched only for the literals that some pattern requires of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueKind {
    origin: u8,
    /// What made the value of another, counted from 1; 0 for a value as it came.
    made_by: u8,
}

/// Collects required literals, and builds the set.
#[derive(Debug, Default)]
pub struct PrefilterSetBuilder {
    known: FxHashMap<RequiredLiterals, PrefilterId>,
    prefilters: Vec<Prefilter>,
    /// Lists of literals by their contents.
    lists: FxHashMap<Arc<Texts>, u32>,
    /// The lists that some pattern requires of each kind.
    wanted: BTreeMap<ValueKind, BTreeSet<u32>>,
    /// The set that is extended.
    base: Option<Arc<PrefilterSet>>,
}

/// Many prefilters, with the scanners that find their literals.
#[derive(Debug, Default)]
pub struct PrefilterSet {
    /// The set that this one extends: its prefilters and lists have the first numbers.
    base: Option<Arc<PrefilterSet>>,
    prefilters: Vec<Prefilter>,
    /// Number of prefilters before its own.
    before: usize,
    /// Number of all lists.
    lists: usize,
    scanners: Vec<LiteralScanner>,
    /// Index into `scanners` for each kind: by its origin, and by what made it.
    scanner_of: Vec<Vec<Option<usize>>>,
    /// The literals that are searched for in transformed values of a kind, if they are few.
    few: FxHashMap<ValueKind, SpreadLiterals>,
}

/// What prefilters know of a value, or of several together: the bytes in it, and the lists of which it holds a literal.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'s> {
    /// The bytes.
    pub bytes: ByteSet,
    /// List N is bit N. [`PrefilterSet::words`] words, or none at all if no literal was found.
    pub literals: &'s [u64],
}

/// Required literals, with the numbers of their lists.
#[derive(Clone, Debug)]
enum Prefilter {
    Literals(u32),
    Bytes(ByteSet),
    All(Box<[Prefilter]>),
    Any(Box<[Prefilter]>),
}

impl ValueKind {
    /// Values as they come. Kinds of different origin have different numbers.
    pub fn of(origin: u8) -> Self {
        Self { origin, made_by: 0 }
    }

    /// What a transformation makes of these values, whatever was made of them before. Different transformations have different numbers.
    pub fn made_by(self, maker: u8) -> Self {
        Self { made_by: maker.saturating_add(1), ..self }
    }
}

impl PrefilterSetBuilder {
    /// Starts a set that shares the prefilters and scanners of another, which is no extension itself. A value is scanned for the literals of both.
    pub fn extending(base: &Arc<PrefilterSet>) -> Self {
        Self { base: Some(Arc::clone(base)), ..Self::default() }
    }

    /// Adds the prefilter of a pattern that searches values of these kinds. Those that require the same are one.
    pub fn add(&mut self, required: &RequiredLiterals, kinds: &[ValueKind]) -> PrefilterId {
        let prefilter = self.prefilter(required, kinds);
        let before = self.base.as_ref().map_or(0, |base| base.len());
        let next = PrefilterId(u32::try_from(before + self.prefilters.len()).unwrap_or(u32::MAX));
        let id = *self.known.entry(required.clone()).or_insert(next);
        if id == next {
            self.prefilters.push(prefilter);
        }
        id
    }

    fn prefilter(&mut self, required: &RequiredLiterals, kinds: &[ValueKind]) -> Prefilter {
        match required {
            RequiredLiterals::Literals(literals) => {
                let next = u32::try_from(self.first_list() + self.lists.len()).unwrap_or(u32::MAX);
                let list = *self.lists.entry(Arc::clone(literals)).or_insert(next);
                for kind in kinds {
                    self.wanted.entry(*kind).or_default().insert(list);
                }
                Prefilter::Literals(list)
            }
            RequiredLiterals::Bytes(set) => Prefilter::Bytes(*set),
            RequiredLiterals::All(operands) => Prefilter::All(self.operands(operands, kinds)),
            RequiredLiterals::Any(operands) => Prefilter::Any(self.operands(operands, kinds)),
        }
    }

    /// Returns operands with those first that cost least to test: one of them often decides.
    fn operands(&mut self, operands: &[RequiredLiterals], kinds: &[ValueKind]) -> Box<[Prefilter]> {
        let mut operands: Vec<Prefilter> = operands.iter().map(|operand| self.prefilter(operand, kinds)).collect();
        operands.sort_by_key(|operand| matches!(operand, Prefilter::All(_) | Prefilter::Any(_)));
        operands.into()
    }

    /// Returns the number of lists of the set that is extended.
    fn first_list(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.lists)
    }

    /// Builds the scanners. What is made of values shares the scanner of the values themselves, unless far fewer literals are required of it. An
    /// extension has one scanner, for all kinds.
    pub fn build(self) -> PrefilterSet {
        let (literals, memberships) =
            with_trigrams(self.lists.iter().flat_map(|(list, number)| list.iter().map(|literal| (literal, *number))));
        let first_list = self.first_list();
        let place = |list: u32| (list as usize).wrapping_sub(first_list);
        let mut sizes = vec![0; self.lists.len()];
        for membership in &memberships {
            sizes.get_mut(place(membership.list)).into_iter().for_each(|size| *size += 1);
        }
        let size = |lists: &BTreeSet<u32>| lists.iter().filter_map(|list| sizes.get(place(*list))).sum::<usize>();
        let all: BTreeSet<u32> = self.wanted.values().flatten().copied().collect();
        let mut set = PrefilterSet {
            before: self.base.as_ref().map_or(0, |base| base.len()),
            lists: first_list + self.lists.len(),
            prefilters: self.prefilters,
            ..PrefilterSet::default()
        };
        let table = Arc::new(LiteralTable::new(&literals, &memberships));
        let mut known = HashMap::new();
        let texts: FxHashMap<u32, &Arc<Texts>> = self.lists.iter().map(|(texts, number)| (*number, texts)).collect();
        for (kind, lists) in &self.wanted {
            if kind.made_by > 0 && self.base.is_none() && size(lists) <= SpreadLiterals::MAX {
                set.few.insert(*kind, SpreadLiterals::new(lists.iter().filter_map(|list| texts.get(list)).flat_map(|texts| texts.iter())));
            }
            let whole = self.wanted.get(&ValueKind::of(kind.origin));
            let whole = whole.filter(|whole| size(lists) > size(whole) / 2 && whole.is_superset(lists));
            let lists = if self.base.is_some() { &all } else { whole.unwrap_or(lists) };
            let scanner = *known.entry(lists).or_insert_with(|| {
                let mut is_wanted = vec![false; sizes.len()];
                lists.iter().for_each(|list| is_wanted.get_mut(place(*list)).into_iter().for_each(|wanted| *wanted = true));
                let wanted = |membership: &&Membership| is_wanted.get(place(membership.list)) == Some(&true);
                let mut wanted: Vec<u32> = memberships.iter().filter(wanted).map(|membership| membership.literal).collect();
                wanted.dedup();
                set.scanners.push(LiteralScanner::new(&literals, &table, &wanted));
                set.scanners.len() - 1
            });
            set.set_scanner(*kind, scanner);
        }
        set.base = self.base;
        set
    }
}

impl PrefilterSet {
    /// How many words of bits all lists take.
    pub fn words(&self) -> usize {
        self.lists.div_ceil(u64::BITS as usize)
    }

    /// Sets bit N of `seen` for each list N of which a value of some kind holds a literal. `seen` has [`words`](Self::words) words. Takes time linear
    /// in the value and in the literals found.
    pub fn scan(&self, kind: ValueKind, value: &[u8], seen: &mut [u64]) {
        if let Some(base) = &self.base {
            base.scan_own(kind, value, seen);
        }
        self.scan_own(kind, value, seen);
    }

    #[inline]
    fn scan_own(&self, kind: ValueKind, value: &[u8], seen: &mut [u64]) {
        if let Some(scanner) = self.scanner(kind).and_then(|scanner| self.scanners.get(scanner)) {
            scanner.scan(value, seen);
        }
    }

    /// Returns the literals that are searched for in values that a transformation made, if they are few.
    #[inline]
    pub fn few(&self, kind: ValueKind) -> Option<&SpreadLiterals> {
        // An extension searches for its own literals in all kinds of values.
        self.few.get(&kind)
    }

    /// Returns `false` if no value of this signature can match the patterns of a prefilter, and `true` if one may.
    #[inline]
    pub fn may_match(&self, prefilter: PrefilterId, signature: Signature<'_>) -> bool {
        self.prefilter(prefilter).is_none_or(|prefilter| prefilter.admits(&signature))
    }

    /// As [`may_match`](Self::may_match), for a value that is scanned for this one question.
    pub fn may_match_value(&self, prefilter: PrefilterId, kind: ValueKind, value: &[u8]) -> bool {
        let mut literals = vec![0; self.words()];
        self.scan(kind, value, &mut literals);
        self.may_match(prefilter, Signature { bytes: ByteSet::of(value), literals: &literals })
    }

    /// Returns the number of prefilters.
    fn len(&self) -> usize {
        self.before + self.prefilters.len()
    }

    #[inline]
    fn prefilter(&self, id: PrefilterId) -> Option<&Prefilter> {
        let number = id.0 as usize;
        match number.checked_sub(self.before) {
            Some(own) => self.prefilters.get(own),
            None => self.base.as_ref()?.prefilters.get(number),
        }
    }

    fn scanner(&self, kind: ValueKind) -> Option<usize> {
        *self.scanner_of.get(usize::from(kind.origin))?.get(usize::from(kind.made_by))?
    }

    fn set_scanner(&mut self, kind: ValueKind, scanner: usize) {
        let (origin, made_by) = (usize::from(kind.origin), usize::from(kind.made_by));
        if self.scanner_of.len() <= origin {
            self.scanner_of.resize_with(origin + 1, Vec::new);
        }
        if let Some(row) = self.scanner_of.get_mut(origin) {
            row.resize(row.len().max(made_by + 1), None);
            row.get_mut(made_by).into_iter().for_each(|known| *known = Some(scanner));
        }
    }
}

impl Prefilter {
    #[inline]
    fn admits(&self, signature: &Signature<'_>) -> bool {
        match self {
            Self::Literals(list) => {
                signature.literals.get((list / u64::BITS) as usize).is_some_and(|word| word >> (list % u64::BITS) & 1 == 1)
            }
            Self::Bytes(set) => signature.bytes.meets(*set),
            Self::All(_) | Self::Any(_) => self.admits_by_parts(signature),
        }
    }

    /// As `admits`, as a call: recursion cannot be inlined.
    #[inline(never)]
    fn admits_by_parts(&self, signature: &Signature<'_>) -> bool {
        match self {
            Self::Literals(_) | Self::Bytes(_) => true,
            Self::All(operands) => operands.iter().all(|operand| operand.admits(signature)),
            Self::Any(operands) => operands.iter().any(|operand| operand.admits(signature)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    fn required(literals: &[&'static [u8]]) -> RequiredLiterals {
        RequiredLiterals::any_of(literals.iter().copied()).unwrap()
    }

    /// Different literals.
    static NAMES: LazyLock<Vec<&'static [u8]>> =
        LazyLock::new(|| (0..70).map(|number| &*format!("ab{number:02}").into_bytes().leak()).collect());

    fn may_match(set: &PrefilterSet, kind: ValueKind, prefilters: &[PrefilterId], value: &[u8]) -> Vec<bool> {
        prefilters.iter().map(|prefilter| set.may_match_value(*prefilter, kind, value)).collect()
    }

    #[test]
    fn a_value_may_match_what_requires_a_literal_that_it_holds() {
        let mut builder = PrefilterSetBuilder::default();
        let kind = ValueKind::of(0);
        let prefilters = [
            builder.add(&required(&[b"UNION", b"select"]), &[kind]),
            builder.add(&required(&[b"<script"]), &[kind]),
            builder.add(&required(&[b"rip"]), &[kind]),
            builder.add(&required(&[b";", b"scr"]), &[kind]),
        ];
        assert_eq!(builder.add(&required(&[b"rip"]), &[kind]), prefilters[2]);
        let set = builder.build();
        assert_eq!(may_match(&set, kind, &prefilters, b"a Union b"), [true, false, false, false]);
        assert_eq!(may_match(&set, kind, &prefilters, b"<SCRIPT>"), [false, true, true, true]);
        assert_eq!(may_match(&set, kind, &prefilters, b"a;b"), [false, false, false, true]);
    }

    #[test]
    fn a_kind_of_values_is_searched_for_what_is_required_of_it() {
        let mut builder = PrefilterSetBuilder::default();
        let [small, large] = [ValueKind::of(0), ValueKind::of(1)];
        let prefilters = [builder.add(&required(&[b"select"]), &[small]), builder.add(&required(&[b"jndi"]), &[small, large])];
        let set = builder.build();
        assert_eq!(may_match(&set, small, &prefilters, b"select jndi"), [true, true]);
        assert_eq!(may_match(&set, large, &prefilters, b"select jndi"), [false, true]);
    }

    #[test]
    fn what_is_made_of_values_has_a_scanner_of_its_own_if_far_less_is_required_of_it() {
        let mut builder = PrefilterSetBuilder::default();
        let plain = ValueKind::of(0);
        let [decoded, stripped] = [plain.made_by(0), plain.made_by(1)];
        let prefilters = [
            builder.add(&required(&[b"select", b"union", b"insert"]), &[plain, decoded]),
            builder.add(&required(&[b"jndi"]), &[plain, decoded.made_by(1)]),
        ];
        let set = builder.build();
        assert_eq!(may_match(&set, plain, &prefilters, b"select jndi"), [true, true]);
        assert_eq!(may_match(&set, stripped, &prefilters, b"select jndi"), [false, true]);
        // Most literals are required here, too: the scanner of the values themselves is used.
        assert_eq!(may_match(&set, decoded, &prefilters, b"select jndi"), [true, true]);
        assert_eq!(set.scanners.len(), 2);
    }

    #[test]
    fn an_extension_finds_the_literals_of_both() {
        let [plain, decoded] = [ValueKind::of(0), ValueKind::of(0).made_by(0)];
        let mut builder = PrefilterSetBuilder::default();
        let known: Vec<PrefilterId> = (0..70).map(|number| builder.add(&required(&[NAMES[number]]), &[plain])).collect();
        let base = Arc::new(builder.build());
        let mut builder = PrefilterSetBuilder::extending(&base);
        let added = [builder.add(&required(&[b"own"]), &[plain]), builder.add(&required(&[b"other", b"ab03"]), &[decoded])];
        let set = builder.build();
        let all = [known[3], known[69], added[0], added[1]];
        assert_eq!(may_match(&set, plain, &all, b"AB03 own"), [true, false, true, true]);
        assert_eq!(may_match(&set, plain, &all, b"ab69"), [false, true, false, false]);
        assert_eq!(may_match(&set, decoded, &all, b"the other"), [false, false, false, true]);
        assert_eq!(may_match(&base, plain, &all[..2], b"AB03 own"), [true, false]);
    }

    #[test]
    fn what_is_required_only_of_what_is_made_of_values_is_found_there() {
        let mut builder = PrefilterSetBuilder::default();
        let plain = ValueKind::of(0);
        let prefilters = [builder.add(&required(&[b"select"]), &[plain]), builder.add(&required(&[b"jndi"]), &[plain.made_by(0)])];
        assert_eq!(may_match(&builder.build(), plain.made_by(0), &prefilters, b"select jndi"), [false, true]);
    }
}
