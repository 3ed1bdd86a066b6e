//! The part of a body that the remaining rules need, so that a host can stream the rest.

use super::response;
use crate::graph::{AuditEngine, BodyProcessor, BodyUse, EngineMode, LimitAction, OverBudget, Phase, RuleGraph};
use crate::state::State;
use crate::vocabulary::Limit;

/// The part of a body that the engine needs, and permission to forward the body before it was judged.
///
/// ```
/// # use secrule::{Connection, Waf};
/// # let waf = Waf::from_rules("SecRuleEngine On\nSecRule REQUEST_URI \"@contains /admin\" \"id:1,phase:1,deny\"")?;
/// # let mut tx = waf.begin(Connection::new(([192, 0, 2, 7], 40000).into(), ([198, 51, 100, 1], 443).into()));
/// # let parts = http::Request::post("/upload").body(())?.into_parts().0;
/// tx.request_head(&parts)?;
/// // No rule of phase 2 reads the body: it need not be gathered.
/// assert!(tx.request_body_need().is_nothing());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyNeed {
    limit: Option<usize>,
    may_forward: bool,
}

impl BodyNeed {
    /// Returns the number of bytes from the start of the body that the engine needs; `None` for all. Later bytes change nothing, and the host need
    /// not pass them.
    pub fn limit(self) -> Option<usize> {
        self.limit
    }

    /// Returns `true` if the engine does not inspect the body. The host calls `request_end` or `response_end` at once, and forwards the body if that
    /// succeeds.
    pub fn is_nothing(self) -> bool {
        self.limit == Some(0)
    }

    /// Returns `true` if nothing can stop the exchange at the end of the body, so that the host may forward each chunk after it has passed it.
    /// Otherwise the host holds the body until `request_end` or `response_end` has succeeded.
    pub fn may_forward(self) -> bool {
        self.may_forward
    }

    fn nothing(may_forward: bool) -> Self {
        Self { limit: Some(0), may_forward }
    }

    /// The need before it is known: all of the body, held back.
    fn unknown() -> Self {
        Self { limit: None, may_forward: false }
    }
}

/// The limit of a body, and what happens beyond it.
struct Bound {
    limit: usize,
    action: LimitAction,
}

impl Bound {
    /// Returns the number of bytes that show all that the limit does. One byte more than the limit shows that it was exceeded; without an action,
    /// only the chunk that exceeds it is dropped, so that later bytes count as well.
    fn needed(&self) -> Option<usize> {
        if self.action == LimitAction::Ignore { None } else { self.limit.checked_add(1) }
    }

    /// Returns `true` if a longer body is refused.
    fn rejects(&self) -> bool {
        self.action == LimitAction::Reject && self.limit < usize::MAX
    }
}

/// Returns the need for the request body. It is known after phase 1; before that, all of the body is needed.
pub fn of_request(rules: &RuleGraph, state: &State) -> BodyNeed {
    let settings = &rules.settings;
    if state.pending.intervention.is_some() || state.engine_mode(settings) == EngineMode::Off {
        return BodyNeed::nothing(state.pending.intervention.is_none());
    }
    if !state.flow.headers_judged {
        return BodyNeed::unknown();
    }
    let is_open = state.overrides.request_body_access.unwrap_or(settings.request_body_access);
    let judged = if is_open { uses(rules, state, Phase::RequestBody) } else { BodyUse::default() };
    let later = [Phase::ResponseHeaders, Phase::ResponseBody, Phase::Logging];
    let keeps_files = is_open && settings.writes_uploads() && state.body_processor == Some(BodyProcessor::Multipart);
    let is_read = judged.reads_request
        || later.iter().any(|phase| uses(rules, state, *phase).reads_request)
        || is_written_down(rules, state, 'C')
        || keeps_files;
    need(rules, state, judged, is_read, &Bound { limit: settings.limit(Limit::RequestBody), action: settings.request_body_limit_action })
}

/// Returns the need for the response body. It is known after phase 3; before that, all of the body is needed.
pub fn of_response(rules: &RuleGraph, state: &State, is_known: bool) -> BodyNeed {
    let settings = &rules.settings;
    if state.pending.intervention.is_some() || state.engine_mode(settings) == EngineMode::Off {
        return BodyNeed::nothing(state.pending.intervention.is_none());
    }
    if !is_known {
        return BodyNeed::unknown();
    }
    let is_open = response::is_body_wanted(rules, state);
    let judged = if is_open { uses(rules, state, Phase::ResponseBody) } else { BodyUse::default() };
    let is_read = judged.reads_response || uses(rules, state, Phase::Logging).reads_response || is_written_down(rules, state, 'E');
    let limit = if response::counts_body(rules, state) { settings.limit(Limit::ResponseBody) } else { usize::MAX };
    need(rules, state, judged, is_open && is_read, &Bound { limit, action: settings.response_body_limit_action })
}

fn need(rules: &RuleGraph, state: &State, judged: BodyUse, is_read: bool, bound: &Bound) -> BodyNeed {
    let is_on = state.engine_mode(&rules.settings) == EngineMode::On;
    let rejects = is_on && bound.rejects();
    // Reading a body is work, and so is each rule.
    let may_run_over = (judged.runs || is_read) && rules.settings.over_budget != OverBudget::Pass;
    let may_forward = !rejects && !((is_on || judged.switches_on) && (judged.stops || may_run_over));
    if is_read || rejects { BodyNeed { limit: bound.needed(), may_forward } } else { BodyNeed::nothing(may_forward) }
}

/// Returns the possible effects of those rules of a phase that neither `allow` nor `ctl:ruleRemove…` has removed.
fn uses(rules: &RuleGraph, state: &State, phase: Phase) -> BodyUse {
    let is_allowed = state.flow.allow.is_some_and(|scope| scope.reaches(phase));
    let removed = &state.overrides.removed_rules;
    match (is_allowed, removed.is_empty()) {
        (true, _) => BodyUse::default(),
        (false, true) => rules.body_use.at(phase),
        (false, false) => rules.body_use.of_chains(rules, phase, |head| !removed.iter().any(|filter| filter.names(head))),
    }
}

/// Returns `true` if the audit log may contain a body, as one of its parts.
fn is_written_down(rules: &RuleGraph, state: &State, part: char) -> bool {
    state.audit_engine(&rules.settings) != AuditEngine::Off && state.audit_parts(&rules.settings).contains(part)
}
