//! Values before and after transformations: each value and chain is computed at most once, and each value is scanned for literals at most once.

use super::{Arena, Budget, PER_VALUE, Text};
use crate::graph::{ChainId, RuleGraph, ScanPoint};
use crate::metrics::TransformationCosts;
use crate::pattern::ByteSet;
use crate::prefilter::{PrefilterSet, Signature, ValueKind};
use crate::transform::Transformation;
use crate::vocabulary::Limit;
use rustc_hash::FxHashMap;
use std::time::Instant;

/// The number of a value within its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ValueId(u32);

/// A transaction with more values than these frees its memory.
const MAX_KEPT: usize = 4096;

/// Maximum size of the output buffer that is kept for the next transaction, in bytes.
const MAX_OUTPUT: usize = 256 << 10;

/// Values, and their results after transformation chains.
#[derive(Debug, Default)]
pub struct TransformCache {
    numbers: FxHashMap<(Text, ValueKind), ValueId>,
    values: Vec<Value>,
    /// Results of transformations.
    computed: Computed,
    /// The literals in values, as bits of the plan's set.
    literals: Vec<u64>,
    /// Output buffer of transformations: a value is stored only if it has changed.
    output: Vec<u8>,
    /// Costs of transformations, during a profile.
    pub costs: Option<Box<TransformationCosts>>,
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
    bytes: ByteSet,
    literals: Literals,
}

/// The literals in a value.
#[derive(Clone, Copy, Debug)]
enum Literals {
    /// It was not scanned.
    Unknown,
    /// It has none, like most values.
    None,
    /// Index of its words in [`TransformCache::literals`].
    Known(usize),
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
        if self.values.len() > MAX_KEPT || self.output.capacity() > MAX_OUTPUT {
            *self = Self::default();
        }
        self.costs = None;
        self.numbers.clear();
        self.values.clear();
        self.computed.clear();
        self.literals.clear();
    }

    /// Returns the number of a value, and assigns one if it is new.
    pub fn number(&mut self, arena: &mut Arena, text: Text, kind: ValueKind) -> ValueId {
        let Self { numbers, values, .. } = self;
        *numbers.entry((text, kind)).or_insert_with(|| add(values, arena, text, kind))
    }

    /// Returns the bytes that occur in a value.
    pub fn bytes(&self, id: ValueId) -> ByteSet {
        self.values.get(id.0 as usize).map_or(ByteSet::ALL, |value| value.bytes)
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
        let mut bytes = self.bytes(original);
        if known.may_change(bytes) {
            for step in &known.steps {
                reached.counted = false;
                if step.may_change(bytes) {
                    reached = self.step(graph, arena, reached, step.transformation);
                    bytes = self.bytes(reached.id);
                }
            }
        }
        reached
    }

    /// Appends the values that prefilters scan: a value after a chain, or every different value on the way.
    pub fn stages(&mut self, graph: &RuleGraph, arena: &mut Arena, original: ValueId, scan_point: ScanPoint, found: &mut Vec<ValueId>) {
        let known = graph.plan.as_ref().and_then(|plan| plan.chain(scan_point.chain)).filter(|_| scan_point.every_stage);
        let Some(known) = known else { return found.push(self.value(graph, arena, original, scan_point.chain).id) };
        let mut reached = Transformed { id: original, value: self.text(original), counted: false };
        for step in &known.steps {
            if step.may_change(self.bytes(reached.id)) {
                let before = reached.id;
                reached = self.step(graph, arena, reached, step.transformation);
                if reached.id != before {
                    found.push(reached.id);
                }
            }
        }
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

    /// Returns the signature of a value, and scans it if necessary.
    pub fn signature(&mut self, literals: &PrefilterSet, arena: &mut Arena, id: ValueId) -> Signature<'_> {
        let Some(value) = self.values.get_mut(id.0 as usize) else { return Signature { bytes: ByteSet::ALL, literals: &[] } };
        let held = match value.literals {
            Literals::Known(start) => start..start + literals.words(),
            Literals::None => 0..0,
            Literals::Unknown => {
                let start = self.literals.len();
                self.literals.resize(start + literals.words(), 0);
                arena.budget.charge(value.text.len());
                let seen = self.literals.get_mut(start..).unwrap_or_default();
                literals.scan(value.kind, arena.read(value.text), seen);
                if seen.iter().all(|word| *word == 0) {
                    self.literals.truncate(start);
                } else {
                    arena.budget.reserve(size_of_val(seen));
                }
                value.literals = if self.literals.len() > start { Literals::Known(start) } else { Literals::None };
                start..self.literals.len()
            }
        };
        Signature { bytes: value.bytes, literals: self.literals.get(held).unwrap_or_default() }
    }
}

/// Assigns a number to a value.
fn add(values: &mut Vec<Value>, arena: &mut Arena, text: Text, kind: ValueKind) -> ValueId {
    arena.budget.reserve(size_of::<Value>() + size_of::<((Text, ValueKind), ValueId)>());
    values.push(Value { text, kind, bytes: ByteSet::of(arena.read(text)), literals: Literals::Unknown });
    ValueId(u32::try_from(values.len() - 1).unwrap_or(u32::MAX))
}
