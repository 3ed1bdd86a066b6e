//! Transformed values: each value and chain of transformations is computed at most once.

use crate::collection::{Arena, Text};
use crate::graph::{ChainId, RuleGraph};
use std::collections::HashMap;

/// Values after chains of transformations.
#[derive(Debug, Default)]
pub struct Slots {
    computed: HashMap<(Text, ChainId), Slot>,
    /// Where transformations write, so that a value is stored once it is known to have changed.
    output: Vec<u8>,
    /// Where transformations read: storing and reading the arena at the same time is not possible.
    input: Vec<u8>,
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
        let mut missing = Vec::new();
        let mut reached = Slot { value: original, counted: false };
        let mut at = chain;
        while let Some(step) = graph.transformations.last_step(at) {
            if let Some(slot) = self.computed.get(&(original, at)) {
                reached = *slot;
                break;
            }
            missing.push((at, step.transformation));
            at = step.before;
        }
        for (chain, transformation) in missing.into_iter().rev() {
            self.input.clear();
            self.input.extend_from_slice(arena.read(reached.value));
            let effect = transformation.apply(&self.input, &mut self.output, graph.unicode_map.as_ref());
            let value = if effect.rewritten { arena.store(&self.output) } else { reached.value };
            reached = Slot { value, counted: effect.counted };
            self.computed.insert((original, chain), reached);
        }
        reached
    }
}
