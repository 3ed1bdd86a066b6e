//! Transformation chains as a tree of prefixes, so that rules that begin alike share the work.

use crate::transform::Transformation;
use std::collections::HashMap;

/// A chain of transformations: a node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId(pub u32);

/// The last step of a chain, and the chain in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainStep {
    /// The chain without its last step.
    pub before: ChainId,
    /// The last step.
    pub transformation: Transformation,
}

/// All chains of a graph.
#[derive(Clone, Debug, Default)]
pub struct TransformationTree {
    nodes: Vec<ChainStep>,
    numbers: HashMap<ChainStep, ChainId>,
}

impl ChainId {
    /// The chain without steps.
    pub const EMPTY: ChainId = ChainId(0);
}

impl TransformationTree {
    /// The number of the chain that goes on from another with one more step.
    pub fn extend(&mut self, before: ChainId, transformation: Transformation) -> ChainId {
        let step = ChainStep { before, transformation };
        if let Some(known) = self.numbers.get(&step) {
            return *known;
        }
        self.nodes.push(step);
        let id = ChainId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.numbers.insert(step, id);
        id
    }

    /// The number of a whole chain.
    pub fn intern(&mut self, chain: &[Transformation]) -> ChainId {
        chain.iter().fold(ChainId::EMPTY, |before, transformation| self.extend(before, *transformation))
    }

    /// The last step of a chain; `None` for the chain without steps.
    pub fn last_step(&self, chain: ChainId) -> Option<ChainStep> {
        self.nodes.get((chain.0 as usize).checked_sub(1)?).copied()
    }

    /// The prefixes of a chain from its first step to the whole chain.
    pub fn prefixes(&self, chain: ChainId) -> Vec<ChainId> {
        let mut prefixes: Vec<_> = std::iter::successors(Some(chain), |id| self.last_step(*id).map(|step| step.before))
            .filter(|id| *id != ChainId::EMPTY)
            .collect();
        prefixes.reverse();
        prefixes
    }

    /// How many different chains there are, the empty one not counted.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns `true` if no rule transforms anything.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_share_their_prefixes() {
        let mut tree = TransformationTree::default();
        let long = tree.intern(&[Transformation::UrlDecodeUni, Transformation::Lowercase]);
        let short = tree.intern(&[Transformation::UrlDecodeUni]);
        assert_eq!(tree.len(), 2);
        assert_eq!(tree.prefixes(long), [short, long]);
        assert_eq!(tree.prefixes(ChainId::EMPTY), []);
    }
}
