//! The connection, the request line and the request headers.

use super::arguments::{add_argument, flag_encoding, sum_arguments};
use crate::engine::{self, Evaluation};
use crate::graph::Phase;
use crate::http::request_target::{RequestTarget, request_line, request_protocol};
use crate::http::{arguments, authorization, cookies, host};
use crate::state::{ArgumentOrigin, Entry, Offsets, Places, learn_query, learn_request_header};
use crate::vocabulary::Limit;

/// Takes the connection, and runs phase 0, even if the engine is off, as in ModSecurity v3.
pub fn take_connection(eval: &mut Evaluation<'_>, client: &str, client_port: u16, server: &str, server_port: u16) {
    eval.debug(4, || "Transaction context created.".to_owned());
    eval.debug(4, || "Starting phase CONNECTION. (SecRules 0)".to_owned());
    let collections = &mut eval.state.collections;
    collections.scalars.remote_addr = collections.arena.store(client.as_bytes());
    collections.scalars.remote_port = collections.arena.store_number(client_port);
    collections.scalars.server_addr = collections.arena.store(server.as_bytes());
    collections.scalars.server_port = collections.arena.store_number(server_port);
    engine::run(eval, Phase::Connection);
}

/// Takes the request line: the target as received, the method, and the version, `1.1` or `HTTP/1.1`.
pub fn take_request_line(eval: &mut Evaluation<'_>, target: &[u8], method: &[u8], version: &[u8]) {
    eval.debug(4, || "Starting phase URI. (SecRules 0 + 1/2)".to_owned());
    let split = RequestTarget::new(target);
    let separator = eval.rules.settings.argument_separator;
    let sent = target.split(|byte| *byte == b'#').next().unwrap_or(target);
    let arena = &mut eval.state.collections.arena;
    let scalars = &mut eval.state.collections.scalars;
    scalars.request_method = arena.store(method);
    scalars.request_uri_raw = arena.store(split.raw());
    scalars.request_uri = arena.store(split.uri());
    scalars.request_filename = arena.store(split.filename());
    scalars.request_basename = arena.store(split.basename().unwrap_or_default());
    scalars.query_string = arena.store(split.query_string().unwrap_or_default());
    scalars.request_protocol = arena.store(&request_protocol(version));
    scalars.request_line = arena.store(&request_line(method, target, version));
    let path = split.query_string_offset().map_or(sent.len(), |query| query.saturating_sub(1));
    let end = scalars.request_line.len() + 1;
    eval.state.collections.places = Places { end, query: method.len() + 1 + path + 1, target: sent.len(), path, body_processor: 0 };
    let behind_hash = split.query_behind_hash(separator).map(|(start, text)| (method.len() + 1 + start, text));
    let queries = split.query_string().into_iter().chain(behind_hash.map(|(_, text)| text));
    queries.for_each(|text| learn_query(eval.state, text, separator));
    for (place, text) in split.query_string().map(|text| (eval.state.collections.places.query, text)).into_iter().chain(behind_hash) {
        add_query(eval, place, text, separator);
    }
    sum_arguments(eval);
}

/// Adds the arguments of a query, or of a part of one, that begins at this offset in the request.
fn add_query(eval: &mut Evaluation<'_>, place: usize, text: &[u8], separator: u8) {
    for argument in arguments::split(text, separator).map(|raw| raw.decode()) {
        let offsets = Offsets { name: place + argument.offset, value: place + argument.value_offset() };
        let entry = eval.state.collections.entry(&argument.name, &argument.value, offsets);
        flag_encoding(eval, argument.invalid_encoding);
        add_argument(eval, ArgumentOrigin::Query, entry);
    }
}

/// Takes a request header.
pub fn take_header(eval: &mut Evaluation<'_>, name: &[u8], value: &[u8]) {
    let name_offset = eval.state.collections.places.end;
    let value_offset = name_offset + name.len() + ": ".len();
    eval.state.collections.places.end = value_offset + value.len() + 1;
    let taken = &eval.state.collections;
    let (headers, bytes) = (taken.request_headers.len(), taken.request_header_bytes);
    if !takes_header(eval, headers, bytes, name.len() + value.len()) {
        return;
    }
    eval.state.collections.request_header_bytes += name.len() + value.len();
    let entry = eval.state.collections.entry(name, value, Offsets { name: name_offset, value: value_offset });
    eval.state.collections.request_headers.push(entry);
    learn_request_header(eval.state, &eval.rules.settings, entry);
    let arena = &mut eval.state.collections.arena;
    let scalars = &mut eval.state.collections.scalars;
    if name.eq_ignore_ascii_case(b"cookie") {
        let max = eval.rules.settings.limit(Limit::Cookies);
        for cookie in cookies::parse(value) {
            if eval.state.collections.cookies.len() >= max {
                arena.budget.exceed(Limit::Cookies);
                break;
            }
            let name = entry.value.part(cookie.name_offset, cookie.name.len());
            let value = entry.value.part(cookie.value_offset(), cookie.value.len());
            let offsets = Offsets { name: value_offset + cookie.name_offset, value: value_offset + cookie.value_offset() };
            if !arena.budget.reserve(size_of::<Entry>()) {
                break;
            }
            eval.state.collections.cookies.push(Entry { name, value, offsets });
        }
    } else if name.eq_ignore_ascii_case(b"content-type") {
        if let Some(processor) = eval.state.body_type.take(entry.value, arena) {
            eval.state.body_processor = Some(processor);
            scalars.body_processor = arena.store(processor.name().as_bytes());
            eval.state.collections.places.body_processor = value_offset;
        }
    } else if name.eq_ignore_ascii_case(b"host") {
        scalars.server_name = arena.store(host::server_name(value));
    } else if name.eq_ignore_ascii_case(b"authorization") {
        scalars.auth_type = arena.store(authorization::auth_type(value));
        scalars.remote_user = authorization::basic_user(value).map(|user| arena.store(&user));
    }
}

/// Ends the request headers, and runs phase 1.
pub fn judge_headers(eval: &mut Evaluation<'_>) {
    eval.debug(4, || "Starting phase REQUEST_HEADERS.  (SecRules 1)".to_owned());
    if !eval.is_disabled() {
        engine::deny_banned(eval);
        engine::run(eval, Phase::RequestHeaders);
    }
    eval.state.flow.headers_judged = true;
}

/// Returns `true` if a message with this number of headers and bytes of headers may have another header.
#[inline]
pub fn takes_header(eval: &mut Evaluation<'_>, headers: usize, bytes: usize, more: usize) -> bool {
    let settings = &eval.rules.settings;
    let exceeded = [
        (Limit::Headers, headers >= settings.limit(Limit::Headers)),
        (Limit::HeaderBytes, bytes + more > settings.limit(Limit::HeaderBytes)),
    ];
    let exceeded = exceeded.into_iter().find(|(_, is_exceeded)| *is_exceeded);
    exceeded.into_iter().for_each(|(limit, _)| eval.exceed(limit));
    exceeded.is_none()
}
