//! The literals of many patterns in one automaton: a value is scanned once, whatever the number of patterns.

use super::Requirement;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use std::collections::{BTreeMap, HashMap};

/// The number of a requirement within its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GateId(u32);

/// Requirements gathered before their automaton is built.
#[derive(Debug, Default)]
pub struct LiteralSetBuilder {
    gates: HashMap<Requirement, GateId>,
    literals: BTreeMap<Vec<u8>, Vec<GateId>>,
}

/// Many requirements, asked at once.
#[derive(Debug)]
pub struct LiteralSet {
    automaton: AhoCorasick,
    /// The gates that each literal opens, by the automaton's number for it.
    opened: Box<[Box<[GateId]>]>,
    gates: usize,
}

/// Which gates a value opens. A closed gate says that the pattern behind it cannot match; an open one says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenGates {
    words: Vec<u64>,
}

impl LiteralSetBuilder {
    /// The gate of a requirement; requirements that are alike share one.
    pub fn add(&mut self, requirement: &Requirement) -> GateId {
        if let Some(known) = self.gates.get(requirement) {
            return *known;
        }
        let gate = GateId(u32::try_from(self.gates.len()).unwrap_or(u32::MAX));
        self.gates.insert(requirement.clone(), gate);
        for literal in requirement.literals() {
            self.literals.entry(literal.clone()).or_default().push(gate);
        }
        gate
    }

    /// Builds the automaton.
    ///
    /// # Errors
    /// When the literals are too many for one automaton.
    pub fn build(self) -> Result<LiteralSet, BuildError> {
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
        let automaton = builder.build(self.literals.keys())?;
        let opened = self.literals.into_values().map(Vec::into_boxed_slice).collect();
        Ok(LiteralSet { automaton, opened, gates: self.gates.len() })
    }
}

impl LiteralSet {
    /// How many gates there are.
    pub fn len(&self) -> usize {
        self.gates
    }

    /// Whether there is no gate.
    pub fn is_empty(&self) -> bool {
        self.gates == 0
    }

    /// Opens the gates of every literal that the value holds, beside those that are open already. Time is linear in the value and in the
    /// literals found.
    pub fn scan(&self, value: &[u8], open: &mut OpenGates) {
        open.words.resize(self.gates.div_ceil(64).max(open.words.len()), 0);
        for found in self.automaton.find_overlapping_iter(value) {
            for gate in self.opened.get(found.pattern().as_usize()).into_iter().flatten() {
                open.open(*gate);
            }
        }
    }
}

impl OpenGates {
    /// Closes all gates.
    pub fn close(&mut self) {
        self.words.fill(0);
    }

    /// Whether a gate is open.
    pub fn is_open(&self, gate: GateId) -> bool {
        self.words.get(gate.0 as usize / 64).is_some_and(|word| word >> (gate.0 % 64) & 1 == 1)
    }

    /// Opens what is open in another set.
    pub fn join(&mut self, other: &OpenGates) {
        self.words.resize(self.words.len().max(other.words.len()), 0);
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            *word |= more;
        }
    }

    fn open(&mut self, gate: GateId) {
        if let Some(word) = self.words.get_mut(gate.0 as usize / 64) {
            *word |= 1 << (gate.0 % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_the_gates_whose_literals_it_holds() {
        let mut builder = LiteralSetBuilder::default();
        let union = builder.add(&Requirement::any_of([b"UNION".as_slice(), b"select"]).unwrap());
        let script = builder.add(&Requirement::any_of([b"<script".as_slice()]).unwrap());
        let overlapping = builder.add(&Requirement::any_of([b"rip".as_slice()]).unwrap());
        assert_eq!(builder.add(&Requirement::any_of([b"rip".as_slice()]).unwrap()), overlapping);
        let set = builder.build().unwrap();
        let mut open = OpenGates::default();
        set.scan(b"a Union b", &mut open);
        assert_eq!([union, script, overlapping].map(|gate| open.is_open(gate)), [true, false, false]);
        set.scan(b"<SCRIPT>", &mut open);
        assert_eq!([union, script, overlapping].map(|gate| open.is_open(gate)), [true, true, true]);
        open.close();
        assert!(!open.is_open(union));
    }
}
