//! How the rules are asked with as little work as possible. Without a plan the same rules give the same answers, slower.

use super::{ChainId, MarkerId, Phase, PhaseMap, Target, TxName};
use crate::operator::Relation;
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, PrefilterSet, ValueKind};
use crate::transform::Transformation;
use rustc_hash::FxHashMap;

/// The number of a target that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// The number of a list of targets that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetListId(pub u32);

/// The number of a [`RuleBatch`] within its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleBatchId(pub u32);

/// The stage of its transformations at which a prefilter looks at a value. Prefilters ignore the case of letters, so that no scan point ends with a
/// transformation that changes only that: `compile/plan.rs` leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScanPoint {
    /// The transformations that the value goes through.
    pub chain: ChainId,
    /// Whether it is looked at before them and after each of them, as a rule with `multiMatch` does, instead of after all.
    pub every_stage: bool,
}

/// The plan of a graph.
#[derive(Debug, Default)]
pub struct Plan {
    /// The prefilters of all rules.
    pub prefilters: PrefilterSet,
    /// Targets whose values no rule can change while a phase runs: they are selected once per phase.
    pub targets: Vec<PlannedTarget>,
    /// Lists of such targets.
    pub target_lists: Vec<Box<[TargetId]>>,
    /// What is known of each chain of transformations, by its number.
    pub chains: Vec<PlannedChain>,
    /// The rules of each phase that look at the same values.
    pub batches: PhaseMap<Vec<RuleBatch>>,
    /// What is looked at first of each step of each phase: all that most steps need, close together in memory.
    pub steps: PhaseMap<Vec<PlannedStep>>,
    /// The keys of TX that rules name and a pattern selects, by the source of the pattern.
    pub selected_names: FxHashMap<Box<[u8]>, Box<[TxName]>>,
    /// The steps of each phase that may do anything when they are come to in order, a bit for each: no marker does.
    pub open: PhaseMap<Vec<u64>>,
    /// The places where each marker stands in each phase, by its number: a file may set one again and again.
    pub markers: PhaseMap<Vec<Vec<usize>>>,
}

/// A step of a phase.
#[derive(Clone, Copy, Debug, Default)]
pub enum PlannedStep {
    /// A marker, or a rule that must be asked.
    #[default]
    Ask,
    /// A rule that may be ruled out with those that look at the same.
    Batched(RuleBatchId),
    /// A rule that compares one TX variable with a number.
    Comparison(TxComparison),
}

/// A target, and what its values are searched for.
#[derive(Debug)]
pub struct PlannedTarget {
    /// The target.
    pub target: Target,
    /// The kind of its values.
    pub kind: ValueKind,
}

/// What is known of a chain of transformations.
#[derive(Clone, Debug)]
pub struct PlannedChain {
    /// The bytes that the chain acts on: a value without them stays as it is.
    pub triggers: ByteSet,
    /// Whether one of its steps acts on every value.
    pub always: bool,
    /// Its steps.
    pub steps: Box<[PlannedTransformation]>,
}

/// A step of a chain.
#[derive(Clone, Copy, Debug)]
pub struct PlannedTransformation {
    /// What is done.
    pub transformation: Transformation,
    /// The bytes that it acts on.
    pub triggers: ByteSet,
    /// Whether it acts on every byte, and on no byte too: an empty value has a length and a hash.
    pub always: bool,
}

/// Rules that look at the same values after the same transformations: one look at the values tells which of them cannot match.
#[derive(Debug)]
pub struct RuleBatch {
    /// What they look at.
    pub target_list: TargetListId,
    /// Where they look at the values.
    pub scan_point: ScanPoint,
    /// Their places in the phase, each with its prefilter. A rule without one cannot match if there is no value.
    pub rules: Vec<(usize, Option<PrefilterId>)>,
}

/// How the plan finds out that one rule cannot match.
#[derive(Clone, Copy, Debug, Default)]
pub enum RulePlan {
    /// Not at all: the rule must be asked.
    #[default]
    Ask,
    /// By a comparison of one TX variable with a number.
    Comparison(TxComparison),
    /// By what its values hold.
    Scan(ValueScan),
}

/// What tells that values cannot match, of a rule whose targets no rule can change while a phase runs.
#[derive(Clone, Copy, Debug)]
pub struct ValueScan {
    /// What it looks at.
    pub target_list: TargetListId,
    /// Where its prefilter looks at the values.
    pub scan_point: ScanPoint,
    /// The prefilter of its operator: what must be in a value, so that it finds something.
    pub prefilter: Option<PrefilterId>,
    /// Whether the rule matches where its operator finds nothing.
    pub negated: bool,
}

/// A comparison of one TX variable with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxComparison {
    /// The variable.
    pub name: TxName,
    /// Whether it is asked if there is one (1) or none (0), instead of its value.
    pub count: bool,
    /// How it is compared.
    pub relation: Relation,
    /// With what.
    pub number: i64,
    /// Whether the answer is turned around.
    pub negated: bool,
    /// What a match needs.
    pub on_match: OnMatch,
}

/// What a match of a rule that compares a TX variable needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMatch {
    /// The rule must be asked as every other, since a log tells what matched.
    Ask,
    /// What matched is noted, and the rule goes on as every rule that matched.
    Note,
    /// The rule does nothing but jump.
    Jump {
        /// To this marker.
        marker: MarkerId,
        /// Whether it also takes an earlier status back, as `pass` does.
        passes: bool,
    },
}

impl ScanPoint {
    /// Values as they come.
    pub const PLAIN: Self = Self { chain: ChainId::EMPTY, every_stage: false };
}

impl ValueScan {
    /// The prefilter that tells that values cannot match. A rule without one cannot match if there is no value.
    pub fn excluding(&self) -> Option<PrefilterId> {
        self.prefilter.filter(|_| !self.negated)
    }
}

impl TxComparison {
    /// Returns `true` if the rule matches, given the value of its variable. An unset variable never matches, not even a negated
    /// comparison.
    pub fn holds(&self, value: Option<&[u8]>) -> bool {
        let asked = if self.count { Some(if value.is_some() { &b"1"[..] } else { b"0" }) } else { value };
        asked.is_some_and(|value| self.relation.holds(value, self.number) != self.negated)
    }
}

impl PlannedChain {
    /// Returns `true` if a value of these bytes, or one of several that have them together, may come out changed.
    pub fn may_change(&self, bytes: ByteSet) -> bool {
        self.always || self.triggers.meets(bytes)
    }
}

impl PlannedTransformation {
    /// Returns `true` if it may change a value of these bytes.
    pub fn may_change(&self, bytes: ByteSet) -> bool {
        self.always || self.triggers.meets(bytes)
    }
}

impl Plan {
    /// The targets of a list of targets.
    pub fn target_list(&self, target_list: TargetListId) -> &[TargetId] {
        self.target_lists.get(target_list.0 as usize).map_or(&[], |targets| targets)
    }

    /// What is known of a chain; none for the chain without steps.
    pub fn chain(&self, chain: ChainId) -> Option<&PlannedChain> {
        self.chains.get((chain.0 as usize).checked_sub(1)?)
    }

    /// Where a marker stands next in a phase, from a place on.
    pub fn next_marker(&self, phase: Phase, marker: MarkerId, place: usize) -> Option<usize> {
        let places = self.markers.at(phase).get(marker.0 as usize)?;
        places.get(places.partition_point(|known| *known < place)).copied()
    }
}
