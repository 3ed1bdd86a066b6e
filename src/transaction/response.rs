//! The response: status, headers and body.

use super::arriving_body;
use super::body_limit::{BodyLimit, admit};
use super::request::takes_header;
use crate::engine::{self, Evaluation};
use crate::escape::text;
use crate::graph::{EngineMode, Phase, RuleGraph};
use crate::http::content_type::media_type;
use crate::state::{Offsets, State, learn_response_header};
use crate::vocabulary::Limit;

/// Takes a response header.
pub fn take_header(eval: &mut Evaluation<'_>, name: &[u8], value: &[u8]) {
    let taken = &eval.state.collections;
    let (headers, bytes) = (taken.response_headers.len(), taken.response_header_bytes);
    if !takes_header(eval, headers, bytes, name.len() + value.len()) {
        return;
    }
    eval.state.collections.response_header_bytes += name.len() + value.len();
    let end = eval.state.collections.places.end;
    let entry = eval.state.collections.entry(name, value, Offsets { name: end, value: end });
    eval.state.collections.response_headers.push(entry);
    learn_response_header(eval.state, &eval.rules.settings, entry);
    if name.eq_ignore_ascii_case(b"content-type") {
        eval.state.collections.scalars.response_content_type = eval.state.collections.arena.store(media_type(value));
    }
}

/// Ends the response headers, and runs phase 3. `protocol` is `HTTP/1.1` or `1.1`, with the version of the response.
pub fn judge_headers(eval: &mut Evaluation<'_>, status: u16, protocol: &str) {
    eval.debug(4, || "Starting phase RESPONSE_HEADERS. (SecRules 3)".to_owned());
    update_status(eval, status);
    let is_number = protocol.starts_with(|first: char| first.is_ascii_digit());
    let prefix = if is_number { "HTTP/" } else { "" };
    eval.state.collections.scalars.response_protocol = eval.state.collections.arena.store(format!("{prefix}{protocol}").as_bytes());
    if !eval.is_disabled() {
        engine::run(eval, Phase::ResponseHeaders);
    }
}

/// Sets the status that the host answers with, for phase 5 and the logs.
pub fn update_status(eval: &mut Evaluation<'_>, status: u16) {
    eval.state.collections.scalars.response_status = eval.state.collections.arena.store_number(status);
}

/// Returns `true` if the response body will be judged.
pub fn is_body_wanted(rules: &RuleGraph, state: &State) -> bool {
    let settings = &rules.settings;
    state.engine_mode(settings) != EngineMode::Off && settings.response_body_access && settings.inspects_response_type(media_type_of(state))
}

/// Returns `true` if the length of the response body counts for its limit: by the type alone, as in ModSecurity v3.
pub fn counts_body(rules: &RuleGraph, state: &State) -> bool {
    rules.settings.inspects_response_type(media_type_of(state))
}

fn media_type_of(state: &State) -> &[u8] {
    state.collections.arena.read(state.collections.scalars.response_content_type)
}

fn uninspected_type(eval: &Evaluation<'_>) -> String {
    let media_type = text(media_type_of(eval.state));
    format!("Response Content-Type is {media_type}. It is not marked to be inspected.")
}

/// Takes a chunk of the response body. Bytes beyond the limit are dropped, and the settings decide what follows.
pub fn append_body(eval: &mut Evaluation<'_>, chunk: &[u8]) {
    if !counts_body(eval.rules, eval.state) {
        eval.debug(4, || format!("Not appending response body. {}", uninspected_type(eval)));
        return;
    }
    let settings = &eval.rules.settings;
    let limit = BodyLimit {
        name: "Response",
        kind: Limit::ResponseBody,
        limit: settings.limit(Limit::ResponseBody),
        action: settings.response_body_limit_action,
        gathered: eval.state.body_lengths.response,
    };
    let admission = admit(eval, chunk.len(), &limit);
    if admission.exceeds {
        eval.state.collections.scalars.outbound_data_error = eval.state.collections.arena.store(b"1");
    }
    eval.state.body_lengths.response = eval.state.body_lengths.response.saturating_add(admission.taken);
    if is_body_wanted(eval.rules, eval.state) {
        eval.state.collections.arena.append_response_body(chunk.get(..admission.taken).unwrap_or_default());
        arriving_body::read_response(eval);
    }
}

/// Ends the response body, and runs phase 4 if the settings ask for it.
pub fn judge_body(eval: &mut Evaluation<'_>) {
    eval.debug(4, || "Starting phase RESPONSE_BODY. (SecRules 4)".to_owned());
    if eval.is_disabled() {
        return;
    }
    let settings = &eval.rules.settings;
    if !settings.response_body_access {
        eval.debug(4, || "Response body is disabled, returning... 2".to_owned());
        return;
    }
    if !is_body_wanted(eval.rules, eval.state) {
        eval.debug(5, || uninspected_type(eval));
        eval.debug(8, || {
            let listed = eval.rules.settings.response_body_types.iter().map(|listed| format!("{listed} "));
            format!("Content-Type(s) marked to be inspected: {}", listed.collect::<String>())
        });
        return;
    }
    let body = eval.state.collections.arena.response_body();
    let arena = &mut eval.state.collections.arena;
    let scalars = &mut eval.state.collections.scalars;
    if scalars.outbound_data_error.is_empty() {
        scalars.outbound_data_error = arena.store(b"0");
    }
    scalars.response_body = body;
    scalars.response_content_length = arena.store_number(body.len());
    arriving_body::finish_response(eval);
    engine::run(eval, Phase::ResponseBody);
}
