//! Actions of one list, sorted by their use, and rules before their defaults are known.

use super::openings::open_before_assignment;
use crate::graph::{Assignment, Disruptive, Effect, LoggingAction, Metadata, Opening, Phase, Rule, Template, TransformationTree};
use crate::source::Span;
use crate::transform::Transformation;

/// A parsed action.
pub enum ParsedAction {
    Id(u64),
    Phase(Phase),
    Message(Template),
    LogData(Template),
    Severity(u32),
    Tag(Template),
    Revision(Box<str>),
    Version(Box<str>),
    Maturity(u32),
    Accuracy(u32),
    Capture,
    MultiMatch,
    Chain,
    /// `t:none` is `None`.
    Transformation(Option<SpelledTransformation>),
    Assign(Assignment),
    Disruptive(Disruptive),
    Effect(Effect),
    Namespace(Box<str>, Box<str>),
}

/// The actions of a rule.
#[derive(Default)]
pub struct RuleActions {
    pub id: Option<u64>,
    pub phase: Option<Phase>,
    pub metadata: Metadata,
    pub transformations: OwnTransformations,
    pub assignments: Vec<Assignment>,
    pub openings: Vec<Opening>,
    pub effects: Vec<Effect>,
    /// Number of assignments before each effect.
    pub effect_places: Vec<usize>,
    pub disruptive: Option<Disruptive>,
    pub chain: bool,
    pub capture: bool,
    pub multi_match: bool,
    pub namespaces: Vec<(Box<str>, Box<str>)>,
}

/// The transformations that a rule sets itself.
#[derive(Default)]
pub struct OwnTransformations {
    /// `true` if `t:none` removes those of the default action.
    pub reset: bool,
    pub list: Vec<SpelledTransformation>,
}

/// A transformation, and its spelling in the rule if that is not its name.
#[derive(Clone)]
pub struct SpelledTransformation {
    pub transformation: Transformation,
    pub spelling: Option<Box<str>>,
}

/// A rule whose defaults are not known yet.
pub struct Draft {
    pub rule: Rule,
    /// `true` if the rule sets its phase itself.
    pub has_phase: bool,
    pub transformations: OwnTransformations,
    pub span: Span,
}

/// The contents of a `SecDefaultAction`.
#[derive(Default)]
pub struct DefaultDraft {
    pub transformations: Vec<SpelledTransformation>,
    pub effects: Vec<Effect>,
    pub disruptive: Option<Disruptive>,
    /// The load that set it, counted from 1; two in one load are an error.
    pub load: usize,
}

/// The logs to which a match is written.
#[derive(Clone, Copy)]
pub struct LogFlags {
    pub log: bool,
    pub audit: bool,
}

impl SpelledTransformation {
    /// Appends it to a rule's transformations.
    pub fn append_to(&self, rule: &mut Rule, tree: &mut TransformationTree) {
        rule.transformations = tree.extend(rule.transformations, self.transformation);
        rule.spellings.extend(self.spelling.iter().map(|spelling| (rule.transformations, spelling.clone())));
    }
}

impl OwnTransformations {
    pub fn add(&mut self, transformation: Option<SpelledTransformation>) {
        match transformation {
            Some(transformation) => self.list.push(transformation),
            None => {
                self.reset = true;
                self.list.clear();
            }
        }
    }
}

impl RuleActions {
    pub fn add(&mut self, action: ParsedAction) {
        match action {
            ParsedAction::Id(id) => self.id = Some(id),
            ParsedAction::Phase(phase) => self.phase = Some(phase),
            ParsedAction::Message(text) => self.metadata.message = Some(text),
            ParsedAction::LogData(text) => self.metadata.log_data = Some(text),
            ParsedAction::Severity(severity) => self.metadata.severity = Some(severity),
            ParsedAction::Tag(text) => self.metadata.tags.push(text),
            ParsedAction::Revision(text) => self.metadata.revision = text,
            ParsedAction::Version(text) => self.metadata.version = text,
            ParsedAction::Maturity(number) => self.metadata.maturity = number,
            ParsedAction::Accuracy(number) => self.metadata.accuracy = number,
            ParsedAction::Capture => self.capture = true,
            ParsedAction::MultiMatch => self.multi_match = true,
            ParsedAction::Chain => self.chain = true,
            ParsedAction::Transformation(transformation) => self.transformations.add(transformation),
            ParsedAction::Assign(assignment) => {
                open_before_assignment(&mut self.effects, &mut self.effect_places, &mut self.openings, &assignment);
                self.assignments.push(assignment);
            }
            ParsedAction::Disruptive(disruptive) => self.disruptive = Some(disruptive),
            ParsedAction::Effect(effect) => {
                self.effects.push(effect);
                self.effect_places.push(self.assignments.len());
            }
            ParsedAction::Namespace(prefix, uri) => self.namespaces.push((prefix, uri)),
        }
    }

    /// Gives back the memory of lists that the rule keeps and that are complete.
    pub fn shrink_to_fit(&mut self) {
        self.metadata.tags.shrink_to_fit();
        self.assignments.shrink_to_fit();
        self.effects.shrink_to_fit();
    }
}

/// Returns an action as an effect of a default or an update, where texts of the rule are set when it matches.
///
/// # Errors
/// Returns an action that cannot be an effect there.
pub fn as_effect(action: ParsedAction) -> Result<Effect, ParsedAction> {
    match action {
        ParsedAction::Effect(effect) => Ok(effect),
        ParsedAction::Message(text) => Ok(Effect::Message(text)),
        ParsedAction::LogData(text) => Ok(Effect::LogData(text)),
        ParsedAction::Severity(severity) => Ok(Effect::Severity(severity)),
        ParsedAction::Tag(text) => Ok(Effect::Tag(text)),
        other => Err(other),
    }
}

impl LogFlags {
    /// A rule is logged by default.
    pub const DEFAULT: LogFlags = LogFlags { log: true, audit: true };

    /// Returns the flags after these effects.
    pub fn after(self, effects: &[Effect]) -> LogFlags {
        effects.iter().fold(self, |flags, effect| match effect {
            Effect::Logging(LoggingAction::Log) => LogFlags { log: true, ..flags },
            Effect::Logging(LoggingAction::NoLog) => LogFlags { log: false, audit: false },
            Effect::Logging(LoggingAction::AuditLog) => LogFlags { log: true, audit: true },
            Effect::Logging(LoggingAction::NoAuditLog) => LogFlags { audit: false, ..flags },
            _ => flags,
        })
    }
}
