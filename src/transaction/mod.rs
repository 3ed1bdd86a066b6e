//! The host's handle: takes one request and its response piece by piece, lets the engine evaluate the rules of each phase, gives verdicts and
//! what matched; imports `engine`, `state`, `graph` and the pure rooms.
//!
//! [`Transaction`] holds what lasts (rules, services, state) and decides nothing: its calls lend the state to functions of `request`,
//! `request_body` and `response`, which take in what arrived and let [`engine::run`] run the rules of a phase.

mod arguments;
mod audit;
mod body_limit;
mod facts;
mod request;
mod request_body;
mod response;

pub use audit::AuditLog;

use crate::engine::{self, Evaluation, Services, limit_text, notice_debug_log};
use crate::graph::{AuditEngine, EngineMode, KeepFiles, LogLetters, Phase, RuleGraph, RuleIndex, SiteId};
use crate::metrics::Profile;
use crate::state::{Budget, Clock, Logging, NO_SEVERITY, RuleMatch, ScriptFailure, State, Text, Verdict, unique_number};
use crate::vocabulary::{Limit, LimitSet};
use std::mem::take;
use std::sync::Arc;

/// What the transactions of a rule set share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The rules.
    pub graph: Arc<RuleGraph>,
    /// What they use.
    pub services: Services,
    /// Where transactions are written down, if anywhere.
    pub audit_log: Option<Arc<dyn AuditLog>>,
}

/// One request with its response, judged by a rule set.
///
/// The host calls the `process_…` functions in their order, as far as the exchange gets, and [`process_logging`](Self::process_logging) at the
/// end. Each gives a [`Verdict`]; after one that intervenes the host stops, and still calls `process_logging`.
#[derive(Debug)]
pub struct Transaction {
    shared: Shared,
    state: State,
}

impl Transaction {
    /// A transaction with an id of its own.
    pub fn new(shared: Shared) -> Self {
        let clock = Clock::default();
        let (seconds, micros) = clock.epoch();
        let id = format!("{seconds}{:04}.{:06}", micros / 100, unique_number() % 1_000_000);
        Self::begin(shared, clock, &id)
    }

    /// A transaction with an id that the host gives.
    pub fn with_id(shared: Shared, id: &str) -> Self {
        Self::begin(shared, Clock::default(), id)
    }

    fn begin(shared: Shared, clock: Clock, id: &str) -> Self {
        let mut state = shared.services.memory.take();
        let collections = &mut state.collections;
        let settings = &shared.graph.settings;
        collections.clock = clock;
        collections.arena.budget = Budget::of(settings.limit(Limit::Budget), settings.limit(Limit::Memory));
        collections.tx.reset(&shared.graph.tx_names);
        collections.highest_severity = NO_SEVERITY;
        collections.scalars.unique_id = collections.arena.store(id.as_bytes());
        collections.scalars.urlencoded_error = collections.arena.store(b"0");
        let mut transaction = Self { shared, state };
        transaction.evaluation().debug(4, || "Initializing transaction".to_owned());
        transaction
    }

