//! Bodies while they arrive: what can be done with a chunk is done when it comes, so that the end of a large body costs no long pause.

use crate::body::multipart::BoundaryCandidates;
use crate::engine::Evaluation;
use crate::graph::{BodyProcessor, Plan, PlanPart, RuleGraph};
use crate::state::{Arena, State};
use crate::vocabulary::Variable;

/// The length of a body from which on the boundaries in it are searched for while it arrives, in bytes.
const FIRST: usize = 32 << 10;

/// Reads the request body as far as it has arrived.
pub fn read_request(eval: &mut Evaluation<'_>) {
    // Phase 1 may choose another processor.
    if eval.state.flow.headers_judged {
        find_boundaries(eval);
        scan_request(eval);
    }
}

/// Searches the rest of the body, and returns the lines that may be boundaries; `None` if it was not searched while it arrived.
pub fn finish_boundaries(eval: &mut Evaluation<'_>) -> Option<BoundaryCandidates> {
    let mut boundaries = eval.state.boundaries.take()?;
    boundaries.read(request_body(&eval.state.collections.arena));
    Some(boundaries)
}

fn find_boundaries(eval: &mut Evaluation<'_>) {
    let State { boundaries, body_processor, body_type, collections, .. } = &mut *eval.state;
    let body = request_body(&collections.arena);
    if *body_processor != Some(BodyProcessor::Multipart) || body.len() < FIRST {
        return;
    }
    if boundaries.is_none() {
        *boundaries = body_type.header().and_then(|header| BoundaryCandidates::new(collections.arena.read(header)));
    }
    boundaries.iter_mut().for_each(|boundaries| boundaries.read(body));
}

fn request_body(arena: &Arena) -> &[u8] {
    arena.read(arena.request_body())
}

fn scan_request(eval: &mut Evaluation<'_>) {
    let settings = &eval.rules.settings;
    let is_judged = eval.state.overrides.request_body_access.unwrap_or(settings.request_body_access);
    // Rules do not see the raw text of XML.
    let is_seen = eval.state.body_processor != Some(BodyProcessor::Xml) || eval.state.overrides.force_request_body;
    if is_judged
        && is_seen
        && let Some((rules, plan)) = rules(eval)
    {
        let State { request_scan, transforms, collections, .. } = &mut *eval.state;
        let body = request_body(&collections.arena);
        request_scan.read(rules, plan, Variable::RequestBody, transforms.reached(), body);
    }
}

/// Scans the response body as far as it has arrived.
pub fn scan_response(eval: &mut Evaluation<'_>) {
    if let Some((rules, plan)) = rules(eval) {
        let State { response_scan, transforms, collections, .. } = &mut *eval.state;
        let body = collections.arena.read(collections.arena.response_body());
        response_scan.read(rules, plan, Variable::ResponseBody, transforms.reached(), body);
    }
}

/// Scans the rest of the request body, before rules read it.
pub fn finish_request(eval: &mut Evaluation<'_>) {
    let Some((rules, plan)) = rules(eval) else { return };
    let State { request_scan, transforms, collections, .. } = &mut *eval.state;
    let body = collections.arena.request_body();
    if let Some((kind, results)) = request_scan.finish(rules, plan, collections.arena.read(body)) {
        transforms.take_scan(body, kind, results);
    }
}

/// Scans the rest of the response body, before rules read it.
pub fn finish_response(eval: &mut Evaluation<'_>) {
    let Some((rules, plan)) = rules(eval) else { return };
    let State { response_scan, transforms, collections, .. } = &mut *eval.state;
    let body = collections.arena.response_body();
    if let Some((kind, results)) = response_scan.finish(rules, plan, collections.arena.read(body)) {
        transforms.take_scan(body, kind, results);
    }
}

/// Returns the rules and their plan, if they will judge a body that is read while it arrives.
fn rules<'r>(eval: &Evaluation<'r>) -> Option<(&'r RuleGraph, &'r Plan)> {
    let will_run = !eval.is_decided() && !eval.state.collections.arena.budget.is_over();
    eval.rules.plan.as_ref().filter(|plan| will_run && plan.has(PlanPart::EarlyBodies)).map(|plan| (eval.rules, plan))
}
