//! The phase machine: takes one request and its response piece by piece, evaluates the rules of each phase, gives verdicts and what matched;
//! imports `lua`, `metrics`, `collection`, `store`, `graph` and the pure rooms.

mod assignment;
mod audit;
mod body_limit;
mod body_type;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod client;
mod control;
mod debug;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod decision;
mod effects;
pub mod escape;
mod evaluate;
mod expand;
mod facts;
mod gates;
mod limits;
mod lookup;
mod matches;
mod measured;
mod memory;
mod notice;
mod phases;
mod planned;
mod program;
mod question;
mod request;
mod request_body;
mod response;
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
mod script;
mod slots;
mod uploads;
mod verdict;

pub use audit::AuditLog;
pub use debug::DebugLog;
pub use matches::{MatchedValue, RuleMatch};
pub use memory::MemoryPool;
pub use notice::Notices;
pub use script::ScriptFailure;
pub use verdict::{Intervention, Verdict};

use crate::collection::{Clock, Collections, NO_SEVERITY, Selected, Text, Work};
use crate::graph::{AuditEngine, BodyProcessor, EngineMode, KeepFiles, LogLetters, MarkerId, Phase, RuleGraph, SiteId};
use crate::metrics::Profile;
use crate::operator::Findings;
use crate::resolver::{Origins, Resolver};
use crate::store::{RateLimits, Store};
use crate::vocabulary::Limit;
use control::Overrides;
use gates::Gates;
use memory::Memory;
use slots::Slots;
use std::hash::{BuildHasher, Hasher};
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a transaction stands on: shared, never changed by it.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The rules.
    pub graph: Arc<RuleGraph>,
    /// Where persistent collections are kept.
    pub store: Arc<dyn Store>,
    /// Who looks up names in the DNS.
    pub resolver: Arc<dyn Resolver>,
    /// Who tells which domains addresses belong to.
    pub origins: Arc<Origins>,
    /// How often addresses asked.
    pub rates: Arc<RateLimits>,
    /// Where debug messages go, if anywhere.
    pub debug_log: Option<Arc<dyn DebugLog>>,
    /// Where transactions are written down, if anywhere.
    pub audit_log: Option<Arc<dyn AuditLog>>,
    /// Memory of finished transactions, for those to come.
    pub memory: Arc<MemoryPool>,
    /// What hosts were told of that went wrong.
    pub notices: Arc<Notices>,
}

/// One request with its response, judged by a rule set.
///
/// The host calls the `process_…` functions in their order, as far as the exchange gets, and [`process_logging`](Self::process_logging) at the
/// end. Each gives a [`Verdict`]; after one that intervenes the host stops, and still calls `process_logging`.
#[derive(Debug)]
pub struct Transaction {
    ground: Ground,
    collections: Collections,
    slots: Slots,
    gates: Gates,
    matches: Vec<RuleMatch>,
    flow: Flow,
    overrides: Overrides,
    pending: verdict::Pending,
    body_processor: Option<BodyProcessor>,
    body_type: body_type::BodyType,
    body_lengths: body_limit::BodyLengths,
    hostname: Option<Text>,
    connector: Text,
    uploads: uploads::Uploads,
    /// The site that the host named.
    site: Option<SiteId>,
    script_failures: Vec<ScriptFailure>,
    notices: Vec<String>,
    scratch: Scratch,
    profile: Option<Box<Profile>>,
}

/// Where evaluation stands.
#[derive(Debug, Default)]
struct Flow {
    skip: u32,
    skip_after: Option<MarkerId>,
    allow: Option<crate::graph::AllowScope>,
    /// Whether a decision script let the request pass, so that those behind it are not asked.
    let_pass: bool,
    /// Whether phase 1 is over.
    headers_judged: bool,
    logging: Logging,
}

/// Whether phase 5 is still to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Logging {
    /// Nothing was received that could be logged.
    #[default]
    Unneeded,
    /// Something was received.
    Due,
    /// It is over, or the host does without.
    Over,
}

/// Memory that is used again and again.
#[derive(Debug, Default)]
struct Scratch {
    selected: Vec<Selected>,
    findings: Findings,
    text: Vec<u8>,
}

impl Transaction {
    /// A transaction with an id of its own.
    pub fn new(ground: Ground) -> Self {
        let clock = Clock::default();
        let (seconds, micros) = clock.epoch();
        let id = format!("{seconds}{:04}.{:06}", micros / 100, unique_number() % 1_000_000);
        Self::begin(ground, clock, &id)
    }

    /// A transaction with an id that the host gives.
    pub fn with_id(ground: Ground, id: &str) -> Self {
        Self::begin(ground, Clock::default(), id)
    }

