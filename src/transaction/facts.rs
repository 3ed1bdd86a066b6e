//! What a transaction knows of its exchange, as bytes, for those who write it down.

use super::{Transaction, audit};
use crate::engine::limit_text;
use crate::graph::{AuditEngine, EngineMode, LogLetters, RuleGraph};
use crate::state::{Entry, RuleMatch, ScriptFailure, Text};
use crate::vocabulary::{Limit, LimitSet};
use std::sync::Arc;
use std::time::SystemTime;

impl Transaction {
    /// The id: UNIQUE_ID.
    pub fn id(&self) -> String {
        self.state.id()
    }

    /// When it began.
    pub fn began(&self) -> SystemTime {
        self.state.collections.clock.moment()
    }

    /// The client's address, as the host gave it.
    pub fn client_address(&self) -> &[u8] {
        self.read(self.state.collections.scalars.remote_addr)
    }

    /// The client's port; empty before the connection is known.
    pub fn client_port(&self) -> &[u8] {
        self.read(self.state.collections.scalars.remote_port)
    }

    /// The server's address, as the host gave it.
    pub fn server_address(&self) -> &[u8] {
        self.read(self.state.collections.scalars.server_addr)
    }

    /// The server's port; empty before the connection is known.
    pub fn server_port(&self) -> &[u8] {
        self.read(self.state.collections.scalars.server_port)
    }

    /// The name that logs give to the server: the one that the host set, otherwise the server's address.
    pub fn hostname(&self) -> &[u8] {
        self.state.hostname.map_or(self.server_address(), |name| self.read(name))
    }

    /// What the host calls the software that connects it, for the audit log.
    pub fn connector(&self) -> &[u8] {
        self.read(self.state.connector)
    }

    /// The method of the request.
    pub fn method(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_method)
    }

    /// The target of the request, as received.
    pub fn target(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_uri_raw)
    }

    /// The path of the request, decoded.
    pub fn path(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_filename)
    }

    /// The protocol of the request, such as `HTTP/1.1`.
    pub fn protocol(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_protocol)
    }

    /// The request line.
    pub fn request_line_bytes(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_line)
    }

    /// The user that the client says it is, where it says so.
    pub fn remote_user(&self) -> Option<&[u8]> {
        self.state.collections.scalars.remote_user.map(|user| self.read(user))
    }

    /// Names and values of the request headers, in the order of their arrival.
    pub fn request_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs(&self.state.collections.request_headers)
    }

    /// The request body, as far as it was taken in.
    pub fn request_body_bytes(&self) -> &[u8] {
        self.read(self.state.collections.arena.request_body())
    }

    /// The status of the response; 0 before it is known.
    pub fn status(&self) -> u16 {
        let digits = self.read(self.state.collections.scalars.response_status);
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// The protocol of the response, as the host gave it.
    pub fn response_protocol(&self) -> &[u8] {
        self.read(self.state.collections.scalars.response_protocol)
    }

    /// Names and values of the response headers, in the order of their arrival.
    pub fn response_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs(&self.state.collections.response_headers)
    }

    /// The response body, as far as it was taken in.
    pub fn response_body_bytes(&self) -> &[u8] {
        self.read(self.state.collections.arena.response_body())
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

    /// Scripts that could not be run to their end, the first of them.
    pub fn script_failures(&self) -> &[ScriptFailure] {
        &self.state.script_failures
    }

    /// What went wrong in the engine while the transaction ran, a text each, for the host's error log: records that could not be written,
    /// scripts that failed. The same cause stands here once a minute, whichever transaction met it.
    pub fn notices(&self) -> &[String] {
        &self.state.notices
    }

    /// The rules that matched and are logged, as the engine keeps them.
    #[doc(hidden)]
    pub fn rule_matches(&self) -> &[RuleMatch] {
        &self.state.matches
    }

    /// The limits that were exceeded so far.
    #[doc(hidden)]
    pub fn limits(&self) -> LimitSet {
        self.state.collections.arena.budget.exceeded()
    }

    /// The rules that judge it.
    #[doc(hidden)]
    pub fn graph(&self) -> &Arc<RuleGraph> {
        &self.shared.graph
    }

    /// The mode of the engine, as the settings say and `ctl:ruleEngine` changed it.
    #[doc(hidden)]
    pub fn engine_mode(&self) -> EngineMode {
        self.state.engine_mode(&self.shared.graph.settings)
    }

    /// Returns which transactions the audit log takes in, as the settings say and `ctl:auditEngine` changed it.
    #[doc(hidden)]
    pub fn audit_engine(&self) -> AuditEngine {
        self.state.audit_engine(&self.shared.graph.settings)
    }

    /// The parts of the audit log, as the settings say and `ctl:auditLogParts` changed them.
    #[doc(hidden)]
    pub fn audit_parts(&self) -> LogLetters {
        self.state.audit_parts(&self.shared.graph.settings)
    }

    /// Returns `true` if the audit log takes the transaction in, as it stands now.
    ///
    /// With `RelevantOnly` those are taken in whose status the settings name, or that a rule matched which is not exempt from the audit log.
    #[doc(hidden)]
    pub fn is_audited(&self) -> bool {
        match self.audit_engine() {
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => audit::has_relevant_status(self) || self.state.matches.iter().any(|found| found.audits),
        }
    }

    /// A limit that was exceeded, in words: `Limit exceeded: cookies (SecCookiesLimit 10000): cookies are left out.`
    #[doc(hidden)]
    pub fn limit_text(&self, limit: Limit) -> String {
        limit_text(&self.shared.graph.settings, limit)
    }

    /// How much work the budget still allows, in units.
    #[doc(hidden)]
    pub fn budget_left(&self) -> usize {
        self.state.collections.arena.budget.left()
    }

    fn lossy(&self, text: Text) -> String {
        String::from_utf8_lossy(self.state.collections.arena.read(text)).into_owned()
    }

    fn pairs<'a>(&'a self, entries: &'a [Entry]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        entries.iter().map(|entry| (self.read(entry.name), self.read(entry.value)))
    }

    fn read(&self, text: Text) -> &[u8] {
        self.state.collections.arena.read(text)
    }
}
