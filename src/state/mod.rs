//! The state of one exchange: takes what was received and what rules do, gives the values that a target selects; imports `graph`, `store`,
//! `metrics` and the pure rooms.
//!
//! Values are ranges of the exchange's [`Arena`]; what a value is called is put together only when somebody asks. All of it is in one [`State`],
//! which an evaluation borrows, and whose memory the exchanges after it use again.

mod arena;
mod body_type;
mod budget;
mod clock;
mod collections;
mod debug_log;
mod history;
mod matches;
mod memory;
mod origin;
mod overrides;
mod phase_filter;
mod scalar;
mod select;
mod selected;
mod store_deadline;
mod transform_cache;
mod tx;
mod uploads;
mod verdict;

pub use arena::{Arena, BodyView, Text};
pub use body_type::BodyType;
pub use budget::{Budget, PER_VALUE};
pub use clock::Clock;
pub use collections::*;
pub use debug_log::DebugLog;
pub use matches::{MatchedValues, RecordedValue, RuleMatch};
pub use memory::MemoryPool;
pub use origin::{Places, write_place};
pub use overrides::Overrides;
pub use phase_filter::{PhaseFilter, TargetValue, View};
pub use select::{RuleTexts, Selection};
pub use selected::{Label, Selected};
pub use transform_cache::{TransformCache, Transformed, ValueId};
pub use tx::{TxSlot, TxVariables};
pub use uploads::Uploads;
pub use verdict::{Action, Intervention, Pending, Verdict};

use crate::graph::{AllowScope, AuditEngine, BodyProcessor, EngineMode, LogLetters, MarkerId, Settings, SiteId};
use crate::metrics::Profile;
use crate::operator::Findings;
use serde::Serialize;

/// What is known of one request and its response, and where the rules stand with them.
#[derive(Debug, Default)]
pub struct State {
    /// Variables.
    pub collections: Collections,
    /// Values before and after transformations.
    pub transforms: TransformCache,
    /// What rules of the phase cannot match.
    pub filter: PhaseFilter,
    /// Rules that matched and are logged.
    pub matches: Vec<RuleMatch>,
    /// Where evaluation stands.
    pub flow: Flow,
    /// What `ctl` changed.
    pub overrides: Overrides,
    /// What was decided.
    pub pending: Pending,
    /// What reads the request body.
    pub body_processor: Option<BodyProcessor>,
    /// What the `Content-Type` headers say together.
    pub body_type: BodyType,
    /// How much of the bodies was taken in.
    pub body_lengths: BodyLengths,
    /// The name that logs give to the server, where the host named it.
    pub hostname: Option<Text>,
    /// What the host calls the software that connects it.
    pub connector: Text,
    /// Uploaded files on the disk.
    pub uploads: Uploads,
    /// The site that the host named.
    pub site: Option<SiteId>,
    /// Scripts that could not be run to their end, the first of them.
    pub script_failures: Vec<ScriptFailure>,
    /// What went wrong in the engine itself, for the host's error log.
    pub notices: Vec<String>,
    /// Memory that is used again and again.
    pub scratch: Scratch,
    /// What rules cost, while that is measured.
    pub profile: Option<Box<Profile>>,
}

/// Where evaluation stands.
#[derive(Debug, Default)]
pub struct Flow {
    /// How many rules are passed over.
    pub skip: u32,
    /// The marker up to which rules are passed over.
    pub skip_after: Option<MarkerId>,
    /// How far an `allow` reaches.
    pub allow: Option<AllowScope>,
    /// Whether a decision script let the request pass, so that those behind it are not asked.
    pub let_pass: bool,
    /// Whether phase 1 is over.
    pub headers_judged: bool,
    /// Whether phase 5 is still to come.
    pub logging: Logging,
}

/// Whether phase 5 is still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logging {
    /// Nothing was received that could be logged.
    #[default]
    Unneeded,
    /// Something was received.
    Due,
    /// It is over, or the host does without.
    Over,
}

/// How much of the bodies was taken in, in bytes, kept or not.
#[derive(Debug, Default)]
pub struct BodyLengths {
    /// Of the request.
    pub request: usize,
    /// Of the response.
    pub response: usize,
    /// Whether the end of the request body is missing, since the settings say so.
    pub request_is_cut: bool,
}

/// A script that could not be run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScriptFailure {
    /// The script's file.
    pub script: String,
    /// Why, in words; for an error of the script with its line.
    pub reason: String,
    /// Whether it was stopped because it used up its instructions, time or memory.
    pub stopped: bool,
}

/// Memory that is used again and again.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Values of a target.
    pub selected: Vec<Selected>,
    /// What an operator found.
    pub findings: Findings,
    /// The text of a template.
    pub text: Vec<u8>,
    /// What the rule that is asked added to anomaly scores.
    pub score: i64,
}

impl State {
    /// A state that knows nothing, in the memory of this one as far as most exchanges need it.
    fn cleared(self) -> Self {
        let Self { mut collections, mut transforms, mut filter, mut matches, mut scratch, .. } = self;
        collections.clear();
        transforms.clear();
        filter.clear();
        forget(&mut matches);
        forget(&mut scratch.selected);
        forget(&mut scratch.text);
        forget(&mut scratch.findings.captures);
        forget(&mut scratch.findings.offsets);
        scratch.findings.clear();
        Self { collections, transforms, filter, matches, scratch, ..Self::default() }
    }

    /// The id of the transaction: UNIQUE_ID.
    pub fn id(&self) -> String {
        String::from_utf8_lossy(self.collections.arena.read(self.collections.scalars.unique_id)).into_owned()
    }

    /// The mode of the engine, as the settings say and `ctl:ruleEngine` changed it.
    pub fn engine_mode(&self, settings: &Settings) -> EngineMode {
        self.overrides.engine.unwrap_or(settings.engine)
    }

    /// The setting of the audit log, as the settings say and `ctl:auditEngine` changed it.
    pub fn audit_engine(&self, settings: &Settings) -> AuditEngine {
        self.overrides.audit_engine.unwrap_or(settings.audit_engine)
    }

    /// The parts of an audit record, as the settings say and `ctl:auditLogParts` changed them.
    pub fn audit_parts(&self, settings: &Settings) -> LogLetters {
        self.overrides.audit_parts.unwrap_or(settings.audit_parts)
    }
}