    fn begin(ground: Ground, clock: Clock, id: &str) -> Self {
        let Memory { mut collections, slots, gates, matches, scratch } = ground.memory.take();
        collections.clock = clock;
        let settings = &ground.graph.settings;
        collections.arena.work = Work::of(settings.limit(Limit::Budget), settings.limit(Limit::Memory));
        collections.tx.reset(&ground.graph.tx_names);
        collections.highest_severity = NO_SEVERITY;
        collections.scalars.unique_id = collections.arena.store(id.as_bytes());
        let zero = collections.arena.store(b"0");
        collections.scalars.urlencoded_error = zero;
        let transaction = Self {
            ground,
            collections,
            slots,
            gates,
            matches,
            flow: Flow::default(),
            overrides: Overrides::default(),
            pending: verdict::Pending::default(),
            body_processor: None,
            body_type: body_type::BodyType::default(),
            body_lengths: body_limit::BodyLengths::default(),
            hostname: None,
            connector: Text::EMPTY,
            uploads: uploads::Uploads::default(),
            site: None,
            script_failures: Vec::new(),
            notices: Vec::new(),
            scratch,
            profile: None,
        };
        transaction.debug(4, || "Initializing transaction".to_owned());
        transaction
    }

    /// The id: UNIQUE_ID.
    pub fn id(&self) -> String {
        self.lossy(self.collections.scalars.unique_id)
    }

    /// The rules that matched and are logged, in the order of their matches.
    pub fn matches(&self) -> &[RuleMatch] {
        &self.matches
    }

    /// The value of a TX variable, for hosts that show scores.
    pub fn tx(&self, key: &str) -> Option<String> {
        let tx = &self.collections.tx;
        let slot = tx.find(&self.ground.graph.tx_names, key.as_bytes())?;
        tx.read(slot).map(|value| self.lossy(value))
    }

    /// Every TX variable that is set, with its value, for hosts that show what rules noted.
    pub fn tx_variables(&self) -> impl Iterator<Item = (String, String)> {
        let variables = self.collections.tx.iter(&self.ground.graph.tx_names);
        variables.map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), self.lossy(value)))
    }

    /// The rules that judge it.
    pub fn graph(&self) -> &Arc<RuleGraph> {
        &self.ground.graph
    }

    /// The mode of the engine, as the settings say and `ctl:ruleEngine` changed it.
    pub fn engine_mode(&self) -> EngineMode {
        self.overrides.engine.unwrap_or_else(|| self.ground.graph.settings.engine_mode())
    }

    /// Whether the audit log is on, as the settings say and `ctl:auditEngine` changed it.
    pub fn audit_engine(&self) -> AuditEngine {
        self.overrides.audit_engine.or(self.ground.graph.settings.audit_engine).unwrap_or(AuditEngine::Off)
    }

    /// The parts of the audit log, as the settings say and `ctl:auditLogParts` changed them.
    pub fn audit_parts(&self) -> LogLetters {
        self.overrides.audit_parts.unwrap_or_else(|| self.configured_audit_parts())
    }

    fn configured_audit_parts(&self) -> LogLetters {
        let default = || LogLetters::parse("ABCFHZ").unwrap_or_default();
        self.ground.graph.settings.audit_parts.unwrap_or_else(default)
    }

    fn lossy(&self, text: Text) -> String {
        String::from_utf8_lossy(self.collections.arena.read(text)).into_owned()
    }

    fn is_disabled(&self) -> bool {
        if self.engine_mode() == EngineMode::Off {
            self.debug(4, || "Rule engine disabled, returning...".to_owned());
            return true;
        }
        false
    }

    /// The last phase: rules of phase 5 run, then the audit log is written. The host calls it at the end, whatever happened before; a second
    /// call does nothing. A transaction that was fed and is dropped without it, such as that of a request which was cancelled, does it then.
    pub fn process_logging(&mut self) {
        if self.flow.logging == Logging::Over {
            return;
        }
        self.flow.logging = Logging::Over;
        // What was decided earlier keeps no rule of this phase from running.
        let decision = self.pending.intervention.take();
        self.log();
        self.pending.intervention = decision.or(self.pending.intervention.take());
    }

    fn expect_logging(&mut self) {
        if self.flow.logging == Logging::Unneeded {
            self.flow.logging = Logging::Due;
        }
    }

    /// Does without phase 5 and the audit log, also when the transaction is dropped.
    pub fn forgo_logging(&mut self) {
        self.flow.logging = Logging::Over;
    }

    fn log(&mut self) {
        self.debug(4, || "Starting phase LOGGING. (SecRules 5)".to_owned());
        if !self.is_disabled() {
            self.run_phase(Phase::Logging);
            self.write_audit_log();
            let keeps = self.ground.graph.settings.upload_keep_files == Some(KeepFiles::RelevantOnly);
            if keeps && self.matches.iter().any(|found| found.audits) {
                self.uploads.keep();
            }
        }
        self.notice_debug_log();
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // While a panic unwinds, another one would end the process.
        if self.flow.logging == Logging::Due && !std::thread::panicking() {
            self.process_logging();
        }
        let Self { collections, slots, gates, matches, scratch, .. } = self;
        self.ground.memory.give_back(Memory {
            collections: take(collections),
            slots: take(slots),
            gates: take(gates),
            matches: take(matches),
            scratch: take(scratch),
        });
    }
}

/// A number that no other transaction of this process has, and that cannot be guessed.
fn unique_number() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u64(COUNT.fetch_add(1, Ordering::Relaxed));
    hasher.finish()
}
