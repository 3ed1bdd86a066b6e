//! What many patterns require, asked at once: a value is scanned once, whatever the number of patterns.

use super::literal_scanner::LiteralScanner;
use super::{ByteSet, Requirement};
use std::collections::{BTreeMap, HashMap};

/// The number of a requirement within its set: a gate in front of the patterns that have it.
///
/// A closed gate says that the pattern behind it cannot match, an open one says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GateId(u32);

/// The number of a kind of values within a set: each kind is searched only for the literals that somebody wants of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueKind(pub u8);

/// Requirements gathered before their scanners are built.
#[derive(Debug, Default)]
pub struct LiteralSetBuilder {
    known: HashMap<Requirement, GateId>,
    gates: Vec<Gate>,
    lists: HashMap<Vec<Vec<u8>>, u32>,
    literals: BTreeMap<ValueKind, BTreeMap<Vec<u8>, Vec<u32>>>,
}

/// Many requirements with the scanners that answer them.
#[derive(Debug, Default)]
pub struct LiteralSet {
    gates: Vec<Gate>,
    lists: usize,
    scanners: BTreeMap<ValueKind, LiteralScanner>,
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
                    let wanted = self.literals.entry(*kind).or_default();
                    for literal in literals {
                        let told = wanted.entry(literal.clone()).or_default();
                        if !told.contains(&list) {
                            told.push(list);
                        }
                    }
                }
                Gate::Literals(list)
            }
            Requirement::Bytes(set) => Gate::Bytes(*set),
            Requirement::All(parts) => Gate::All(parts.iter().map(|part| self.gate(part, kinds)).collect()),
            Requirement::Any(parts) => Gate::Any(parts.iter().map(|part| self.gate(part, kinds)).collect()),
        }
    }

    /// Builds the scanners.
    pub fn build(self) -> LiteralSet {
        let scanners = self.literals.iter().map(|(kind, literals)| (*kind, LiteralScanner::new(literals))).collect();
        LiteralSet { gates: self.gates, lists: self.lists.len(), scanners }
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
        if let Some(scanner) = self.scanners.get(&kind) {
            scanner.scan(value, seen);
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
        let mut literals = vec![0; set.words()];
        set.scan(kind, value, &mut literals);
        let signature = Signature { bytes: ByteSet::of(value), literals: &literals };
        gates.iter().map(|gate| set.is_open(*gate, signature)).collect()
    }

    #[test]
    fn a_value_opens_the_gates_whose_requirements_it_meets() {
        let mut builder = LiteralSetBuilder::default();
        let kind = ValueKind(0);
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
        let [small, large] = [ValueKind(0), ValueKind(1)];
        let gates = [builder.add(&requirement(&[b"select"]), &[small]), builder.add(&requirement(&[b"jndi"]), &[small, large])];
        let set = builder.build();
        assert_eq!(open(&set, small, &gates, b"select jndi"), [true, true]);
        assert_eq!(open(&set, large, &gates, b"select jndi"), [false, true]);
    }
}
