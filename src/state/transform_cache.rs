//! Values before and after transformations, and their signatures: each is computed at most once.

use super::scan_memo::{ScanId, ScanMemo};
use super::scan_results::{ScanResults, ScannedPoint};
use super::stages::{Original, Stages};
use super::value_numbers::{Vacant, ValueId, ValueNumbers};
use super::{Arena, Budget, PER_VALUE, Text};
use crate::graph::{ChainId, Plan, PlanPart, RuleGraph, ScanPointId, ScanPointSet};
use crate::metrics::TransformationCosts;
use crate::pattern::ByteSet;
use crate::prefilter::{Signature, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::Limit;
use std::num::NonZeroU8;
use std::time::Instant;

/// A transaction with more values than these frees its memory.
const MAX_KEPT: usize = 4096;

/// Maximum size of the output buffer that is kept for the next transaction, in bytes.
const MAX_OUTPUT: usize = 256 << 10;

/// The signature of a value that was not scanned.
const UNKNOWN: Signature<'static> = Signature { bytes: ByteSet::ALL, literals: &[] };

/// Values, and their results after transformation chains.
#[derive(Debug, Default)]
pub struct TransformCache {
    numbers: ValueNumbers,
    values: Vec<Value>,
    /// Results of transformations.
    computed: Computed,
    /// The signatures of values.
    scans: ScanMemo,
    /// The scans of bodies that were scanned while they arrived.
    arrived: Vec<Arrived>,
    /// Buffers for the stages of a value that is scanned.
    stages: Stages,
    /// The scan points that transactions have asked about: those of rules that are skipped are not scanned ahead.
    reached: ScanPointSet,
    /// Output buffer of transformations: a value is stored only if it has changed.
    output: Vec<u8>,
    /// Costs of transformations, during a profile.
    pub costs: Option<Box<TransformationCosts>>,
}

/// A value that was scanned before rules asked for it.
#[derive(Debug)]
struct Arrived {
    text: Text,
    kind: ValueKind,
    results: ScanResults,
}

/// Memo table `[transformation][value] → result`; rows keep consecutive look-ups of one step in cache.
#[derive(Debug, Default)]
struct Computed {
    of: Vec<Vec<Option<Outcome>>>,
}

/// The result of a transformation of a value.
#[derive(Clone, Copy, Debug)]
struct Outcome {
    id: ValueId,
    counted: bool,
}

impl Computed {
    fn clear(&mut self) {
        self.of.iter_mut().for_each(Vec::clear);
    }

    fn get(&self, transformation: Transformation, id: ValueId) -> Option<Outcome> {
        self.of.get(transformation as usize)?.get(id.0 as usize).copied().flatten()
    }

    fn insert(&mut self, work: &mut Budget, transformation: Transformation, id: ValueId, outcome: Outcome) {
        let (row, place) = (transformation as usize, id.0 as usize);
        if self.of.len() <= row {
            self.of.resize_with(row + 1, Vec::new);
        }
        if let Some(row) = self.of.get_mut(row) {
            if row.len() <= place {
                work.reserve((place + 1 - row.len()) * size_of::<Option<Outcome>>());
                row.resize(place + 1, None);
            }
            row.get_mut(place).into_iter().for_each(|known| *known = Some(outcome));
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Value {
    text: Text,
    kind: ValueKind,
    /// The bytes that occur in it, if they were asked for before it was scanned.
    bytes: Option<ByteSet>,
    /// The place of its scan results, once it was scanned.
    scan: Option<ScanId>,
    /// The points whose scans were charged; all those that cannot change the value are [`ScanPointId::PLAIN`].
    charged: ScanPointSet,
}

/// A value after a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transformed {
    /// The number of the value.
    pub id: ValueId,
    /// The value.
    pub value: Text,
    /// `true` if the last step counts as a change, so that `multiMatch` tests it.
    pub counted: bool,
}

impl TransformCache {
    /// Removes all values, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        self.scans.clear();
        if self.values.len() > MAX_KEPT || self.output.capacity() > MAX_OUTPUT {
            *self = Self { scans: std::mem::take(&mut self.scans), reached: self.reached, ..Self::default() };
        }
        self.costs = None;
        self.arrived.clear();
        self.numbers.clear();
        self.values.clear();
        self.computed.clear();
    }

    /// Returns the number of a value, and assigns one if it is new.
    pub fn number(&mut self, arena: &mut Arena, text: Text, kind: ValueKind) -> ValueId {
        self.find(text, kind).unwrap_or_else(|vacant| self.add(arena, vacant, text, kind))
    }

    /// Returns the number of a value as [`number`](Self::number) does, with the scan points that may change it, and its signature as received: `None`
    /// for a value that is new once the budget is exhausted.
    #[inline]
    pub fn learn(
        &mut self,
        graph: &RuleGraph,
        plan: &Plan,
        arena: &mut Arena,
        text: Text,
        kind: ValueKind,
    ) -> (ValueId, Option<(ScanPointSet, Signature<'_>)>) {
        let (id, charged) = match self.find(text, kind) {
            Ok(id) => (id, self.charged_place(id, ScanPointId::PLAIN)),
            Err(vacant) => (self.add(arena, vacant, text, kind), None),
        };
        let place = match charged {
            Some(place) => Some(place),
            None if arena.budget.is_over() => return (id, None),
            None => self.charge_place(graph, plan, arena, id, ScanPointId::PLAIN, ScanPointSet::default()),
        };
        let scanned = place.and_then(|(scan, place)| self.at(scan, place));
        let known = scanned.map(|(results, scanned)| (results.changing, results.signature(scanned, plan.prefilters.words())));
        (id, Some(known.unwrap_or((ScanPointSet::default(), UNKNOWN))))
    }

    #[inline]
    fn find(&self, text: Text, kind: ValueKind) -> Result<ValueId, Vacant> {
        let is_same = |id: ValueId| self.values.get(id.0 as usize).is_some_and(|value| value.text == text && value.kind == kind);
        self.numbers.find(text, is_same)
    }

    #[inline]
    fn add(&mut self, arena: &mut Arena, vacant: Vacant, text: Text, kind: ValueKind) -> ValueId {
        let Self { numbers, values, .. } = self;
        let id = add(values, arena, text, kind);
        numbers.insert(vacant, text, id, |id| values.get(id.0 as usize).map_or(Text::EMPTY, |value| value.text));
        id
    }

    /// Returns the bytes that occur in a value.
    fn bytes(&mut self, arena: &Arena, id: ValueId) -> ByteSet {
        let Some(value) = self.values.get_mut(id.0 as usize) else { return ByteSet::ALL };
        match value.scan.and_then(|scan| self.scans.get(scan)) {
            Some(results) => results.bytes,
            None => *value.bytes.get_or_insert_with(|| ByteSet::of(arena.read(value.text))),
        }
    }

    /// Returns a value after a chain, and computes it if necessary. The result of a step is shared by all chains that reach it.
    pub fn value(&mut self, graph: &RuleGraph, arena: &mut Arena, original: ValueId, chain: ChainId) -> Transformed {
        let mut reached = Transformed { id: original, value: self.text(original), counted: false };
        if chain == ChainId::EMPTY {
            return reached;
        }
        let Some(known) = graph.plan.as_ref().and_then(|plan| plan.chain(chain)) else {
            let steps = graph.transformations.prefixes(chain).into_iter().filter_map(|prefix| graph.transformations.last_step(prefix));
            return steps.fold(reached, |before, step| self.step(graph, arena, before, step.transformation));
        };
        let mut bytes = self.bytes(arena, original);
        if known.may_change(bytes) {
            for step in &known.steps {
                reached.counted = false;
                if step.may_change(bytes) {
                    reached = self.step(graph, arena, reached, step.transformation);
                    bytes = self.bytes(arena, reached.id);
                }
            }
        }
        reached
    }

    /// Returns `true` if a step of a chain may change a value, or count as a change.
    pub fn may_change(&mut self, graph: &RuleGraph, arena: &Arena, id: ValueId, chain: ChainId) -> bool {
        let known = graph.plan.as_ref().and_then(|plan| plan.chain(chain));
        known.is_none_or(|known| known.may_change(self.bytes(arena, id)))
    }

    fn text(&self, id: ValueId) -> Text {
        self.values.get(id.0 as usize).map_or(Text::EMPTY, |value| value.text)
    }

    /// Returns the result of one transformation of a value.
    fn step(&mut self, graph: &RuleGraph, arena: &mut Arena, before: Transformed, transformation: Transformation) -> Transformed {
        if let Some(Outcome { id, counted }) = self.computed.get(transformation, before.id) {
            return Transformed { id, value: self.text(id), counted };
        }
        let start = self.costs.as_ref().map(|_| Instant::now());
        arena.budget.charge(before.value.len() + PER_VALUE);
        let effect = transformation.apply(arena.read(before.value), &mut self.output, graph.unicode_map.as_deref());
        if let (Some(costs), Some(start)) = (&mut self.costs, start) {
            costs.add(transformation, start.elapsed());
        }
        let mut after = Transformed { counted: effect.counted, ..before };
        if effect.rewritten {
            if self.output.len() > before.value.len() {
                let max = graph.settings.limit(Limit::Transformation).max(before.value.len());
                if self.output.len() > max {
                    arena.budget.exceed(Limit::Transformation);
                    self.output.truncate(max);
                }
            }
            after.value = arena.store(&self.output);
            let kind = self.values.get(before.id.0 as usize).map_or_else(ValueKind::default, |value| value.kind);
            after.id = add(&mut self.values, arena, after.value, kind.made_by(transformation as u8));
        }
        self.computed.insert(&mut arena.budget, transformation, before.id, Outcome { id: after.id, counted: after.counted });
        after
    }

    /// Returns the scan points that are worth a scan before rules ask for it: none during a profile, which measures scans.
    pub fn reached(&self) -> ScanPointSet {
        if self.costs.is_some() { ScanPointSet::default() } else { self.reached }
    }

    /// Takes the results of a value that was scanned while it arrived.
    pub fn take_scan(&mut self, text: Text, kind: ValueKind, results: ScanResults) {
        self.arrived.push(Arrived { text, kind, results });
    }

    /// Returns the signature of a value at a scan point. If the value must be scanned, it is scanned ahead at those of `others` that rules have
    /// reached before.
    #[inline]
    pub fn signature(
        &mut self,
        graph: &RuleGraph,
        plan: &Plan,
        arena: &mut Arena,
        id: ValueId,
        point: ScanPointId,
        others: ScanPointSet,
    ) -> Signature<'_> {
        let place = self.place_of(graph, plan, arena, id, point, others);
        let scanned = place.and_then(|(scan, place)| self.at(scan, place));
        scanned.map_or(UNKNOWN, |(results, scanned)| results.signature(scanned, plan.prefilters.words()))
    }

    #[inline]
    fn at(&self, scan: ScanId, place: NonZeroU8) -> Option<(&ScanResults, &ScannedPoint)> {
        let results = self.scans.get(scan)?;
        Some((results, results.at(place)?))
    }

    /// Returns the place of a value's result at a scan point, which is charged when it is first asked for.
    #[inline]
    fn place_of(
        &mut self,
        graph: &RuleGraph,
        plan: &Plan,
        arena: &mut Arena,
        id: ValueId,
        point: ScanPointId,
        others: ScanPointSet,
    ) -> Option<(ScanId, NonZeroU8)> {
        match self.charged_place(id, point) {
            Some(known) => Some(known),
            None => self.charge_place(graph, plan, arena, id, point, others),
        }
    }

    /// Returns the place of a result that was charged.
    #[inline]
    fn charged_place(&self, id: ValueId, point: ScanPointId) -> Option<(ScanId, NonZeroU8)> {
        let value = self.values.get(id.0 as usize)?;
        let scan = value.scan?;
        let results = self.scans.get(scan)?;
        let point = results.distinct(point);
        value.charged.contains(point).then(|| results.place(point)).flatten().map(|place| (scan, place))
    }

    /// Returns the place of a result, and charges it.
    #[inline(never)]
    fn charge_place(
        &mut self,
        graph: &RuleGraph,
        plan: &Plan,
        arena: &mut Arena,
        id: ValueId,
        point: ScanPointId,
        others: ScanPointSet,
    ) -> Option<(ScanId, NonZeroU8)> {
        let Self { values, scans, arrived, costs, .. } = &mut *self;
        let value = values.get_mut(id.0 as usize)?;
        let scan = match value.scan {
            Some(scan) => scan,
            None => {
                let is_this = |arrived: &Arrived| arrived.text == value.text && arrived.kind == value.kind;
                *value.scan.insert(match arrived.iter().position(is_this) {
                    Some(place) => scans.add(plan, arrived.swap_remove(place).results),
                    // A profile measures scans, so that it remembers none.
                    None => scans.find(plan, value.kind, arena.read(value.text), plan.has(PlanPart::ScanMemo) && costs.is_none()),
                })
            }
        };
        let results = scans.get(scan)?;
        let point = results.distinct(point);
        let Some(place) = results.place(point) else {
            self.scan(graph, plan, arena, id, scan, point, others)?;
            return self.charge_place(graph, plan, arena, id, point, others);
        };
        let scanned = results.at(place)?;
        if !value.charged.contains(point) {
            value.charged = value.charged.with(point);
            arena.budget.charge(scanned.work as usize);
            arena.budget.reserve(size_of_val(scanned) + scanned.size_of_literals(plan.prefilters.words()));
            if scanned.exceeds {
                arena.budget.exceed(Limit::Transformation);
            }
        }
        Some((scan, place))
    }

    /// Scans a value at a distinct point. Returns the place of the result.
    #[inline(never)]
    #[allow(clippy::too_many_arguments)]
    fn scan(
        &mut self,
        graph: &RuleGraph,
        plan: &Plan,
        arena: &Arena,
        id: ValueId,
        scan: ScanId,
        point: ScanPointId,
        others: ScanPointSet,
    ) -> Option<NonZeroU8> {
        let (results, value) = self.scans.get_mut(scan).zip(self.values.get(id.0 as usize))?;
        let original = Original { value: arena.read(value.text), kind: value.kind, graph, plan };
        if results.changing.contains(point) {
            self.reached = self.reached.with(point);
            self.stages.scan(original, results, point, others.intersection(self.reached), self.costs.as_deref_mut());
        } else {
            self.stages.scan_plain(original, results);
        }
        results.place(point)
    }
}

/// Assigns a number to a value.
fn add(values: &mut Vec<Value>, arena: &mut Arena, text: Text, kind: ValueKind) -> ValueId {
    arena.budget.reserve(size_of::<Value>() + size_of::<ScanResults>() + size_of::<((Text, ValueKind), ValueId)>());
    values.push(Value { text, kind, bytes: None, scan: None, charged: ScanPointSet::default() });
    ValueId(u32::try_from(values.len() - 1).unwrap_or(u32::MAX))
}
