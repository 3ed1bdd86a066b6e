//! Learns the values of names that are secret.

use super::masking::Masking;
use super::names::{ArgumentNames, MIN_SEARCHED, Part, Secrets};
use crate::body::xml::XmlDocument;
use crate::graph::{BodyProcessor, Key, Selector, Settings, Target};
use crate::http::arguments::{self, Argument};
use crate::http::authorization;
use crate::mask::{self, Choice, Kept};
use crate::state::{self, Arena, ArgumentOrigin, Collections, Entry, PER_VALUE, Selected, State, UploadedFile};
use crate::vocabulary::Variable;
use std::ops::Range;

/// Number of bytes of a file that are searched for outside of their place.
const MAX_OF_FILE: usize = 4096;

/// Learns the arguments of a query, or of a part of one, before the first of them is stored: it may have the value of a later one.
#[inline]
pub fn learn_query(state: &mut State, query: &[u8], separator: u8) {
    if let Some(secrets) = &mut state.secrets {
        self::query(secrets, query, separator);
    }
}

/// Learns the arguments of a body, before the first of them is stored.
#[inline]
pub fn learn_body_arguments(state: &mut State, settings: &Settings, entries: &[Entry]) {
    let is_doubtful = state.masking(settings).is_some_and(Masking::doubts_body);
    let State { secrets: Some(secrets), collections: Collections { arena, .. }, .. } = state else { return };
    arguments_of_body(secrets, arena, entries.iter(), is_doubtful);
}

/// Learns the beginnings of files whose fields are secret.
#[inline]
pub fn learn_files(state: &mut State, files: &[UploadedFile]) {
    let State { secrets: Some(secrets), collections: Collections { arena, .. }, .. } = state else { return };
    for file in files {
        if matches!(secrets.file(arena.read(file.field)), Choice::Whole) {
            let content = arena.read(file.content);
            secrets.add_value(content.get(..MAX_OF_FILE).unwrap_or(content));
        }
    }
}

/// Learns a request header that was stored, and its cookies.
#[inline]
pub fn learn_request_header(state: &mut State, settings: &Settings, entry: Entry) {
    if let Some(secrets) = &mut state.secrets {
        request_header(secrets, &state.collections, settings.argument_separator, entry);
    }
}

/// Learns a response header that was stored.
#[inline]
pub fn learn_response_header(state: &mut State, settings: &Settings, entry: Entry) {
    if let Some(secrets) = &mut state.secrets {
        response_header(secrets, &state.collections, settings.argument_separator, entry);
    }
}

/// Learns the secrets of an XML body.
#[inline]
pub fn learn_xml(state: &mut State, settings: &Settings) {
    if let Some(secrets) = &mut state.secrets
        && state.body_processor == Some(BodyProcessor::Xml)
    {
        xml(secrets, &state.collections, settings);
    }
}

/// Makes targets secret, and learns everything of them that is known.
pub fn learn_all(state: &mut State, settings: &Settings, targets: Vec<Target>) {
    let Some(secrets) = &mut state.secrets else { return };
    let mut is_new = false;
    for target in targets {
        is_new |= secrets.add_target(target);
    }
    if !is_new {
        return;
    }
    let Collections { arena, arguments, .. } = &mut state.collections;
    arena.budget.charge(PER_VALUE.saturating_mul(arguments.len()).saturating_add(arena.request_body().len()));
    let is_doubtful = state.masking(settings).is_some_and(Masking::doubts_body);
    let State { secrets: Some(secrets), collections, body_processor, .. } = state else { return };
    let arena = &collections.arena;
    let (query, body): (Vec<_>, Vec<_>) = collections.arguments.iter().partition(|argument| argument.origin == ArgumentOrigin::Query);
    for state::Argument { entry, .. } in query {
        argument(secrets, Part::Query, arena.read(entry.name), arena.read(entry.value));
    }
    arguments_of_body(secrets, arena, body.iter().map(|argument| &argument.entry), is_doubtful);
    let separator = settings.argument_separator;
    collections.request_headers.iter().for_each(|entry| request_header(secrets, collections, separator, *entry));
    collections.response_headers.iter().for_each(|entry| response_header(secrets, collections, separator, *entry));
    if *body_processor == Some(BodyProcessor::Xml) {
        xml(secrets, collections, settings);
    }
}

