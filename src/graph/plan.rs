//! How the rules are asked with as little work as possible. Without a plan the same rules give the same answers, slower.

use super::{ChainId, MarkerId, Phase, PhaseMap, Target, TxName};
use crate::pattern::{ByteSet, GateId, LiteralSet};

/// The number of a list of targets that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// The plan of a graph.
#[derive(Debug, Default)]
pub struct Plan {
    /// The literals behind all gates; none where there is no gate.
    pub literals: Option<LiteralSet>,
    /// Lists of targets whose values no rule can change while a phase runs: they are selected once per phase.
    pub groups: Vec<Box<[Target]>>,
    /// The bytes that each chain of transformations acts on, by number: a value without them stays as it is.
    pub triggers: Vec<ByteSet>,
    /// Where each marker stands in each phase, by its number.
    pub markers: PhaseMap<Vec<Option<usize>>>,
}

/// What the plan knows of one rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct RulePlan {
    /// Its targets, where they are stable.
    pub group: Option<GroupId>,
    /// What any value that matches must hold.
    pub gate: Option<GateId>,
    /// Where the rule compares one TX variable and nothing else: that variable.
    pub tx: Option<TxName>,
}

impl Plan {
    /// The targets of a group.
    pub fn targets(&self, group: GroupId) -> &[Target] {
        self.groups.get(group.0 as usize).map_or(&[], |targets| targets)
    }

    /// The bytes that a chain acts on; all, where nothing is known.
    pub fn triggers(&self, chain: ChainId) -> ByteSet {
        self.triggers.get(chain.0 as usize).copied().unwrap_or(ByteSet::ALL)
    }

    /// Where a marker stands in a phase.
    pub fn marker(&self, phase: Phase, marker: MarkerId) -> Option<usize> {
        self.markers.at(phase).get(marker.0 as usize).copied().flatten()
    }
}
