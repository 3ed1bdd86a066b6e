//! Holds the compiled, immutable rule graph: data and look-ups only; imports `body`, `operator`, `pattern`, `script`, `transform` and `vocabulary`.
//!
//! `compile` builds it, and any number of transactions share it.

mod actions;
mod body_use;
mod decision;
mod lookup;
mod names;
mod phase;
mod plan;
mod record_field;
mod rule;
mod settings;
mod target;
mod template;
mod transformations;
mod tx_step;
mod worlds;

pub use actions::{
    AllowScope, Assignment, AssignmentChange, Control, DefaultActions, Disruptive, Effect, LoggingAction, MaskedPart, Opening, Pace,
    PersistentCollection, RuleFilter, TargetFilter,
};
pub use body_use::{BodyUse, BodyUses};
pub use decision::{AddressList, Crawler, Decisions, ForwardedClient, RateLimit, Site, SiteId, TrustedSources};
pub use lookup::Lookup;
pub use names::{TxName, TxNames};
pub use phase::{Phase, PhaseMap};
pub use plan::{
    MarkerPlaces, Plan, PlanId, PlanPart, PlannedChain, PlannedStep, PlannedTarget, PlannedTransformation, RuleBatch, RuleBatchId,
    RulePlan, ScanPoint, ScanPointChanges, ScanPointId, ScanPointSet, SelectedNames, TargetId, TargetListId, ValueScan,
};
pub use record_field::RecordField;
pub use rule::{Location, Metadata, OperatorArgument, Removal, Rule, RuleIndex, Test, UpdatedActions};
pub(crate) use settings::setting_rows;
pub use settings::{
    AuditEngine, AuditFormat, AuditType, BodyProcessor, EngineMode, KeepFiles, LimitAction, Limits, LogLetters, OnFailure, OverBudget,
    Settings,
};
pub use target::{Exclusion, Key, Selector, Target};
pub use template::{Part, Template};
pub use transformations::{ChainId, ChainStep, TransformationTree};
pub use tx_step::{OnMatch, TxComparison, TxOperand, TxStep};
pub use worlds::{Extension, HistoryFile, KNOWN_SCORES, OWN_DATABASE, ScoreNames, Trigger, WAF_EVENT, Worlds, event_type};

use crate::transform::UnicodeMap;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// The number of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarkerId(pub u32);

/// A step of a phase, in the order of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A rule that starts a chain, or is not in one.
    Rule(RuleIndex),
    /// A marker.
    Marker(MarkerId),
}

/// A compiled rule set. Rule sets that extend another share its rules and most of its tables.
#[derive(Debug, Default)]
pub struct RuleGraph {
    /// Settings of the engine.
    pub settings: Settings,
    /// Every rule, including chained ones, in the order of the files; those of an extension come after the rules that it extends.
    pub rules: Vec<Arc<Rule>>,
    /// The rules that never run, each with the directive that removed it.
    pub removed: FxHashMap<RuleIndex, Removal>,
    /// The rules and markers of each phase.
    pub phases: PhaseMap<Arc<[Step]>>,
    /// `SecDefaultAction` of each phase.
    pub defaults: Arc<PhaseMap<DefaultActions>>,
    /// The transformation chains of all rules.
    pub transformations: Arc<TransformationTree>,
    /// The keys of TX that rules name.
    pub tx_names: Arc<TxNames>,
    /// The names of markers, by number.
    pub markers: Vec<Arc<str>>,
    /// The code page of `t:urlDecodeUni`.
    pub unicode_map: Option<Arc<UnicodeMap>>,
    /// Uses of a request body that phase 2 does not inspect.
    pub body_use: BodyUses,
    /// The evaluation plan; `None` if planning is off.
    pub plan: Option<Plan>,
    /// `true` if logs may have to leave something out: a rule has a `sanitise…` action, or there is a `SecSanitise`.
    pub masks: bool,
}

impl RuleGraph {
    /// Returns the rule with this number.
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.rules.get(index.0 as usize).map(Arc::as_ref)
    }

    /// Returns `true` if a `SecSanitise`, a rule or a `SecDefaultAction` keeps values out of the logs.
    pub fn has_masks(&self) -> bool {
        let masks = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Mask(_) | Effect::MaskMatched(_)));
        let of_rule = |rule: &Rule| masks(&rule.effects) || rule.updated.as_ref().is_some_and(|updated| masks(&updated.effects));
        !self.settings.masked.is_empty()
            || self.rules.iter().any(|rule| of_rule(rule))
            || self.defaults.iter().any(|(_, defaults)| masks(&defaults.effects))
    }

    /// Returns the directive that removed a rule, if one did.
    pub fn removal(&self, index: RuleIndex) -> Option<Removal> {
        self.removed.get(&index).copied()
    }

    /// Returns the name of a marker.
    pub fn marker(&self, id: MarkerId) -> &str {
        self.markers.get(id.0 as usize).map_or("", |name| name)
    }

    /// Returns `true` if a rule that runs writes to a record of a persistent collection.
    pub fn writes_records(&self) -> bool {
        let mut rules = (0..).map(RuleIndex).zip(&self.rules).filter(|(index, _)| self.removal(*index).is_none());
        rules.any(|(_, rule)| rule.assignments.iter().any(|assignment| PersistentCollection::of(assignment.variable).is_some()))
    }

    /// Returns the rule with this id that starts a chain or is not in one.
    pub fn find(&self, id: u64) -> Option<&Rule> {
        self.rules.iter().map(Arc::as_ref).find(|rule| rule.id == id && rule.chain_head.is_none())
    }
}