/// Returns the targets that make a value that matched secret: the member of a collection by its name. A value of another variable is learned as it is.
pub fn targets_of(state: &mut State, selected: &Selected) -> Vec<Target> {
    let arena = &state.collections.arena;
    let Some(variable) = selected.label.variable() else { return Vec::new() };
    let key = selected.label.key().map(|key| arena.read(key)).unwrap_or_default();
    if let Some(collection) = collection_of(variable) {
        return vec![Target::new(collection, Selector::Key(Key { text: key.into(), tx: None }))];
    }
    match variable {
        Variable::Xml => vec![Target::new(variable, Selector::XPath(String::from_utf8_lossy(key).into()))],
        Variable::RequestBody | Variable::FullRequest => vec![Target::new(Variable::RequestBody, Selector::All)],
        Variable::ResponseBody | Variable::QueryString => vec![Target::new(variable, Selector::All)],
        Variable::RequestUri | Variable::RequestUriRaw | Variable::RequestLine | Variable::RequestFilename => {
            vec![Target::new(Variable::RequestUri, Selector::All)]
        }
        _ => {
            let value = arena.read(selected.value).to_vec();
            let holders = holders(&state.collections, &value);
            state.secrets.as_mut().into_iter().for_each(|secrets| secrets.add_value(&value));
            holders
        }
    }
}

/// Makes parts of a value that matched secret, without the bytes that are kept. Returns the target that must become secret if there are too many parts.
pub fn learn_parts(state: &mut State, selected: &Selected, parts: &[Range<usize>], kept: Kept) -> Option<Target> {
    let State { secrets: Some(secrets), collections: Collections { arena, .. }, .. } = state else { return None };
    let variable = selected.label.variable()?;
    // Short parts are not searched for, and a value that is not a member of a collection has no other place in which to find them.
    if collection_of(variable).is_none() && parts.iter().any(|part| part.len() < MIN_SEARCHED) {
        return Some(Target::new(variable, Selector::All));
    }
    let variable = collection_of(variable).unwrap_or(variable);
    let key = selected.label.key().map(|key| arena.read(key)).unwrap_or_default();
    let value = arena.read(selected.value);
    let mut are_too_many = false;
    for text in parts.iter().filter_map(|range| value.get(range.clone())) {
        are_too_many |= !secrets.add_part(variable, key, text, kept);
    }
    are_too_many.then(|| Target::new(variable, Selector::All))
}

/// Returns the collection whose member is secret if a value of this variable is. As in ModSecurity v2, a name stands for its value.
fn collection_of(variable: Variable) -> Option<Variable> {
    match variable {
        Variable::Args
        | Variable::ArgsGet
        | Variable::ArgsPost
        | Variable::ArgsNames
        | Variable::ArgsGetNames
        | Variable::ArgsPostNames => Some(Variable::Args),
        Variable::RequestHeaders | Variable::RequestHeadersNames => Some(Variable::RequestHeaders),
        Variable::ResponseHeaders | Variable::ResponseHeadersNames => Some(Variable::ResponseHeaders),
        Variable::RequestCookies | Variable::RequestCookiesNames => Some(Variable::RequestCookies),
        Variable::FilesTmpContent => Some(Variable::FilesTmpContent),
        _ => None,
    }
}

/// Returns the members that have exactly this value, from which that of another variable was copied.
fn holders(collections: &Collections, value: &[u8]) -> Vec<Target> {
    let Collections { arena, arguments, request_headers, cookies, .. } = collections;
    let holder = |variable: Variable, entry: &Entry| {
        let key = Key { text: arena.read(entry.name).into(), tx: None };
        (!value.is_empty() && arena.read(entry.value) == value).then(|| Target::new(variable, Selector::Key(key)))
    };
    let arguments = arguments.iter().filter_map(|argument| holder(Variable::Args, &argument.entry));
    let headers = request_headers.iter().filter_map(|entry| holder(Variable::RequestHeaders, entry));
    let cookies = cookies.iter().filter_map(|entry| holder(Variable::RequestCookies, entry));
    arguments.chain(headers).chain(cookies).collect()
}

fn argument(secrets: &mut Secrets, part: Part, name: &[u8], value: &[u8]) {
    if matches!(secrets.argument(part, name), Choice::Whole) {
        secrets.add_value(value);
    }
}

