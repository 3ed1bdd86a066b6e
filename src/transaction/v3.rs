//! The calls of ModSecurity v3's interface, in any order and number, as its hosts may make them: for the C library, and for tests and tools that pass
//! bytes which no HTTP parser accepts.
//!
//! They are not part of the public interface. [`Transaction`]'s ordered calls use them.

use super::{Transaction, audit, exchange, request, request_body, response};
use crate::engine::{self, Evaluation, notice_debug_log, notice_exchange_log, notice_masks};
use crate::graph::{EngineMode, KeepFiles, Phase, RuleIndex, SiteId};
use crate::metrics::Profile;
use crate::state::{Logging, Verdict, cover_matches};
use std::time::Instant;

#[doc(hidden)]
impl Transaction {
    /// Takes the connection, and runs phase 0, even if the engine is off, as in ModSecurity v3.
    pub fn process_connection(&mut self, client: &str, client_port: u16, server: &str, server_port: u16) -> Verdict {
        self.expect_logging();
        self.call("connection", Some(Phase::Connection), |evaluation| {
            request::take_connection(evaluation, client, client_port, server, server_port)
        })
    }

    /// Takes the request line: the target as received, the method, and the version, `1.1` or `HTTP/1.1`.
    pub fn process_uri(&mut self, target: &[u8], method: &[u8], version: &[u8]) -> Verdict {
        self.expect_logging();
        let version = version.strip_prefix(b"HTTP/").unwrap_or(version);
        self.call("request_line", None, |evaluation| request::take_request_line(evaluation, target, method, version))
    }

