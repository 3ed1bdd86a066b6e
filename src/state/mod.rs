//! The state of one exchange: takes what was received and what rules do, gives the values that a target selects; imports `graph`, `store`, `metrics`
//! and the pure rooms.
//!
//! Values are ranges of the exchange's [`Arena`]; the name of a value is built on demand. All of it is in one [`State`], which an evaluation borrows,
//! and whose memory later exchanges reuse.

mod arena;
mod body_scan;
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
mod scan_memo;
mod scan_results;
mod secrets;
mod select;
mod selected;
mod stages;
mod store_deadline;
mod transform_cache;
mod tx;
mod uploads;
mod value_numbers;
mod verdict;

pub use arena::{Arena, BodyView, Text};
pub use body_scan::BodyScan;
pub use body_type::BodyType;
pub use budget::{Budget, PER_VALUE};
pub use clock::Clock;
pub use collections::*;
pub use debug_log::DebugLog;
pub use matches::{DetailSource, LONGEST_ARGUMENT, LONGEST_VALUE, MacroValue, MatchNote, MatchNotes, MatchText, RecordedValue, RuleMatch};
pub use memory::MemoryPool;
pub use origin::{Places, write_place};
pub use overrides::Overrides;
pub use phase_filter::{LentValues, PhaseFilter, View};
pub use secrets::*;
pub use select::{RuleTexts, Selection};
pub use selected::{Label, Selected};
pub use transform_cache::{TransformCache, Transformed};
pub use tx::{TxSlot, TxVariables};
pub use uploads::Uploads;
pub use value_numbers::ValueId;
pub use verdict::{Action, Intervention, Pending, Verdict};

use crate::body::multipart::BoundaryCandidates;
use crate::graph::{AllowScope, AuditEngine, BodyProcessor, EngineMode, LogLetters, MarkerId, Settings, SiteId};
use crate::metrics::Profile;
use crate::operator::Findings;
use serde::Serialize;

/// The state of one request and its response, and the progress of their evaluation.
#[derive(Debug, Default)]
pub struct State {
    /// Variables.
    pub collections: Collections,
    /// Values before and after transformations.
    pub transforms: TransformCache,
    /// Rules of the phase that cannot match.
    pub filter: PhaseFilter,
    /// Rules that matched and are logged.
    pub matches: Vec<RuleMatch>,
    /// Progress of the evaluation.
    pub flow: Flow,
    /// Changes by `ctl`.
    pub overrides: Overrides,
    /// The decision.
    pub pending: Pending,
    /// Processor of the request body.
    pub body_processor: Option<BodyProcessor>,
    /// The `Content-Type` headers of the request.
    pub body_type: BodyType,
    /// Number of bytes received of the bodies.
    pub body_lengths: BodyLengths,
    /// Lines of a multipart body that may be boundaries, if it is large and still arrives.
    pub boundaries: Option<BoundaryCandidates>,
    /// The scan of the request body while it arrives.
    pub request_scan: BodyScan,
    /// The scan of the response body while it arrives.
    pub response_scan: BodyScan,
    /// Name of the server in logs, if the host set one.
    pub hostname: Option<Text>,
    /// Name of the software that connects the host.
    pub connector: Text,
    /// Uploaded files on disk.
    pub uploads: Uploads,
    /// The site that the host named.
    pub site: Option<SiteId>,
    /// The first scripts that failed.
    pub script_failures: Vec<ScriptFailure>,
    /// Errors of the engine itself, for the host's error log.
    pub notices: Vec<String>,
    /// Buffers that are reused.
    pub scratch: Scratch,
    /// Cost of rules, if it is measured.
    pub profile: Option<Box<Profile>>,
    /// What logs must not show, if the rule set may say so.
    pub secrets: Option<Box<Secrets>>,
}

/// Progress of the evaluation.
#[derive(Debug, Default)]
pub struct Flow {
    /// Number of rules to skip.
    pub skip: u32,
    /// The marker up to which rules are skipped.
    pub skip_after: Option<MarkerId>,
    /// Scope of an `allow`.
    pub allow: Option<AllowScope>,
    /// `true` if a decision script let the request pass, so that later ones do not run.
    pub let_pass: bool,
    /// `true` after phase 1.
    pub headers_judged: bool,
    /// State of phase 5.
    pub logging: Logging,
}

/// State of phase 5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logging {
    /// Nothing was received, so there is nothing to log.
    #[default]
    Unneeded,
    /// Something was received.
    Due,
    /// It has run, or the host skipped it.
    Over,
}

/// Number of bytes received of the bodies, kept or not.
#[derive(Debug, Default)]
pub struct BodyLengths {
    /// Of the request.
    pub request: usize,
    /// Of the response.
    pub response: usize,
    /// `true` if the request body was cut at its limit.
    pub request_is_cut: bool,
}

/// A script that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScriptFailure {
    /// The script's file.
    pub script: String,
    /// The error; an error in the script has its line.
    pub reason: String,
    /// `true` if it was stopped because it exceeded its instructions, time or memory.
    pub stopped: bool,
}

/// Buffers that are reused.
#[derive(Debug, Default)]
pub struct Scratch {
    /// Values of a target.
    pub selected: Vec<Selected>,
    /// Findings of an operator, except during its evaluation. They are large, and so only their pointer moves.
    pub findings: Option<Box<Findings>>,
    /// Text of a template.
    pub text: Vec<u8>,
    /// Points that the evaluated rule added to anomaly scores.
    pub score: i64,
    /// The values that the evaluated chain matched, if a log or a later step uses them.
    pub notes: MatchNotes,
    /// `true` if a secret is among these values. It is known while a debug log shows values.
    pub matched_secret: bool,
}

impl State {
    /// Returns an empty state that reuses the memory of this one, unless that is more than most exchanges need.
    fn cleared(self) -> Self {
        let Self { mut collections, mut transforms, mut filter, mut matches, mut scratch, .. } = self;
        collections.clear();
        transforms.clear();
        filter.clear();
        forget(&mut matches);
        forget(&mut scratch.selected);
        forget(&mut scratch.text);
        scratch.notes.forget();
        if let Some(findings) = &mut scratch.findings {
            forget(&mut findings.captures);
            forget(&mut findings.offsets);
            findings.clear();
        }
        Self { collections, transforms, filter, matches, scratch, ..Self::default() }
    }

    /// Returns the profile that has what each rule tests, if one is taken.
    pub fn full_profile(&mut self) -> Option<&mut Profile> {
        self.profile.as_deref_mut().filter(|profile| profile.is_full())
    }

    /// Returns `true` if such a profile is taken.
    pub fn is_profiled_in_full(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.is_full())
    }

    /// Returns the id of the transaction: UNIQUE_ID.
    pub fn id(&self) -> String {
        String::from_utf8_lossy(self.collections.arena.read(self.collections.scalars.unique_id)).into_owned()
    }

    /// Returns the mode of the engine, from the settings or `ctl:ruleEngine`.
    pub fn engine_mode(&self, settings: &Settings) -> EngineMode {
        self.overrides.engine.unwrap_or(settings.engine)
    }

    /// Returns the setting of the audit log, from the settings or `ctl:auditEngine`.
    pub fn audit_engine(&self, settings: &Settings) -> AuditEngine {
        self.overrides.audit_engine.unwrap_or(settings.audit_engine)
    }

    /// Returns the parts of an audit record, from the settings or `ctl:auditLogParts`.
    pub fn audit_parts(&self, settings: &Settings) -> LogLetters {
        self.overrides.audit_parts.unwrap_or(settings.audit_parts)
    }
}