/// Learns arguments of the body. Names and values of a body that may have been read wrongly are all secret.
fn arguments_of_body<'e>(secrets: &mut Secrets, arena: &Arena, entries: impl Iterator<Item = &'e Entry>, is_doubtful: bool) {
    let mut names = ArgumentNames::new(secrets, Part::Body);
    let is_secret = |entry: &&Entry| is_doubtful || matches!(names.choose(arena.read(entry.name)), Choice::Whole);
    let entries: Vec<&Entry> = entries.filter(is_secret).collect();
    for entry in entries {
        if is_doubtful {
            secrets.add_value(arena.read(entry.name));
        }
        secrets.add_value(arena.read(entry.value));
    }
}

fn query(secrets: &mut Secrets, query: &[u8], separator: u8) {
    for Argument { name, value, .. } in arguments::split(query, separator).map(|raw| raw.decode()) {
        argument(secrets, Part::Query, &name, &value);
    }
}

/// Learns the query of the address in a header.
fn address(secrets: &mut Secrets, value: &[u8], separator: u8) {
    if let Some(start) = memchr::memchr(b'?', value) {
        query(secrets, value.get(start.saturating_add(1)..).unwrap_or_default(), separator);
    }
}

fn request_header(secrets: &mut Secrets, collections: &Collections, separator: u8, entry: Entry) {
    let (name, value) = (collections.arena.read(entry.name), collections.arena.read(entry.value));
    address(secrets, value, separator);
    if matches!(secrets.member(Variable::RequestHeaders, name), Choice::Whole) {
        secrets.add_value(value);
        if let [scheme @ .., credentials] = value.splitn(2, |byte| *byte == b' ').collect::<Vec<_>>().as_slice()
            && !scheme.is_empty()
            && (name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"proxy-authorization"))
        {
            secrets.add_value(credentials);
            authorization::basic_password(value).into_iter().for_each(|password| secrets.add_value(&password));
        }
    }
    if name.eq_ignore_ascii_case(b"cookie") {
        for cookie in crate::http::cookies::parse(value) {
            if matches!(secrets.cookie(cookie.name), Choice::Whole) {
                secrets.add_value(cookie.value);
            }
        }
    }
}

fn response_header(secrets: &mut Secrets, collections: &Collections, separator: u8, entry: Entry) {
    let (name, value) = (collections.arena.read(entry.name), collections.arena.read(entry.value));
    address(secrets, value, separator);
    let is_secret = matches!(secrets.member(Variable::ResponseHeaders, name), Choice::Whole);
    if is_secret {
        secrets.add_value(value);
    }
    if name.eq_ignore_ascii_case(b"set-cookie") {
        let cookie = value.split(|byte| *byte == b';').next().unwrap_or_default();
        if let Some(equals) = memchr::memchr(b'=', cookie)
            && let (Some(name), Some(value)) = (cookie.get(..equals), cookie.get(equals.saturating_add(1)..))
            && (is_secret || matches!(secrets.cookie(name.trim_ascii()), Choice::Whole))
        {
            secrets.add_value(value);
        }
    }
}

fn xml(secrets: &mut Secrets, collections: &Collections, settings: &Settings) {
    let body = collections.arena.read(collections.arena.request_body());
    let mut values: Vec<Vec<u8>> = Vec::new();
    if secrets.names_arguments(Part::Body) {
        match mask::xml_pieces(body, |name| secrets.argument(Part::Body, name)) {
            Some(pieces) => values.extend(pieces.iter().filter(|piece| piece.is_chosen).map(|piece| piece.decoded(body).into_owned())),
            None => secrets.hide_xml(),
        }
    }
    if secrets.xpaths().next().is_some()
        && let Ok(mut document) = XmlDocument::parse(body, &settings.xml_limits())
    {
        let selected: Result<Vec<Vec<String>>, _> = secrets.xpaths().map(|path| document.select(path, &[])).collect();
        match selected {
            Ok(selected) => values.extend(selected.into_iter().flatten().map(String::into_bytes)),
            Err(_) => secrets.hide_xml(),
        }
    }
    for value in values {
        if value.trim_ascii().len() < MIN_SEARCHED {
            secrets.hide_xml();
        }
        secrets.add_value(&value);
    }
}