    /// Takes a request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        request::take_header(&mut self.evaluation(), name, value);
    }

    /// Ends the request headers, and runs phase 1.
    pub fn process_request_headers(&mut self) -> Verdict {
        let verdict = self.call("request_headers", Some(Phase::RequestHeaders), request::judge_headers);
        self.wait_for_backend();
        verdict
    }

    /// Takes a chunk of the request body. Bytes beyond the limit are dropped, and the settings decide what follows.
    ///
    /// ModSecurity v3 accepts every chunk after the one that reached a ProcessPartial limit; here the limit applies to all.
    pub fn append_request_body(&mut self, chunk: &[u8]) -> Verdict {
        self.call("request_body_chunk", None, |evaluation| request_body::append(evaluation, chunk))
    }

    /// Counts bytes of a request body that [is not needed](Self::wants_request_body) for its limit.
    pub fn skip_request_body(&mut self, length: usize) -> Verdict {
        self.call("request_body_chunk", None, |evaluation| {
            request_body::admit_bytes(evaluation, length);
        })
    }

    /// Returns `true` if rules or the audit log need the request body. Otherwise it is counted and not kept, so a host need not collect it. The
    /// answer is known after phase 1.
    pub fn wants_request_body(&self) -> bool {
        request_body::is_wanted(&self.shared.graph, &self.state)
    }

    /// Returns the number of bytes accepted of the request body, kept or not.
    pub fn request_body_length(&self) -> usize {
        self.state.body_lengths.request
    }

    /// Ends the request body: it is parsed, and phase 2 runs.
    pub fn process_request_body(&mut self) -> Verdict {
        let verdict = self.call("request_body", Some(Phase::RequestBody), request_body::judge);
        self.wait_for_backend();
        verdict
    }

    /// Takes a response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        response::take_header(&mut self.evaluation(), name, value);
    }

    /// Ends the response headers, and runs phase 3. `protocol` is `HTTP/1.1` or `1.1`, with the version of the response.
    pub fn process_response_headers(&mut self, status: u16, protocol: &str) -> Verdict {
        if self.shared.record_log().is_some() {
            self.backend.end();
        }
        self.call("response_headers", Some(Phase::ResponseHeaders), |evaluation| response::judge_headers(evaluation, status, protocol))
    }

    /// Returns `true` if the response body will be judged. Otherwise it is not kept, so a host need not collect it.
    pub fn wants_response_body(&self) -> bool {
        response::is_body_wanted(&self.shared.graph, &self.state)
    }

    /// Takes a chunk of the response body. Bytes beyond the limit are dropped, and the settings decide what follows.
    pub fn append_response_body(&mut self, chunk: &[u8]) -> Verdict {
        self.call("response_body_chunk", None, |evaluation| response::append_body(evaluation, chunk))
    }

    /// Ends the response body, and runs phase 4 if the settings ask for it.
    pub fn process_response_body(&mut self) -> Verdict {
        self.call("response_body", Some(Phase::ResponseBody), response::judge_body)
    }

    /// Runs phase 5, and writes the audit log. The host calls it at the end, whatever happened before; a second call does nothing. A transaction that
    /// has received data and is dropped without this call, such as that of a cancelled request, does it then.
    pub fn process_logging(&mut self) {
        if self.state.flow.logging == Logging::Over {
            return;
        }
        self.state.flow.logging = Logging::Over;
        #[cfg(feature = "tracing")]
        let _span = self.trace.enter("logging");
        let was_stopped = self.was_stopped();
        let timer = self.time(Phase::Logging);
        self.log();
        self.end_time(timer);
        self.observe();
        self.report_rule_times();
        #[cfg(feature = "tracing")]
        self.trace.describe(self);
        self.observers().for_each(|observer| observer.finished(self));
        if let Some(log) = self.shared.record_log().cloned() {
            exchange::write(self, &*log, was_stopped);
            notice_exchange_log(&mut self.evaluation(), log.dropped());
        }
    }

    fn log(&mut self) {
        let mut evaluation = self.evaluation();
        evaluation.debug(4, || "Starting phase LOGGING. (SecRules 5)".to_owned());
        if !evaluation.is_disabled() {
            // Earlier decisions do not prevent rules of this phase.
            let decision = evaluation.state.pending.intervention.take();
            engine::run(&mut evaluation, Phase::Logging);
            let pending = &mut evaluation.state.pending.intervention;
            *pending = decision.or(pending.take());
            cover_matches(&mut self.state, &self.shared.graph.settings);
            audit::write(self);
            let keeps = self.shared.graph.settings.upload_keep_files == KeepFiles::RelevantOnly;
            if keeps && self.state.matches.iter().any(|found| found.audits) {
                self.state.uploads.keep();
            }
        }
        notice_masks(&mut self.evaluation());
        notice_debug_log(&mut self.evaluation());
    }

    /// Skips phase 5 and the audit log, also when the transaction is dropped.
    pub fn forgo_logging(&mut self) {
        self.state.flow.logging = Logging::Over;
    }

    /// Takes what the host passes, and reports what came of it. `phase` is the one that the call runs.
    fn call(&mut self, name: &'static str, phase: Option<Phase>, take: impl FnOnce(&mut Evaluation<'_>)) -> Verdict {
        #[cfg(feature = "tracing")]
        let _span = self.trace.enter(name);
        #[cfg(not(feature = "tracing"))]
        let _ = name;
        let timer = phase.and_then(|phase| self.time(phase));
        take(&mut self.evaluation());
        cover_matches(&mut self.state, &self.shared.graph.settings);
        self.end_time(timer);
        self.observe();
        self.verdict()
    }

    /// Begins to take the time of a phase, if an observer wants to know it and the engine is not off.
    fn time(&self, phase: Phase) -> Option<(Phase, Instant)> {
        (self.shared.times_phases && self.engine_mode() != EngineMode::Off).then(|| (phase, Instant::now()))
    }

    fn end_time(&self, timer: Option<(Phase, Instant)>) {
        if let Some((phase, start)) = timer {
            let time = start.elapsed();
            self.observers().for_each(|observer| observer.phase_ended(self, phase, time));
        }
    }

    /// The request has ended as far as is known, so that the time of the application begins.
    fn wait_for_backend(&mut self) {
        if self.shared.record_log().is_some() {
            self.backend.begin();
        }
    }

    fn expect_logging(&mut self) {
        if self.state.flow.logging == Logging::Unneeded {
            self.state.flow.logging = Logging::Due;
        }
    }

    /// Returns the intervention so far. The decision is final: each later call returns it again, and only the rules of phase 5 still run. So a host
    /// may check once, at any time before it answers.
    pub fn verdict(&self) -> Verdict {
        self.state.pending.intervention.clone().map_or(Verdict::Pass, Verdict::Intervene)
    }

    /// Removes the decision, so that rules of later phases run and may decide again, as they do for the error page of a host of ModSecurity v3.
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

    /// Returns `true` if a ban, a list or a limit of the store stopped the request, before any rule of phase 1.
    pub fn is_banned(&self) -> bool {
        self.state.pending.is_banned
    }

    /// Returns the number of bytes accepted of the response body, kept or not.
    pub fn response_body_length(&self) -> usize {
        self.state.body_lengths.response
    }

    /// Returns the first rule that would have stopped the exchange if `SecRuleEngine` were `On`.
    pub fn detected(&self) -> Option<RuleIndex> {
        self.state.pending.detected
    }

    /// Sets the site of the request, as [`Connection::site`](super::Connection::site) does.
    pub fn set_site(&mut self, site: u64) {
        self.state.site = Some(SiteId(site));
    }

    /// Sets the name of the server in logs.
    pub fn set_hostname(&mut self, name: &[u8]) {
        self.state.hostname = Some(self.state.collections.arena.store(name));
    }

    /// Sets the name of the software that connects the host, for the audit log.
    pub fn set_connector(&mut self, name: &[u8]) {
        self.state.connector = self.state.collections.arena.store(name);
    }

    /// Starts to measure the cost of each rule. Measuring itself takes time: for tools, not for traffic.
    pub fn start_profile(&mut self) {
        self.state.profile = Some(Box::default());
        self.state.transforms.costs = Some(Box::default());
    }

    /// Ends the measurement, and returns its result; `None` if it was not started.
    pub fn take_profile(&mut self) -> Option<Profile> {
        let mut profile = self.state.profile.take()?;
        if let Some(costs) = self.state.transforms.costs.take() {
            profile.add_transformations(&costs);
        }
        Some(*profile)
    }
}
