//! Data of a transaction as bytes, for logs.

use super::{Transaction, audit};
use crate::engine::limit_text;
use crate::graph::{AuditEngine, EngineMode, LogLetters, RuleGraph};
use crate::state::{Entry, Masking, RuleMatch, ScriptFailure, Text};
use crate::vocabulary::{Limit, LimitSet};
use std::sync::Arc;
use std::time::SystemTime;

impl Transaction {
    /// Returns the id: UNIQUE_ID.
    pub fn id(&self) -> String {
        self.state.id()
    }

    /// Returns the start of the transaction.
    pub fn began(&self) -> SystemTime {
        self.state.collections.clock.moment()
    }

    /// Returns the client's address, as the host passed it.
    pub fn client_address(&self) -> &[u8] {
        self.read(self.state.collections.scalars.remote_addr)
    }

    /// Returns the client's port; empty before the connection is known.
    pub fn client_port(&self) -> &[u8] {
        self.read(self.state.collections.scalars.remote_port)
    }

    /// Returns the server's address, as the host passed it.
    pub fn server_address(&self) -> &[u8] {
        self.read(self.state.collections.scalars.server_addr)
    }

    /// Returns the server's port; empty before the connection is known.
    pub fn server_port(&self) -> &[u8] {
        self.read(self.state.collections.scalars.server_port)
    }

    /// Returns the name of the server in logs: the one that the host set, otherwise the server's address.
    pub fn hostname(&self) -> &[u8] {
        self.state.hostname.map_or(self.server_address(), |name| self.read(name))
    }

    /// Returns the host's name for the software that connects it, for the audit log.
    pub fn connector(&self) -> &[u8] {
        self.read(self.state.connector)
    }

    /// Returns the method of the request.
    pub fn method(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_method)
    }

    /// Returns the target of the request, as received.
    pub fn target(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_uri_raw)
    }

    /// Returns the path of the request, decoded.
    pub fn path(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_filename)
    }

    /// Returns the protocol of the request, such as `HTTP/1.1`.
    pub fn protocol(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_protocol)
    }

    /// Returns the request line.
    pub fn request_line_bytes(&self) -> &[u8] {
        self.read(self.state.collections.scalars.request_line)
    }

    /// Returns the user name that the client sent, if any.
    pub fn remote_user(&self) -> Option<&[u8]> {
        self.state.collections.scalars.remote_user.map(|user| self.read(user))
    }

    /// Returns names and values of the request headers, in the order of their arrival.
    pub fn request_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs(&self.state.collections.request_headers)
    }

    /// Returns the request body, as far as it was kept.
    pub fn request_body_bytes(&self) -> &[u8] {
        self.read(self.state.collections.arena.request_body())
    }

    /// Returns the status of the response; 0 before it is known.
    pub fn status(&self) -> u16 {
        let digits = self.read(self.state.collections.scalars.response_status);
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Returns the protocol of the response, as the host passed it.
    pub fn response_protocol(&self) -> &[u8] {
        self.read(self.state.collections.scalars.response_protocol)
    }

    /// Returns names and values of the response headers, in the order of their arrival.
    pub fn response_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs(&self.state.collections.response_headers)
    }

    /// Returns the client's names of uploaded files.
    #[doc(hidden)]
    pub fn file_names(&self) -> impl Iterator<Item = &[u8]> {
        self.pairs(&self.state.collections.file_names).map(|(_, name)| name)
    }

    /// Returns the response body, as far as it was kept.
    pub fn response_body_bytes(&self) -> &[u8] {
        self.read(self.state.collections.arena.response_body())
    }

    /// Returns the value of a TX variable, for hosts that show scores.
    pub fn tx(&self, key: &str) -> Option<String> {
        let tx = &self.state.collections.tx;
        let slot = tx.find(&self.shared.graph.tx_names, key.as_bytes())?;
        tx.read(slot).map(|value| self.lossy(value))
    }

    /// Returns every TX variable that is set, with its value, for hosts that show what rules stored.
    pub fn tx_variables(&self) -> impl Iterator<Item = (String, String)> {
        let variables = self.state.collections.tx.iter(&self.shared.graph.tx_names);
        variables.map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), self.lossy(value)))
    }

    /// Returns the first scripts that failed.
    pub fn script_failures(&self) -> &[ScriptFailure] {
        &self.state.script_failures
    }

    /// Returns the errors of the engine during the transaction, for the host's error log: records that could not be written, and scripts that failed.
    /// The same cause is reported once a minute, by the first transaction that meets it.
    pub fn notices(&self) -> &[String] {
        &self.state.notices
    }

    /// Returns the rules that matched and are logged, as the engine stores them.
    #[doc(hidden)]
    pub fn rule_matches(&self) -> &[RuleMatch] {
        &self.state.matches
    }

    /// Returns the limits that were exceeded so far.
    #[doc(hidden)]
    pub fn limits(&self) -> LimitSet {
        self.state.collections.arena.budget.exceeded()
    }

    /// Returns the rules that judge it.
    #[doc(hidden)]
    pub fn graph(&self) -> &Arc<RuleGraph> {
        &self.shared.graph
    }

    /// Returns the mode of the engine, from the settings or `ctl:ruleEngine`.
    #[doc(hidden)]
    pub fn engine_mode(&self) -> EngineMode {
        self.state.engine_mode(&self.shared.graph.settings)
    }

    /// Returns which transactions the audit log contains, from the settings or `ctl:auditEngine`.
    #[doc(hidden)]
    pub fn audit_engine(&self) -> AuditEngine {
        self.state.audit_engine(&self.shared.graph.settings)
    }

    /// Returns the parts of the audit log, from the settings or `ctl:auditLogParts`.
    #[doc(hidden)]
    pub fn audit_parts(&self) -> LogLetters {
        self.state.audit_parts(&self.shared.graph.settings)
    }

    /// Returns `true` if a rule would have stopped the exchange if `SecRuleEngine` were `On`, and nothing did.
    #[doc(hidden)]
    pub fn is_detected(&self) -> bool {
        self.state.pending.detected.is_some() && self.intervention().is_none()
    }

    /// Returns the masking of the secrets of the exchange, for logs; `None` if the rule set has none.
    pub(crate) fn masking(&self) -> Option<Masking<'_>> {
        self.state.masking(&self.shared.graph.settings)
    }

    /// Returns `true` if the audit log will contain the transaction, judged by its state so far.
    ///
    /// With `RelevantOnly` it contains transactions with a status that the settings name, and those with a logged match that is not exempt from the
    /// audit log.
    #[doc(hidden)]
    pub fn is_audited(&self) -> bool {
        match self.audit_engine() {
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => audit::has_relevant_status(self) || self.state.matches.iter().any(|found| found.audits),
        }
    }

    /// Describes an exceeded limit: `Limit exceeded: cookies (SecCookiesLimit 10000): cookies are left out.`
    #[doc(hidden)]
    pub fn limit_text(&self, limit: Limit) -> String {
        limit_text(&self.shared.graph.settings, limit)
    }

    /// Returns the rest of the budget, in units of work.
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
