//! What many patterns require, asked at once: a value is scanned once, whatever the number of patterns.

use super::Requirement;
use super::literal::{Sought, anchored};
use super::scanner::LiteralScanner;
use crate::pattern::ByteSet;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The number of a requirement within its set: a gate in front of the patterns that have it.
///
/// A closed gate says that the pattern behind it cannot match, an open one says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GateId(u32);

/// A kind of values: each is searched only for the literals that somebody wants of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueKind {
    origin: u8,
    /// What made the value of another, counted from 1; 0 for a value as it came.
    made_by: u8,
}

/// Requirements gathered before their scanners are built.
#[derive(Debug, Default)]
pub struct LiteralSetBuilder {
    known: HashMap<Requirement, GateId>,
    gates: Vec<Gate>,
    lists: HashMap<Vec<Vec<u8>>, u32>,
    /// The lists that somebody wants of each kind.
    wanted: BTreeMap<ValueKind, BTreeSet<u32>>,
}

/// Many requirements with the scanners that answer them.
#[derive(Debug, Default)]
pub struct LiteralSet {
    gates: Vec<Gate>,
    lists: usize,
    scanners: Vec<LiteralScanner>,
    /// The place in `scanners` of each kind's: by its origin, and by what made it.
    scanner_of: Vec<Vec<Option<usize>>>,
}

/// What is known of a value, or of several together: the bytes in it, and which lists of literals it holds one of.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'s> {
    /// The bytes.
    pub bytes: ByteSet,
    /// List N is bit N; [`LiteralSet::words`] words, or none at all where no literal was found.
    pub literals: &'s [u64],
}

/// A requirement with the numbers of its lists.
#[derive(Clone, Debug)]
enum Gate {
    Literals(u32),
    Bytes(ByteSet),
    All(Box<[Gate]>),
    Any(Box<[Gate]>),
}

impl ValueKind {
    /// Values as they come, of an origin that is told from others by its number.
    pub fn of(origin: u8) -> Self {
        Self { origin, made_by: 0 }
    }

    /// What is made of these values by something that is told from others by its number, whatever was made of them before.
    pub fn made_by(self, maker: u8) -> Self {
        Self { made_by: maker.saturating_add(1), ..self }
    }
}

impl LiteralSetBuilder {
    /// The gate of a requirement in front of values of these kinds; requirements that are alike share one.
    pub fn add(&mut self, requirement: &Requirement, kinds: &[ValueKind]) -> GateId {
        let gate = self.gate(requirement, kinds);
        let next = GateId(u32::try_from(self.gates.len()).unwrap_or(u32::MAX));
        let id = *self.known.entry(requirement.clone()).or_insert(next);
        if id == next {
            self.gates.push(gate);
        }
        id
    }

    fn gate(&mut self, requirement: &Requirement, kinds: &[ValueKind]) -> Gate {
        match requirement {
            Requirement::Literals(literals) => {
                let next = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
                let list = *self.lists.entry(literals.clone()).or_insert(next);
                for kind in kinds {
                    self.wanted.entry(*kind).or_default().insert(list);
                }
                Gate::Literals(list)
            }
            Requirement::Bytes(set) => Gate::Bytes(*set),
            Requirement::All(parts) => Gate::All(parts.iter().map(|part| self.gate(part, kinds)).collect()),
            Requirement::Any(parts) => Gate::Any(parts.iter().map(|part| self.gate(part, kinds)).collect()),
        }
    }

    /// Builds the scanners. What is made of values shares the scanner of the values themselves, unless much less is wanted of it.
    pub fn build(self) -> LiteralSet {
        let mut tells: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for (list, number) in &self.lists {
            list.iter().for_each(|literal| tells.entry(literal).or_default().push(*number));
        }
        let sought = anchored(tells);
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); self.lists.len()];
        for (place, sought) in sought.iter().enumerate() {
            for list in &sought.tells {
                members.get_mut(*list as usize).into_iter().for_each(|members| members.push(place));
            }
        }
        let members = |list: u32| members.get(list as usize).map_or(&[][..], Vec::as_slice);
        let length = |lists: &BTreeSet<u32>| lists.iter().map(|list| members(*list).len()).sum::<usize>();
        let mut set = LiteralSet { gates: self.gates, lists: self.lists.len(), scanners: Vec::new(), scanner_of: Vec::new() };
        let mut places = HashMap::new();
        for (kind, lists) in &self.wanted {
            let whole = self.wanted.get(&ValueKind::of(kind.origin));
            let whole = whole.filter(|whole| length(lists) > length(whole) / 2 && whole.is_superset(lists));
            let lists = whole.unwrap_or(lists);
            let place = *places.entry(lists).or_insert_with(|| {
                let mut told: Vec<(usize, u32)> =
                    lists.iter().flat_map(|list| members(*list).iter().map(|place| (*place, *list))).collect();
                told.sort_unstable();
                let of_literal = |told: &[(usize, u32)]| Some(sought.get(told.first()?.0)?.telling(told.iter().map(|(_, list)| *list)));
                let sought: Vec<Sought> = told.chunk_by(|(one, _), (other, _)| one == other).filter_map(of_literal).collect();
                set.scanners.push(LiteralScanner::new(&sought));
                set.scanners.len() - 1
            });
            set.keep_place(*kind, place);
        }
        set
    }
}

impl LiteralSet {
    /// How many words of bits show all lists.
    pub fn words(&self) -> usize {
        self.lists.div_ceil(u64::BITS as usize)
    }