    /// Lends the state out, with the rules that judge it.
    fn evaluation(&mut self) -> Evaluation<'_> {
        Evaluation { rules: &self.shared.graph, services: &self.shared.services, state: &mut self.state }
    }

    /// A connection was made. Rules of phase 0 run, even where the engine is off, as in ModSecurity v3.
    pub fn process_connection(&mut self, client: &str, client_port: u16, server: &str, server_port: u16) -> Verdict {
        self.expect_logging();
        request::take_connection(&mut self.evaluation(), client, client_port, server, server_port);
        self.verdict()
    }

    /// The request line: the target as received, the method, and the version, which may be written `1.1` or `HTTP/1.1`.
    pub fn process_uri(&mut self, target: &[u8], method: &[u8], version: &[u8]) -> Verdict {
        self.expect_logging();
        let version = version.strip_prefix(b"HTTP/").unwrap_or(version);
        request::take_request_line(&mut self.evaluation(), target, method, version);
        self.verdict()
    }

    /// A request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        request::take_header(&mut self.evaluation(), name, value);
    }

    /// All request headers are there: rules of phase 1 run.
    pub fn process_request_headers(&mut self) -> Verdict {
        request::judge_headers(&mut self.evaluation());
        self.verdict()
    }

    /// A chunk of the request body. What is beyond the limit is dropped, and the settings say what happens then.
    ///
    /// ModSecurity v3 takes in every chunk after the one that reached a ProcessPartial limit; here the limit holds.
    pub fn append_request_body(&mut self, chunk: &[u8]) -> Verdict {
        request_body::append(&mut self.evaluation(), chunk);
        self.verdict()
    }

    /// So many bytes of a request body that [nobody looks at](Self::wants_request_body): they count for the limit.
    pub fn skip_request_body(&mut self, length: usize) -> Verdict {
        request_body::admit_bytes(&mut self.evaluation(), length);
        self.verdict()
    }

    /// Returns `true` if somebody looks at the request body: rules, or the audit log. Otherwise it is counted, and not kept, so that a host need
    /// not gather it. The answer is known when phase 1 is over.
    pub fn wants_request_body(&self) -> bool {
        request_body::is_wanted(&self.shared.graph, &self.state)
    }

    /// How much of the request body was taken in, in bytes, kept or not.
    pub fn request_body_length(&self) -> usize {
        self.state.body_lengths.request
    }

    /// The whole request body is there: it is read, and rules of phase 2 run.
    pub fn process_request_body(&mut self) -> Verdict {
        request_body::judge(&mut self.evaluation());
        self.verdict()
    }

    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        response::take_header(&mut self.evaluation(), name, value);
    }

    /// All response headers are there: rules of phase 3 run. `protocol` is `HTTP/1.1` or `1.1`, with the version of the response.
    pub fn process_response_headers(&mut self, status: u16, protocol: &str) -> Verdict {
        response::judge_headers(&mut self.evaluation(), status, protocol);
        self.verdict()
    }

    /// The status that the host answers with after all, for phase 5 and the logs.
    pub fn update_status(&mut self, status: u16) {
        response::update_status(&mut self.evaluation(), status);
    }

    /// Returns `true` if the response body will be judged. Otherwise it is not kept, so that a host need not gather it.
    pub fn wants_response_body(&self) -> bool {
        response::is_body_wanted(&self.shared.graph, &self.state)
    }

    /// A chunk of the response body. What is beyond the limit is dropped, and the settings say what happens then.
    pub fn append_response_body(&mut self, chunk: &[u8]) -> Verdict {
        response::append_body(&mut self.evaluation(), chunk);
        self.verdict()
    }

    /// The whole response body is there: rules of phase 4 run, where the settings ask for it.
    pub fn process_response_body(&mut self) -> Verdict {
        response::judge_body(&mut self.evaluation());
        self.verdict()
    }

    /// The last phase: rules of phase 5 run, then the audit log is written. The host calls it at the end, whatever happened before; a second
    /// call does nothing. A transaction that was fed and is dropped without it, such as that of a request which was cancelled, does it then.
    pub fn process_logging(&mut self) {
        if self.state.flow.logging == Logging::Over {
            return;
        }
        self.state.flow.logging = Logging::Over;
        // What was decided earlier keeps no rule of this phase from running.
        let decision = self.state.pending.intervention.take();
        self.log();
        let pending = &mut self.state.pending.intervention;
        *pending = decision.or(pending.take());
    }

    fn log(&mut self) {
        let mut evaluation = self.evaluation();
        evaluation.debug(4, || "Starting phase LOGGING. (SecRules 5)".to_owned());
        if !evaluation.is_disabled() {
            engine::run(&mut evaluation, Phase::Logging);
            audit::write(self);
            let keeps = self.shared.graph.settings.upload_keep_files == Some(KeepFiles::RelevantOnly);
            if keeps && self.state.matches.iter().any(|found| found.audits) {
                self.state.uploads.keep();
            }
        }
        notice_debug_log(&mut self.evaluation());
    }

    /// Does without phase 5 and the audit log, also when the transaction is dropped.
    pub fn forgo_logging(&mut self) {
        self.state.flow.logging = Logging::Over;
    }

    fn expect_logging(&mut self) {
        if self.state.flow.logging == Logging::Unneeded {
            self.state.flow.logging = Logging::Due;
        }
    }

    /// What the host is to do, as far as the transaction got. An intervention stays: whatever the host calls afterwards gives it again, and no
    /// further rule runs but those of phase 5, so that a host which looks only once, at any time before it answers, looks at the whole.
    pub fn verdict(&self) -> Verdict {
        self.state.pending.intervention.clone().map_or(Verdict::Pass, Verdict::Intervene)
    }

    /// Takes the decision away, so that rules of later phases run and may decide anew, as they do for the error page that a host of ModSecurity
    /// v3 answers with.
    pub fn take_verdict(&mut self) -> Verdict {
        match self.state.pending.intervention.take() {
            Some(intervention) => {
                self.state.pending.status = None;
                Verdict::Intervene(intervention)
            }
            None => Verdict::Pass,
        }
    }

    /// Returns `true` if the request or the response was stopped at any time.
    pub fn was_stopped(&self) -> bool {
        self.state.pending.decided
    }

    /// The first rule that would have stopped the exchange, had `SecRuleEngine` been On.
    pub fn detected(&self) -> Option<RuleIndex> {
        self.state.pending.detected
    }

    /// The id: UNIQUE_ID.
    pub fn id(&self) -> String {
        self.state.id()
    }

    /// Tells decision scripts which of the host's sites the request is for, by a number of the host's choice; 0 where it tells none apart. It
    /// counts more than `SecSiteId` and `SecSite`.
    pub fn set_site(&mut self, site: u64) {
        self.state.site = Some(SiteId(site));
    }

    /// The rules that matched and are logged, in the order of their matches.
    pub fn matches(&self) -> &[RuleMatch] {
        &self.state.matches
    }

    /// The value of a TX variable, for hosts that show scores.
    pub fn tx(&self, key: &str) -> Option<String> {
        let tx = &self.state.collections.tx;
        let slot = tx.find(&self.shared.graph.tx_names, key.as_bytes())?;
        tx.read(slot).map(|value| self.lossy(value))
    }

    /// Every TX variable that is set, with its value, for hosts that show what rules noted.
    pub fn tx_variables(&self) -> impl Iterator<Item = (String, String)> {
        let variables = self.state.collections.tx.iter(&self.shared.graph.tx_names);
        variables.map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), self.lossy(value)))
    }

    fn lossy(&self, text: Text) -> String {
        String::from_utf8_lossy(self.state.collections.arena.read(text)).into_owned()
    }

    /// The rules that judge it.
    pub fn graph(&self) -> &Arc<RuleGraph> {
        &self.shared.graph
    }

    /// The mode of the engine, as the settings say and `ctl:ruleEngine` changed it.
    pub fn engine_mode(&self) -> EngineMode {
        self.state.engine_mode(&self.shared.graph.settings)
    }

    /// Returns which transactions the audit log takes in, as the settings say and `ctl:auditEngine` changed it.
    pub fn audit_engine(&self) -> AuditEngine {
        self.state.audit_engine(&self.shared.graph.settings)
    }

    /// The parts of the audit log, as the settings say and `ctl:auditLogParts` changed them.
    pub fn audit_parts(&self) -> LogLetters {
        self.state.audit_parts(&self.shared.graph.settings)
    }

    /// Returns `true` if the audit log takes the transaction in, as it stands now.
    ///
    /// With `RelevantOnly` those are taken in whose status the settings name, or that a rule matched which is not exempt from the audit log.
    pub fn is_audited(&self) -> bool {
        match self.audit_engine() {
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => audit::has_relevant_status(self) || self.state.matches.iter().any(|found| found.audits),
        }
    }

    /// Scripts that could not be run to their end, the first of them.
    pub fn script_failures(&self) -> &[ScriptFailure] {
        &self.state.script_failures
    }

    /// What went wrong in the engine while the transaction ran, a text each, for the host's error log: records that could not be written,
    /// scripts that failed. The same cause stands here once a minute, whichever transaction met it.
    pub fn notices(&self) -> &[String] {
        &self.state.notices
    }

    /// The limits that were exceeded so far.
    pub fn exceeded_limits(&self) -> LimitSet {
        self.state.collections.arena.budget.exceeded()
    }

    /// A limit that was exceeded, in words: `Limit exceeded: cookies (SecCookiesLimit 10000): cookies are left out.`
    pub fn limit_text(&self, limit: Limit) -> String {
        limit_text(&self.shared.graph.settings, limit)
    }

    /// How much work the budget still allows, in units.
    pub fn budget_left(&self) -> usize {
        self.state.collections.arena.budget.left()
    }

    /// Begins to measure what each rule costs, which takes time itself: for tools, not for traffic.
    pub fn start_profile(&mut self) {
        self.state.profile = Some(Box::default());
        self.state.transforms.costs = Some(Box::default());
    }

    /// Ends measuring, and gives what was measured; nothing if it was not begun.
    pub fn take_profile(&mut self) -> Option<Profile> {
        let mut profile = self.state.profile.take()?;
        if let Some(costs) = self.state.transforms.costs.take() {
            profile.add_transformations(&costs);
        }
        Some(*profile)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // While a panic unwinds, another one would end the process.
        if self.state.flow.logging == Logging::Due && !std::thread::panicking() {
            self.process_logging();
        }
        self.shared.services.memory.give_back(take(&mut self.state));
    }
}
