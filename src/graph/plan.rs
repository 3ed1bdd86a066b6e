//! The plan for evaluating rules with as little work as possible. Without it the same rules give the same results, but more slowly.

use super::{ChainId, MarkerId, Phase, PhaseMap, Target, TxComparison, TxName, TxStep};
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterId, PrefilterSet, ValueKind};
use crate::transform::Transformation;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a target that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub u32);

/// The number of a target list that several rules share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetListId(pub u32);

/// The number of a [`RuleBatch`] within its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleBatchId(pub u32);

/// The number of a scan point in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScanPointId(pub u8);

/// A set of scan points, a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanPointSet([u64; 2]);

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

/// The number of a plan. Plans of the process that have the same number find the same in a value: an extension has that of its base, as long as it adds
/// nothing to find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlanId(u64);

/// The parts of a plan. Each can be left out, to measure what it saves, and to show that it did not cause a surprising verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanPart {
    /// Required literals and bytes rule out rules and values.
    Prefilters,
    /// Rules on TX alone run without being evaluated.
    TxSteps,
    /// Signatures of short values stay for later transactions.
    ScanMemo,
    /// Bodies are read while they arrive.
    EarlyBodies,
    /// A load judges exchanges of its own.
    WarmUp,
}

/// The plan of a graph.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Its number. Signatures of values are valid for plans of this number only.
    pub id: PlanId,
    /// The part that is left out, if any.
    pub left_out: Option<PlanPart>,
    /// The prefilters of all rules.
    pub prefilters: Arc<PrefilterSet>,
    /// Targets whose values no rule can change during a phase: their values are selected once per phase.
    pub targets: Vec<Arc<PlannedTarget>>,
    /// Lists of such targets.
    pub target_lists: Vec<Arc<[TargetId]>>,
    /// Properties of each chain of transformations, by its number.
    pub chains: Arc<[PlannedChain]>,
    /// The points at which values are scanned for the prefilters.
    pub scan_points: Arc<[ScanPoint]>,
    /// The points at which the values of each target are scanned.
    pub target_points: Vec<ScanPointSet>,
    /// Which scan points look at a changed value.
    pub changes: Arc<ScanPointChanges>,
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

/// The bytes by which the transformations of scan points may change a value.
#[derive(Debug, Default)]
pub struct ScanPointChanges {
    /// The points that may change any value.
    pub always: ScanPointSet,
    /// Sets of bytes, and the points that may change a value with one of them.
    pub triggers: Vec<(ByteSet, ScanPointSet)>,
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
    pub scan_point: ScanPointId,
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
    pub scan_point: ScanPointId,
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

impl PlanId {
    /// Returns a new number.
    pub fn new_unique() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl ScanPointId {
    /// Values without transformations.
    pub const PLAIN: Self = Self(0);
}

impl ScanPointSet {
    /// The largest number of scan points in a plan.
    pub const CAPACITY: usize = 128;

    /// Returns `true` if the point is in the set.
    #[inline]
    pub fn contains(self, ScanPointId(point): ScanPointId) -> bool {
        let Self([low, high]) = self;
        let word = if point < 64 { low } else { high };
        word >> (point & 63) & 1 == 1
    }

    /// Returns the set with a point added.
    #[inline]
    #[must_use]
    pub fn with(self, ScanPointId(point): ScanPointId) -> Self {
        let (Self([low, high]), bit) = (self, 1 << (point & 63));
        if point < 64 { Self([low | bit, high]) } else { Self([low, high | bit]) }
    }

    /// Returns the points of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let (Self([low, high]), Self([other_low, other_high])) = (self, other);
        Self([low | other_low, high | other_high])
    }

    /// Returns the points of both sets.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let (Self([low, high]), Self([other_low, other_high])) = (self, other);
        Self([low & other_low, high & other_high])
    }

    /// Returns the points, lowest first.
    pub fn iter(self) -> impl Iterator<Item = ScanPointId> {
        let Self([mut low, mut high]) = self;
        std::iter::from_fn(move || {
            let (word, first) = if low != 0 { (&mut low, 0) } else { (&mut high, 64) };
            let bit = u8::try_from(word.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
            *word &= *word - 1;
            Some(ScanPointId(first + bit))
        })
    }
}

impl ScanPointChanges {
    /// Returns the points at which a value of these bytes may be changed.
    pub fn of(&self, bytes: ByteSet) -> ScanPointSet {
        let triggered = self.triggers.iter().filter(|(triggers, _)| triggers.meets(bytes));
        triggered.fold(self.always, |changed, (_, points)| changed.union(*points))
    }
}

impl ValueScan {
    /// Returns the prefilter that rules out values, unless the rule is negated. A rule without one cannot match if there is no value.
    pub fn excluding(&self) -> Option<PrefilterId> {
        self.prefilter.filter(|_| !self.negated)
    }
}

impl PlannedChain {
    /// Returns `true` if the chain may change a value of these bytes.
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
    /// Returns `true` if the plan has this part.
    #[inline]
    pub fn has(&self, part: PlanPart) -> bool {
        self.left_out != Some(part)
    }

    /// Returns the targets of a target list.
    pub fn target_list(&self, target_list: TargetListId) -> &[TargetId] {
        self.target_lists.get(target_list.0 as usize).map_or(&[], |targets| targets)
    }

    /// Returns a scan point. The first is [`ScanPoint::PLAIN`].
    pub fn scan_point(&self, point: ScanPointId) -> ScanPoint {
        self.scan_points.get(usize::from(point.0)).copied().unwrap_or(ScanPoint::PLAIN)
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
