//! Bodies while they arrive: what can be done with a chunk is done when it comes, so that the end of a large body costs no long pause.

use crate::body::multipart::BoundaryCandidates;
use crate::engine::Evaluation;
use crate::graph::{BodyProcessor, Plan, PlanPart, RuleGraph};
use crate::state::{BodyScan, State, Text};
use crate::vocabulary::Variable;

/// The length of a body from which on the boundaries in it are searched for while it arrives, in bytes.
const FIRST: usize = 32 << 10;

/// Reads the request body as far as it has arrived.
pub fn read_request(eval: &mut Evaluation<'_>) {
    // Phase 1 may choose another processor.
    if !eval.state.flow.headers_judged {
        return;
    }
    find_boundaries(eval);
    let is_judged = eval.state.overrides.request_body_access.unwrap_or(eval.rules.settings.request_body_access);
    // Rules do not see the raw text of XML.
    let is_seen = eval.state.body_processor != Some(BodyProcessor::Xml) || eval.state.overrides.force_request_body;
    if is_judged && is_seen {
        scan(eval, Variable::RequestBody, eval.state.collections.arena.request_body(), |state| &mut state.request_scan);
    }
}

/// Reads the response body as far as it has arrived.
pub fn read_response(eval: &mut Evaluation<'_>) {
    scan(eval, Variable::ResponseBody, eval.state.collections.arena.response_body(), |state| &mut state.response_scan);
}

/// Searches the rest of the body, and returns the lines that may be boundaries; `None` if it was not searched while it arrived.
pub fn finish_boundaries(eval: &mut Evaluation<'_>) -> Option<BoundaryCandidates> {
    let arena = &eval.state.collections.arena;
    let mut boundaries = eval.state.boundaries.take()?;
    boundaries.finish(arena.read(arena.request_body()));
    Some(boundaries)
}

/// Scans the rest of the request body, before rules read it.
pub fn finish_request(eval: &mut Evaluation<'_>) {
    finish_scan(eval, eval.state.collections.arena.request_body(), |state| &mut state.request_scan);
}

/// Scans the rest of the response body, before rules read it.
pub fn finish_response(eval: &mut Evaluation<'_>) {
    finish_scan(eval, eval.state.collections.arena.response_body(), |state| &mut state.response_scan);
}

fn find_boundaries(eval: &mut Evaluation<'_>) {
    let State { boundaries, body_processor, body_type, collections, .. } = &mut *eval.state;
    let arena = &collections.arena;
    let body = arena.read(arena.request_body());
    if *body_processor != Some(BodyProcessor::Multipart) || body.len() < FIRST {
        return;
    }
    let begin = || BoundaryCandidates::new(body_type.header().map_or(&[], |header| arena.read(header)));
    boundaries.get_or_insert_with(begin).read(body);
}

fn scan(eval: &mut Evaluation<'_>, variable: Variable, body: Text, of: impl Fn(&mut State) -> &mut BodyScan) {
    let Some((rules, plan)) = rules(eval) else { return };
    let mut scan = std::mem::take(of(eval.state));
    scan.read(rules, plan, variable, eval.state.transforms.reached(), eval.state.collections.arena.read(body));
    *of(eval.state) = scan;
}

fn finish_scan(eval: &mut Evaluation<'_>, body: Text, of: impl Fn(&mut State) -> &mut BodyScan) {
    let Some((rules, plan)) = rules(eval) else { return };
    let mut scan = std::mem::take(of(eval.state));
    if let Some((kind, results)) = scan.finish(rules, plan, eval.state.collections.arena.read(body)) {
        eval.state.transforms.take_scan(body, kind, results);
    }
}

/// Returns the rules and their plan, if they will judge a body that is read while it arrives.
fn rules<'r>(eval: &Evaluation<'r>) -> Option<(&'r RuleGraph, &'r Plan)> {
    let will_run = !eval.is_decided() && !eval.state.collections.arena.budget.is_over();
    eval.rules.plan.as_ref().filter(|plan| will_run && plan.has(PlanPart::EarlyBodies)).map(|plan| (eval.rules, plan))
}
