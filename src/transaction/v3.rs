//! The calls of ModSecurity v3's interface, in any order and any number, as its hosts may make them: for the C library, and for tests and tools
//! that feed bytes which no parser of HTTP lets through.
//!
//! They are no part of the public interface. [`Transaction`]'s ordered calls are made of them.

use super::{Transaction, audit, request, request_body, response};
use crate::engine::{self, Evaluation, notice_debug_log};
use crate::graph::{KeepFiles, Phase, RuleIndex, SiteId};
use crate::metrics::Profile;
use crate::state::{Logging, Verdict};

#[doc(hidden)]
impl Transaction {
    /// A connection was made. Rules of phase 0 run, even where the engine is off, as in ModSecurity v3.
    pub fn process_connection(&mut self, client: &str, client_port: u16, server: &str, server_port: u16) -> Verdict {
        self.expect_logging();
        self.call("connection", |evaluation| request::take_connection(evaluation, client, client_port, server, server_port))
    }

    /// The request line: the target as received, the method, and the version, which may be written `1.1` or `HTTP/1.1`.
    pub fn process_uri(&mut self, target: &[u8], method: &[u8], version: &[u8]) -> Verdict {
        self.expect_logging();
        let version = version.strip_prefix(b"HTTP/").unwrap_or(version);
        self.call("request_line", |evaluation| request::take_request_line(evaluation, target, method, version))
    }

    /// A request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        request::take_header(&mut self.evaluation(), name, value);
    }

    /// All request headers are there: rules of phase 1 run.
    pub fn process_request_headers(&mut self) -> Verdict {
        self.call("request_headers", request::judge_headers)
    }

    /// A chunk of the request body. What is beyond the limit is dropped, and the settings say what happens then.
    ///
    /// ModSecurity v3 takes in every chunk after the one that reached a ProcessPartial limit; here the limit holds.
    pub fn append_request_body(&mut self, chunk: &[u8]) -> Verdict {
        self.call("request_body_chunk", |evaluation| request_body::append(evaluation, chunk))
    }

    /// So many bytes of a request body that [nobody looks at](Self::wants_request_body): they count for the limit.
    pub fn skip_request_body(&mut self, length: usize) -> Verdict {
        self.call("request_body_chunk", |evaluation| {
            request_body::admit_bytes(evaluation, length);
        })
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
        self.call("request_body", request_body::judge)
    }

    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        response::take_header(&mut self.evaluation(), name, value);
    }

    /// All response headers are there: rules of phase 3 run. `protocol` is `HTTP/1.1` or `1.1`, with the version of the response.
    pub fn process_response_headers(&mut self, status: u16, protocol: &str) -> Verdict {
        self.call("response_headers", |evaluation| response::judge_headers(evaluation, status, protocol))
    }

    /// Returns `true` if the response body will be judged. Otherwise it is not kept, so that a host need not gather it.
    pub fn wants_response_body(&self) -> bool {
        response::is_body_wanted(&self.shared.graph, &self.state)
    }

    /// A chunk of the response body. What is beyond the limit is dropped, and the settings say what happens then.
    pub fn append_response_body(&mut self, chunk: &[u8]) -> Verdict {
        self.call("response_body_chunk", |evaluation| response::append_body(evaluation, chunk))
    }

    /// The whole response body is there: rules of phase 4 run, where the settings ask for it.
    pub fn process_response_body(&mut self) -> Verdict {
        self.call("response_body", response::judge_body)
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
        #[cfg(feature = "tracing")]
        let _span = self.trace.enter("logging");
        self.log();
        let pending = &mut self.state.pending.intervention;
        *pending = decision.or(pending.take());
        self.observe();
        self.observers().for_each(|observer| observer.finished(self));
    }

    fn log(&mut self) {
        let mut evaluation = self.evaluation();
        evaluation.debug(4, || "Starting phase LOGGING. (SecRules 5)".to_owned());
        if !evaluation.is_disabled() {
            engine::run(&mut evaluation, Phase::Logging);
            audit::write(self);
            let keeps = self.shared.graph.settings.upload_keep_files == KeepFiles::RelevantOnly;
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

    fn call(&mut self, name: &'static str, take: impl FnOnce(&mut Evaluation<'_>)) -> Verdict {
        #[cfg(feature = "tracing")]
        let _span = self.trace.enter(name);
        #[cfg(not(feature = "tracing"))]
        let _ = name;
        take(&mut self.evaluation());
        self.observe();
        self.verdict()
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

    /// Names the site that the request is for, as [`Connection::site`](super::Connection::site) does.
    pub fn set_site(&mut self, site: u64) {
        self.state.site = Some(SiteId(site));
    }

    /// Sets the name that logs give to the server.
    pub fn set_hostname(&mut self, name: &[u8]) {
        self.state.hostname = Some(self.state.collections.arena.store(name));
    }

    /// Sets what the audit log calls the software that connects the host.
    pub fn set_connector(&mut self, name: &[u8]) {
        self.state.connector = self.state.collections.arena.store(name);
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
