//! Follows the plan within one transaction: which values a group of targets has in this phase, and which gates they open.

use crate::collection::{Arena, Selected, Text};
use crate::graph::{ChainId, GroupId};
use crate::pattern::{GateId, LiteralSet};
use rustc_hash::FxHashMap;

/// What is known of values and groups.
#[derive(Debug, Default)]
pub struct Gates {
    /// The gates that a value opens: where its words begin in `words`.
    opened: FxHashMap<Text, usize>,
    words: Vec<u64>,
    groups: Vec<Group>,
    /// Counts the phases: what a group knows is true within one.
    phase: u32,
}

/// A list of targets in this transaction.
#[derive(Debug, Default)]
struct Group {
    phase: u32,
    values: Vec<Selected>,
    /// The gates that any of its values opens after a chain: where their words begin.
    opened: Vec<(ChainId, usize)>,
}

impl Gates {
    /// Forgets what groups know, because a phase begins.
    pub fn begin_phase(&mut self) {
        self.phase += 1;
    }

    /// Lends the values of a group out, if they are known; [`give_back`](Self::give_back) takes them in again.
    pub fn borrow(&mut self, group: GroupId) -> Option<Vec<Selected>> {
        let group = self.groups.get_mut(group.0 as usize).filter(|known| known.phase == self.phase)?;
        Some(std::mem::take(&mut group.values))
    }

    /// Takes the values of a group in.
    pub fn give_back(&mut self, group: GroupId, values: Vec<Selected>) {
        let place = group.0 as usize;
        if self.groups.len() <= place {
            self.groups.resize_with(place + 1, Group::default);
        }
        if let Some(group) = self.groups.get_mut(place) {
            if group.phase != self.phase {
                group.phase = self.phase;
                group.opened.clear();
            }
            group.values = values;
        }
    }

    /// Whether any value of a group opens a gate after a chain; `None` where that was not found out yet.
    pub fn is_open(&self, group: GroupId, chain: ChainId, gate: GateId) -> Option<bool> {
        let group = self.groups.get(group.0 as usize).filter(|known| known.phase == self.phase)?;
        let (_, start) = group.opened.iter().find(|(known, _)| *known == chain)?;
        Some(gate.is_open(self.words.get(*start..).unwrap_or_default()))
    }

    /// Whether one value opens a gate. The value is scanned now if it was not before.
    pub fn opens(&mut self, literals: &LiteralSet, arena: &Arena, value: Text, gate: GateId) -> bool {
        let start = self.scan(literals, arena, value);
        gate.is_open(self.words.get(start..).unwrap_or_default())
    }

    /// Finds out which gates the values of a group open after a chain.
    pub fn find_out(&mut self, literals: &LiteralSet, arena: &Arena, group: GroupId, chain: ChainId, values: impl Iterator<Item = Text>) {
        let starts: Vec<usize> = values.map(|value| self.scan(literals, arena, value)).collect();
        let joined = self.words.len();
        self.words.resize(joined + literals.words(), 0);
        let (known, joined_words) = self.words.split_at_mut(joined);
        for start in starts {
            for (word, more) in joined_words.iter_mut().zip(known.get(start..).unwrap_or_default()) {
                *word |= more;
            }
        }
        if let Some(group) = self.groups.get_mut(group.0 as usize) {
            group.opened.push((chain, joined));
        }
    }

    fn scan(&mut self, literals: &LiteralSet, arena: &Arena, value: Text) -> usize {
        if let Some(start) = self.opened.get(&value) {
            return *start;
        }
        let start = self.words.len();
        self.words.resize(start + literals.words(), 0);
        if let Some(words) = self.words.get_mut(start..) {
            literals.scan(arena.read(value), words);
        }
        self.opened.insert(value, start);
        start
    }
}
