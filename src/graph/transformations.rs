//! Transformation chains as a tree of prefixes, so that rules with a common prefix share its work.

use crate::transform::Transformation;
use std::collections::HashMap;

/// A chain of transformations: a node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainId(pub u32);

/// The last step of a chain, and the chain before it.
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
    /// Returns the number of a chain with one more step.
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

    /// Returns the number of a whole chain.
    pub fn intern(&mut self, chain: &[Transformation]) -> ChainId {
        chain.iter().fold(ChainId::EMPTY, |before, transformation| self.extend(before, *transformation))
    }

    /// Returns the last step of a chain; `None` for the empty chain.
    pub fn last_step(&self, chain: ChainId) -> Option<ChainStep> {
        self.nodes.get((chain.0 as usize).checked_sub(1)?).copied()
    }

    /// Returns the prefixes of a chain, from its first step to the whole chain.
    pub fn prefixes(&self, chain: ChainId) -> Vec<ChainId> {
        let mut prefixes: Vec<_> = std::iter::successors(Some(chain), |id| self.last_step(*id).map(|step| step.before))
            .filter(|id| *id != ChainId::EMPTY)
            .collect();
        prefixes.reverse();
        prefixes
    }

    /// Returns the number of different chains, without the empty one.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns `true` if no rule has a transformation.
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
