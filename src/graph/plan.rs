//! The plan for evaluating rules with as little work as possible. Without it the same rules give the same results, but more slowly.

use super::{ChainId, MarkerId, Phase, PhaseMap, Target, TxComparison, TxName, TxStep};
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, PrefilterSet, ValueKind};
use crate::transform::Transformation;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The number of a target that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// The number of a target list that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetListId(pub u32);

/// The number of a [`RuleBatch`] within its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleBatchId(pub u32);

/// The stage of its transformations at which prefilters scan a value. Prefilters ignore the case of letters, so no scan point ends with a
/// transformation that changes only the case: `compile/plan.rs` leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScanPoint {
    /// The transformations that the value goes through.
    pub chain: ChainId,
    /// `true` to scan the value before them and after each of them, for a rule with `multiMatch`, instead of only after all of them.
    pub every_stage: bool,
}

/// Keys of TX by the source of the pattern that selects them.
pub type SelectedNames = FxHashMap<Box<[u8]>, Box<[TxName]>>;

/// The plan of a graph.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The prefilters of all rules.
    pub prefilters: Arc<PrefilterSet>,
    /// Targets whose values no rule can change during a phase: their values are selected once per phase.
    pub targets: Vec<Arc<PlannedTarget>>,
    /// Lists of such targets.
    pub target_lists: Vec<Arc<[TargetId]>>,
    /// Properties of each chain of transformations, by its number.
    pub chains: Arc<[PlannedChain]>,
    /// The batches of each phase.
    pub batches: PhaseMap<Arc<[RuleBatch]>>,
    /// The steps of each phase, with the data that most steps need close together in memory.
    pub steps: PhaseMap<Arc<[PlannedStep]>>,
    /// The keys of TX in rules that a pattern selects, by the source of the pattern.
    pub selected_names: Arc<SelectedNames>,
    /// The steps of each phase that may have an effect when they are reached in order, a bit for each: markers have none.
    pub open: PhaseMap<Vec<u64>>,
    /// The positions of each marker in each phase, by its number: a file may set a marker several times.
    pub markers: PhaseMap<Arc<MarkerPlaces>>,
}

/// The positions of markers in a phase.
#[derive(Debug, Default)]
pub struct MarkerPlaces {
    /// The start of each marker's positions in `places`, by its number; the last one is their end.
    starts: Box<[u32]>,
    places: Box<[u32]>,
}

/// A step of a phase.
#[derive(Clone, Copy, Debug, Default)]
pub enum PlannedStep {
    /// A marker, or a rule that must be evaluated.
    #[default]
    Ask,
    /// A rule that may be ruled out together with its batch.
    Batched(RuleBatchId),
    /// A rule that reads and writes nothing but TX.
    Tx(TxStep),
}

/// A target, and the kind of its values.
#[derive(Debug)]
pub struct PlannedTarget {
    /// The target.
    pub target: Target,
    /// The kind of its values.
    pub kind: ValueKind,
}

/// Properties of a chain of transformations.
#[derive(Clone, Debug)]
pub struct PlannedChain {
    /// The bytes that the chain acts on: it does not change a value without them.
    pub triggers: ByteSet,
    /// `true` if one of its steps acts on every value.
    pub always: bool,
    /// Its steps.
    pub steps: Box<[PlannedTransformation]>,
}

/// A step of a chain.
#[derive(Clone, Copy, Debug)]
pub struct PlannedTransformation {
    /// The transformation.
    pub transformation: Transformation,
    /// The bytes that it acts on.
    pub triggers: ByteSet,
    /// `true` if it acts on all bytes, and on the empty value too: that has a length and a hash.
    pub always: bool,
}

/// Rules with the same values after the same transformations: one scan of the values rules out those that cannot match.
#[derive(Debug)]
pub struct RuleBatch {
    /// Their targets.
    pub target_list: TargetListId,
    /// The stage at which their values are scanned.
    pub scan_point: ScanPoint,
    /// Their positions in the phase, each with its prefilter. A rule without one cannot match if there is no value.
    pub rules: Vec<(usize, Option<PrefilterId>)>,
}

/// The method to find out that one rule cannot match.
#[derive(Clone, Copy, Debug, Default)]
pub enum RulePlan {
    /// None: the rule must be evaluated.
    #[default]
    Ask,
    /// A comparison of one TX variable with a number.
    Comparison(TxComparison),
    /// The signatures of its values.
    Scan(ValueScan),
}

/// The scan that rules out values of a rule, if no rule can change its targets during a phase.
#[derive(Clone, Copy, Debug)]
pub struct ValueScan {
    /// Its targets.
    pub target_list: TargetListId,
    /// The stage at which its prefilter scans the values.
    pub scan_point: ScanPoint,
    /// The prefilter of its operator: the literals and bytes that a value must contain.
    pub prefilter: Option<PrefilterId>,
    /// `true` if the rule matches when its operator does not.
    pub negated: bool,
}

impl MarkerPlaces {
    /// Collects positions; `places` are markers with their positions, in the order of the phase.
    pub fn new(markers: usize, places: &[(MarkerId, usize)]) -> Self {
        let mut sorted: Vec<(MarkerId, usize)> = places.to_vec();
        sorted.sort_by_key(|(marker, _)| marker.0);
        let start = |marker: usize| sorted.partition_point(|(known, _)| (known.0 as usize) < marker);
        Self {
            starts: (0..=markers).map(|marker| number(start(marker))).collect(),
            places: sorted.iter().map(|(_, place)| number(*place)).collect(),
        }
    }

    /// Returns the first position of a marker that is not before `place`.
    pub fn next(&self, marker: MarkerId, place: usize) -> Option<usize> {
        let marker = marker.0 as usize;
        let places = self.places.get(*self.starts.get(marker)? as usize..*self.starts.get(marker + 1)? as usize)?;
        places.get(places.partition_point(|known| (*known as usize) < place)).map(|place| *place as usize)
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl ScanPoint {
    /// Values without transformations.
    pub const PLAIN: Self = Self { chain: ChainId::EMPTY, every_stage: false };
}

impl ValueScan {
    /// Returns the prefilter that rules out values, unless the rule is negated. A rule without one cannot match if there is no value.
    pub fn excluding(&self) -> Option<PrefilterId> {
        self.prefilter.filter(|_| !self.negated)
    }
}

impl PlannedChain {
    /// Returns `true` if the chain may change a value of these bytes, or one of several values that contain them together.
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
    /// Returns the targets of a target list.
    pub fn target_list(&self, target_list: TargetListId) -> &[TargetId] {
        self.target_lists.get(target_list.0 as usize).map_or(&[], |targets| targets)
    }

    /// Returns the properties of a chain; `None` for the chain without steps.
    pub fn chain(&self, chain: ChainId) -> Option<&PlannedChain> {
        self.chains.get((chain.0 as usize).checked_sub(1)?)
    }

    /// Returns the next position of a marker in a phase.
    pub fn next_marker(&self, phase: Phase, marker: MarkerId, place: usize) -> Option<usize> {
        self.markers.at(phase).next(marker, place)
    }
}
