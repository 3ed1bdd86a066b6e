//! Transformed values: each value and chain of transformations is computed at most once.

use crate::collection::{Arena, Text};
use crate::graph::{ChainId, RuleGraph};
use crate::pattern::ByteSet;
use rustc_hash::FxHashMap;

/// Values after chains of transformations.
#[derive(Debug, Default)]
pub struct Slots {
    computed: FxHashMap<(Text, ChainId), Slot>,
    /// The bytes that each value holds.
    alphabets: FxHashMap<Text, ByteSet>,
    /// Where transformations write, so that a value is stored once it is known to have changed.
    output: Vec<u8>,
    /// Where transformations read: storing and reading the arena at the same time is not possible.
    input: Vec<u8>,
    missing: Vec<(ChainId, crate::transform::Transformation)>,
}

/// A value after a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The value.
    pub value: Text,
    /// Whether the last step counts as a change, so that `multiMatch` looks at it.
    pub counted: bool,
}

impl Slots {
    /// A value after a chain, computed now if it was not before. Every prefix is remembered too.
    pub fn value(&mut self, graph: &RuleGraph, arena: &mut Arena, original: Text, chain: ChainId) -> Slot {
        let unchanged = Slot { value: original, counted: false };
        if chain == ChainId::EMPTY || self.is_untouched(graph, arena, original, chain) {
            return unchanged;
        }
        let mut reached = unchanged;
        let mut at = chain;
        self.missing.clear();
        while let Some(step) = graph.transformations.last_step(at) {
            if let Some(slot) = self.computed.get(&(original, at)) {
                reached = *slot;
                break;
            }
            self.missing.push((at, step.transformation));
            at = step.before;
        }
        while let Some((chain, transformation)) = self.missing.pop() {
            self.input.clear();
            self.input.extend_from_slice(arena.read(reached.value));
            let effect = transformation.apply(&self.input, &mut self.output, graph.unicode_map.as_ref());
            let value = if effect.rewritten { arena.store(&self.output) } else { reached.value };
            reached = Slot { value, counted: effect.counted };
            self.computed.insert((original, chain), reached);
        }
        reached
    }

    /// Whether a value holds none of the bytes that a chain acts on.
    fn is_untouched(&mut self, graph: &RuleGraph, arena: &Arena, value: Text, chain: ChainId) -> bool {
        let Some(plan) = graph.plan.as_ref().filter(|_| !value.is_empty()) else { return false };
        let alphabet = *self.alphabets.entry(value).or_insert_with(|| ByteSet::of(arena.read(value)));
        !alphabet.meets(plan.triggers(chain))
    }
}
