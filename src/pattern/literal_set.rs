//! The literals of many patterns in one automaton: a value is scanned once, whatever the number of patterns.

use super::Requirement;
use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use std::collections::{BTreeMap, HashMap};

/// The number of a requirement within its set: a gate in front of the patterns that have it.
///
/// A closed gate says that the pattern behind it cannot match, an open one says nothing.
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

impl LiteralSetBuilder {
    /// The gate of a requirement; requirements that are alike share one.
    pub fn add(&mut self, requirement: Requirement) -> GateId {
        let next = GateId(u32::try_from(self.gates.len()).unwrap_or(u32::MAX));
        if let Some(known) = self.gates.get(&requirement) {
            return *known;
        }
        for literal in requirement.literals() {
            self.literals.entry(literal.clone()).or_default().push(next);
        }
        self.gates.insert(requirement, next);
        next
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
    /// How many words of bits show all gates.
    pub fn words(&self) -> usize {
        self.gates.div_ceil(u64::BITS as usize)
    }

    /// Opens the gates of every literal that the value holds, beside those that are open already: gate N is bit N of `open`, which has
    /// [`words`](Self::words) words. Time is linear in the value and in the literals found.
    pub fn scan(&self, value: &[u8], open: &mut [u64]) {
        for found in self.automaton.find_overlapping_iter(value) {
            for gate in self.opened.get(found.pattern().as_usize()).into_iter().flatten() {
                if let Some(word) = open.get_mut(gate.0 as usize / u64::BITS as usize) {
                    *word |= 1 << (gate.0 % u64::BITS);
                }
            }
        }
    }
}

impl GateId {
    /// Whether the gate is open.
    pub fn is_open(self, open: &[u64]) -> bool {
        open.get(self.0 as usize / u64::BITS as usize).is_some_and(|word| word >> (self.0 % u64::BITS) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_the_gates_whose_literals_it_holds() {
        let mut builder = LiteralSetBuilder::default();
        let requirement = |literals: &[&'static [u8]]| Requirement::any_of(literals.iter().copied()).unwrap();
        let union = builder.add(requirement(&[b"UNION", b"select"]));
        let script = builder.add(requirement(&[b"<script"]));
        let overlapping = builder.add(requirement(&[b"rip"]));
        assert_eq!(builder.add(requirement(&[b"rip"])), overlapping);
        let set = builder.build().unwrap();
        let mut open = vec![0; set.words()];
        set.scan(b"a Union b", &mut open);
        assert_eq!([union, script, overlapping].map(|gate| gate.is_open(&open)), [true, false, false]);
        set.scan(b"<SCRIPT>", &mut open);
        assert_eq!([union, script, overlapping].map(|gate| gate.is_open(&open)), [true, true, true]);
    }
}
