//! The plan of an evaluation: data that reduce its work. Without a plan the same rules give the same results, slower.

use super::{ChainId, MarkerId, Phase, PhaseMap, Rule, Target, TxName};
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

/// The stage of its transformations at which a value is scanned for prefilters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScanPoint {
    /// The transformations before it.
    pub chain: ChainId,
    /// `true` if the value is scanned before them and after each of them, as for a rule with `multiMatch`, instead of after all.
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
    /// Properties of each transformation chain, by its number.
    pub chains: Vec<PlannedChain>,
    /// The rules of each phase that test the same values.
    pub batches: PhaseMap<Vec<RuleBatch>>,
    /// A summary of each step of each phase: all that most steps need, close together in memory.
    pub steps: PhaseMap<Vec<PlannedStep>>,
    /// The TX keys in rules that a pattern selects, by the source of the pattern.
    pub selected_names: FxHashMap<Box<[u8]>, Box<[TxName]>>,
    /// The steps of each phase that are rules, a bit for each; markers have no effect of their own.
    pub open: PhaseMap<Vec<u64>>,
    /// The positions of each marker in each phase, by its number: a file may set one several times.
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

/// A target, and the kind of its values.
#[derive(Debug)]
pub struct PlannedTarget {
    /// The target.
    pub target: Target,
    /// The kind of its values.
    pub kind: ValueKind,
}

/// Properties of a transformation chain.
#[derive(Clone, Debug)]
pub struct PlannedChain {
    /// The bytes that the chain acts on: it does not change a value without them.
    pub triggers: ByteSet,
    /// `true` if one of its steps acts on every value.
    pub always: bool,
    /// Its steps.
    pub steps: Box<[PlannedTransformation]>,
    /// A shorter chain whose values differ from this one's only in case, which prefilters ignore.
    pub scan_point: ChainId,
}

/// A step of a chain.
#[derive(Clone, Copy, Debug)]
pub struct PlannedTransformation {
    /// The transformation.
    pub transformation: Transformation,
    /// The bytes that it acts on.
    pub triggers: ByteSet,
    /// `true` if it acts on any value: even an empty value has a length and a hash.
    pub always: bool,
}

/// Rules that test the same values after the same transformations: one scan of the values finds the rules that cannot match.
#[derive(Debug)]
pub struct RuleBatch {
    /// Their targets.
    pub target_list: TargetListId,
    /// The stage at which their values are scanned.
    pub scan_point: ScanPoint,
    /// Their positions in the phase, each with its prefilter. A rule without one cannot match if there is no value.
    pub rules: Vec<(usize, Option<PrefilterId>)>,
}

/// The plan of one rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct RulePlan {
    /// Its targets, if they are stable.
    pub target_list: Option<TargetListId>,
    /// The prefilter of its operator.
    pub prefilter: Option<PrefilterId>,
    /// What it compares, if it compares one TX variable with a number.
    pub comparison: Option<TxComparison>,
    /// The batch of the rule; `None` for a chained rule.
    pub batch: Option<RuleBatchId>,
}

/// A comparison of one TX variable with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxComparison {
    /// The variable.
    pub name: TxName,
    /// `true` to compare the number of such variables (0 or 1) instead of the value.
    pub count: bool,
    /// The relation.
    pub relation: Relation,
    /// The number.
    pub number: i64,
    /// `true` if the result is negated.
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
    /// Values before any transformation.
    pub const PLAIN: Self = Self::after(ChainId::EMPTY);

    /// Values after a chain.
    pub const fn after(chain: ChainId) -> Self {
        Self { chain, every_stage: false }
    }

    /// Returns the stage at which a rule tests its values.
    pub fn of(rule: &Rule) -> Self {
        Self { chain: rule.transformations, every_stage: rule.multi_match }
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
    /// Returns `true` if the chain may change a value of these bytes, or one of several values that have them together.
    pub fn may_change(&self, bytes: ByteSet) -> bool {
        self.always || self.triggers.meets(bytes)
    }
}

impl PlannedTransformation {
    /// Returns `true` if the transformation may change a value of these bytes.
    pub fn may_change(&self, bytes: ByteSet) -> bool {
        self.always || self.triggers.meets(bytes)
    }
}

impl Plan {
    /// Returns the targets of a list.
    pub fn target_list(&self, target_list: TargetListId) -> &[TargetId] {
        self.target_lists.get(target_list.0 as usize).map_or(&[], |targets| targets)
    }

    /// Returns the properties of a chain; `None` for the empty chain.
    pub fn chain(&self, chain: ChainId) -> Option<&PlannedChain> {
        self.chains.get((chain.0 as usize).checked_sub(1)?)
    }

    /// Returns the stage that prefilters scan instead, because they ignore case.
    pub fn scan_point(&self, scan_point: ScanPoint) -> ScanPoint {
        ScanPoint { chain: self.chain(scan_point.chain).map_or(scan_point.chain, |known| known.scan_point), ..scan_point }
    }

    /// Returns the next position of a marker in a phase, from `place` on.
    pub fn next_marker(&self, phase: Phase, marker: MarkerId, place: usize) -> Option<usize> {
        let places = self.markers.at(phase).get(marker.0 as usize)?;
        places.get(places.partition_point(|known| *known < place)).copied()
    }
}