    /// Sets the bit of every list of which a value of some kind holds a literal; `seen` has [`words`](Self::words) words. Time is linear in the
    /// value and in the literals found.
    pub fn scan(&self, kind: ValueKind, value: &[u8], seen: &mut [u64]) {
        if let Some(scanner) = self.place(kind).and_then(|place| self.scanners.get(place)) {
            scanner.scan(value, seen);
        }
    }

    /// Whether a value of some kind may match what is behind a gate, found out for this one gate.
    pub fn is_open_for(&self, gate: GateId, kind: ValueKind, value: &[u8]) -> bool {
        let mut literals = vec![0; self.words()];
        self.scan(kind, value, &mut literals);
        self.is_open(gate, Signature { bytes: ByteSet::of(value), literals: &literals })
    }

    fn place(&self, kind: ValueKind) -> Option<usize> {
        *self.scanner_of.get(usize::from(kind.origin))?.get(usize::from(kind.made_by))?
    }

    fn keep_place(&mut self, kind: ValueKind, place: usize) {
        let (origin, made_by) = (usize::from(kind.origin), usize::from(kind.made_by));
        if self.scanner_of.len() <= origin {
            self.scanner_of.resize_with(origin + 1, Vec::new);
        }
        if let Some(row) = self.scanner_of.get_mut(origin) {
            row.resize(row.len().max(made_by + 1), None);
            row.get_mut(made_by).into_iter().for_each(|known| *known = Some(place));
        }
    }

    /// Whether a value may match what is behind a gate.
    pub fn is_open(&self, gate: GateId, signature: Signature<'_>) -> bool {
        self.gates.get(gate.0 as usize).is_none_or(|gate| gate.admits(&signature))
    }
}

impl Gate {
    fn admits(&self, signature: &Signature<'_>) -> bool {
        match self {
            Gate::Literals(list) => {
                signature.literals.get((list / u64::BITS) as usize).is_some_and(|word| word >> (list % u64::BITS) & 1 == 1)
            }
            Gate::Bytes(set) => signature.bytes.meets(*set),
            Gate::All(parts) => parts.iter().all(|part| part.admits(signature)),
            Gate::Any(parts) => parts.iter().any(|part| part.admits(signature)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(literals: &[&'static [u8]]) -> Requirement {
        Requirement::any_of(literals.iter().copied()).unwrap()
    }

    fn open(set: &LiteralSet, kind: ValueKind, gates: &[GateId], value: &[u8]) -> Vec<bool> {
        gates.iter().map(|gate| set.is_open_for(*gate, kind, value)).collect()
    }

    #[test]
    fn a_value_opens_the_gates_whose_requirements_it_meets() {
        let mut builder = LiteralSetBuilder::default();
        let kind = ValueKind::of(0);
        let gates = [
            builder.add(&requirement(&[b"UNION", b"select"]), &[kind]),
            builder.add(&requirement(&[b"<script"]), &[kind]),
            builder.add(&requirement(&[b"rip"]), &[kind]),
            builder.add(&requirement(&[b";", b"scr"]), &[kind]),
        ];
        assert_eq!(builder.add(&requirement(&[b"rip"]), &[kind]), gates[2]);
        let set = builder.build();
        assert_eq!(open(&set, kind, &gates, b"a Union b"), [true, false, false, false]);
        assert_eq!(open(&set, kind, &gates, b"<SCRIPT>"), [false, true, true, true]);
        assert_eq!(open(&set, kind, &gates, b"a;b"), [false, false, false, true]);
    }

    #[test]
    fn a_kind_of_values_is_searched_for_what_is_wanted_of_it() {
        let mut builder = LiteralSetBuilder::default();
        let [small, large] = [ValueKind::of(0), ValueKind::of(1)];
        let gates = [builder.add(&requirement(&[b"select"]), &[small]), builder.add(&requirement(&[b"jndi"]), &[small, large])];
        let set = builder.build();
        assert_eq!(open(&set, small, &gates, b"select jndi"), [true, true]);
        assert_eq!(open(&set, large, &gates, b"select jndi"), [false, true]);
    }

    #[test]
    fn what_is_made_of_values_is_searched_for_less_where_much_less_is_wanted_of_it() {
        let mut builder = LiteralSetBuilder::default();
        let plain = ValueKind::of(0);
        let [decoded, stripped] = [plain.made_by(0), plain.made_by(1)];
        let gates = [
            builder.add(&requirement(&[b"select", b"union", b"insert"]), &[plain, decoded]),
            builder.add(&requirement(&[b"jndi"]), &[plain, decoded.made_by(1)]),
        ];
        let set = builder.build();
        assert_eq!(open(&set, plain, &gates, b"select jndi"), [true, true]);
        assert_eq!(open(&set, stripped, &gates, b"select jndi"), [false, true]);
        // Most is wanted here: all is looked for, by the scanner that is there already.
        assert_eq!(open(&set, decoded, &gates, b"select jndi"), [true, true]);
        assert_eq!(set.scanners.len(), 2);
    }

    #[test]
    fn what_is_wanted_only_of_what_is_made_of_values_is_found_there() {
        let mut builder = LiteralSetBuilder::default();
        let plain = ValueKind::of(0);
        let gates = [builder.add(&requirement(&[b"select"]), &[plain]), builder.add(&requirement(&[b"jndi"]), &[plain.made_by(0)])];
        assert_eq!(open(&builder.build(), plain.made_by(0), &gates, b"select jndi"), [false, true]);
    }
}
