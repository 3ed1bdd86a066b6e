//! The request body: collected up to its limit, parsed by its processor, then judged.

use super::arguments::{add_argument, debug_argument, flag_encoding, sum_arguments};
use super::arriving_body;
use super::body_limit::{BodyLimit, admit, shown_limit};
use crate::body::json::{self, JsonError};
use crate::body::multipart::{Multipart, MultipartError, MultipartFlags, MultipartLimits, Note};
use crate::body::xml::{XmlDocument, XmlError};
use crate::body::{BodyError, urlencoded};
use crate::engine::{self, Evaluation};
use crate::escape::{shown, text};
use crate::graph::{AuditEngine, BodyProcessor, EngineMode, KeepFiles, LimitAction, Phase, RuleGraph};
use crate::http::charset;
use crate::state::{
    Arena, Argument, ArgumentOrigin, BodyView, Entry, Offsets, State, Text, UploadedFile, learn_body_arguments, learn_files, learn_xml,
};
use crate::vocabulary::Limit;
use std::ops::ControlFlow;

/// Maximum number of characters in the debug log of the reason why a body is not XML.
const MAX_REASON: usize = 200;

/// The message of a body that is too long without its files.
const TOO_LONG: &str = "Request body excluding files is bigger than the maximum expected.";

/// Takes a chunk of the request body. Bytes beyond the limit are dropped, and the settings decide what follows.
///
/// ModSecurity v3 accepts every chunk after the one that reached a ProcessPartial limit; here the limit applies to all.
pub fn append(eval: &mut Evaluation<'_>, chunk: &[u8]) {
    let taken = admit_bytes(eval, chunk.len());
    if is_wanted(eval.rules, eval.state) {
        eval.state.collections.arena.append_request_body(chunk.get(..taken).unwrap_or_default());
        arriving_body::read_request(eval);
    }
}

/// Returns the number of bytes of a chunk that the limit admits.
pub fn admit_bytes(eval: &mut Evaluation<'_>, length: usize) -> usize {
    let settings = &eval.rules.settings;
    let limit = BodyLimit {
        name: "Request",
        kind: Limit::RequestBody,
        limit: settings.limit(Limit::RequestBody),
        action: settings.request_body_limit_action,
        gathered: eval.state.body_lengths.request,
    };
    let action = limit.action;
    let admission = admit(eval, length, &limit);
    if admission.exceeds {
        eval.state.collections.scalars.inbound_data_error = eval.state.collections.arena.store(b"1");
    }
    eval.state.body_lengths.request = eval.state.body_lengths.request.saturating_add(admission.taken);
    eval.state.body_lengths.request_is_cut |= admission.exceeds && action == LimitAction::ProcessPartial;
    admission.taken
}

/// Returns `true` if rules or the audit log need the request body.
pub fn is_wanted(rules: &RuleGraph, state: &State) -> bool {
    let settings = &rules.settings;
    if state.engine_mode(settings) == EngineMode::Off {
        return false;
    }
    state.overrides.request_body_access.unwrap_or(settings.request_body_access)
        || (!state.flow.headers_judged && Phase::ALL.iter().any(|phase| rules.body_use.at(*phase).opens_request))
        || Phase::ALL.iter().any(|phase| *phase > Phase::RequestBody && rules.body_use.at(*phase).reads_request)
        || (state.audit_engine(settings) != AuditEngine::Off && state.audit_parts(settings).contains('C'))
}

/// Ends the request body: it is parsed, and phase 2 runs.
pub fn judge(eval: &mut Evaluation<'_>) {
    eval.debug(4, || "Starting phase REQUEST_BODY. (SecRules 2)".to_owned());
    if eval.is_disabled() || eval.is_decided() {
        return;
    }
    if eval.state.collections.scalars.inbound_data_error.is_empty() {
        eval.state.collections.scalars.inbound_data_error = eval.state.collections.arena.store(b"0");
    }
    // A body that was not kept is not parsed either: it would count as an empty one.
    if eval.state.collections.arena.request_body().len() == eval.state.body_lengths.request {
        read_body(eval);
    }
    if let Some(error) = body_type_error(eval) {
        refuse_body_type(eval, error);
    }
    sum_arguments(eval);
    if request_body_is_judged(eval) {
        fill_body_variables(eval);
        arriving_body::finish_request(eval);
        engine::run(eval, Phase::RequestBody);
    }
}

fn request_body_is_judged(eval: &Evaluation<'_>) -> bool {
    let setting = eval.rules.settings.request_body_access;
    match (setting, eval.state.overrides.request_body_access) {
        (false, Some(true)) => {
            let message = "Request body processing is disabled, but enabled to this transaction due to ctl:requestBodyAccess action";
            eval.debug(4, || message.to_owned());
            true
        }
        (false, _) => {
            eval.debug(4, || "Request body processing is disabled".to_owned());
            false
        }
        (true, Some(false)) => {
            let message = "Request body processing is enabled, but disabled to this transaction due to ctl:requestBodyAccess action";
            eval.debug(4, || message.to_owned());
            false
        }
        _ => true,
    }
}

fn read_body(eval: &mut Evaluation<'_>) {
    let length = eval.state.collections.arena.request_body().len();
    let limit = eval.rules.settings.limit(Limit::RequestBodyNoFiles);
    let processor = eval.state.body_processor;
    eval.charge(length);
    if length > limit && processor.is_some_and(|processor| processor != BodyProcessor::Multipart) {
        return too_long(eval, limit);
    }
    let result = match processor {
        // As in ModSecurity v3, a form leaves the flags empty: parsing a form cannot fail.
        Some(BodyProcessor::Urlencoded) => return read_form(eval),
        Some(BodyProcessor::Json) => read_json(eval),
        Some(BodyProcessor::Xml) => read_xml(eval),
        Some(BodyProcessor::Multipart) => return read_multipart(eval, limit),
        None => Ok(()),
    };
    // The end is missing because the limit cut it.
    let is_cut = eval.state.body_lengths.request_is_cut && matches!(result, Err(BodyError::Json(JsonError::PrematureEnd)));
    note_body_result(eval, if is_cut { Ok(()) } else { result });
}

fn note_body_result(eval: &mut Evaluation<'_>, result: Result<(), BodyError>) {
    let arena = &mut eval.state.collections.arena;
    let scalars = &mut eval.state.collections.scalars;
    let flag = arena.store(if result.is_err() { b"1" } else { b"0" });
    scalars.body_error = flag;
    scalars.body_processor_error = flag;
    if let Err(error) = result {
        let message = arena.store(error.to_string().as_bytes());
        scalars.body_error_message = message;
        scalars.body_processor_error_message = message;
    }
}

/// Returns the error of a body's type, whatever its content: an application may take the type or the boundary from the other header, or decode other
/// letters than rules do.
fn body_type_error(eval: &Evaluation<'_>) -> Option<BodyError> {
    let arena = &eval.state.collections.arena;
    if arena.request_body().is_empty() {
        return None;
    }
    let is_form = matches!(eval.state.body_processor, Some(BodyProcessor::Multipart | BodyProcessor::Urlencoded));
    let hides_letters = || eval.state.body_type.header().is_some_and(|header| charset::hides_letters(arena.read(header)));
    if eval.state.body_type.contradicts() {
        Some(BodyError::ContentTypes)
    } else {
        (is_form && hides_letters()).then_some(BodyError::Charset)
    }
}

fn refuse_body_type(eval: &mut Evaluation<'_>, error: BodyError) {
    eval.debug(4, || error.to_string());
    note_body_result(eval, Err(error));
    if eval.state.body_processor == Some(BodyProcessor::Multipart) {
        eval.state.collections.scalars.multipart.strict_error = eval.state.collections.arena.store(b"1");
    }
}

fn too_long(eval: &mut Evaluation<'_>, limit: usize) {
    eval.exceed(Limit::RequestBodyNoFiles);
    eval.debug(5, || format!("{TOO_LONG} Limit: {}", shown_limit(limit)));
    let arena = &mut eval.state.collections.arena;
    let scalars = &mut eval.state.collections.scalars;
    let one = arena.store(b"1");
    scalars.body_error = one;
    scalars.inbound_data_error = one;
    scalars.body_error_message = arena.store(TOO_LONG.as_bytes());
}

fn read_form(eval: &mut Evaluation<'_>) {
    let separator = eval.rules.settings.argument_separator;
    eval.state.collections.places.end += 1;
    let begin = eval.state.collections.places.end;
    // One more than the limit shows that there are too many.
    let max = eval.rules.settings.limit(Limit::Arguments).saturating_sub(eval.state.collections.arguments.len()).saturating_add(1);
    let mut entries = Vec::new();
    let mut invalid = false;
    eval.state.collections.arena.with_request_body(|arena, body| {
        for argument in urlencoded::arguments(body.bytes(), separator) {
            invalid |= argument.invalid_encoding;
            if entries.len() < max && arena.budget.reserve(size_of::<Entry>()) {
                let offsets = Offsets { name: begin + argument.offset, value: begin + argument.value_offset() };
                entries.push(body_entry(arena, body, &argument.name, &argument.value, offsets));
            }
        }
    });
    flag_encoding(eval, invalid);
    learn_body_arguments(eval.state, &eval.rules.settings, &entries);
    for entry in entries {
        add_argument(eval, ArgumentOrigin::Form, entry);
    }
}

fn read_json(eval: &mut Evaluation<'_>) -> Result<(), BodyError> {
    let settings = &eval.rules.settings;
    let limits = settings.json_limits();
    let (max, max_bytes) = (settings.limit(Limit::Arguments), settings.limit(Limit::ArgumentBytes));
    let mut room = max.saturating_sub(eval.state.collections.arguments.len());
    let mut bytes_left = max_bytes.saturating_sub(eval.state.collections.argument_bytes);
    let mut entries = Vec::new();
    let mut exceeded = None;
    let result = eval.state.collections.arena.with_request_body(|arena, body| {
        json::flatten(body.bytes(), &limits, &mut |name, value| {
            if room == 0 {
                exceeded = Some(Limit::Arguments);
                return ControlFlow::Break(());
            }
            let Some(left) = bytes_left.checked_sub(name.len() + value.len()) else {
                exceeded = Some(Limit::ArgumentBytes);
                return ControlFlow::Break(());
            };
            if !arena.budget.reserve(size_of::<Entry>()) {
                return ControlFlow::Break(());
            }
            (room, bytes_left) = (room - 1, left);
            entries.push(body_entry(arena, body, name, &value, Offsets { name: 0, value: name.len() + 1 }));
            ControlFlow::Continue(())
        })
    });
    learn_body_arguments(eval.state, &eval.rules.settings, &entries);
    for entry in entries {
        add_argument(eval, ArgumentOrigin::Json, entry);
    }
    if exceeded == Some(Limit::Arguments) {
        eval.debug(4, || format!("Skipping request argument, over limit ({})", shown_limit(max)));
    }
    let exceeded = match result {
        Err(JsonError::TooDeep) => Some(Limit::JsonDepth),
        Err(JsonError::TooManyNodes) => Some(Limit::JsonNodes),
        _ => exceeded,
    };
    exceeded.into_iter().for_each(|limit| eval.exceed(limit));
    result.map_err(BodyError::from)
}

fn read_xml(eval: &mut Evaluation<'_>) -> Result<(), BodyError> {
    eval.debug(4, || "XML: Initialising parser.".to_owned());
    let settings = &eval.rules.settings;
    let limits = settings.xml_limits();
    let parsed =
        eval.state.collections.arena.with_request_body(|_, body| XmlDocument::parse(body.bytes(), &limits).map(XmlDocument::into_static));
    eval.debug(4, || format!("XML: Parsing complete (well_formed {}).", u8::from(parsed.is_ok())));
    if let Err(error) = &parsed {
        eval.debug(4, || "XML: Failed parsing document.".to_owned());
        if let XmlError::Malformed { reason } = error {
            eval.debug(4, || format!("XML: {}", shown(reason.as_bytes(), MAX_REASON)));
        }
        let exceeded = match error {
            XmlError::TooDeep => Some(Limit::XmlDepth),
            XmlError::TooManyNodes => Some(Limit::XmlNodes),
            XmlError::TooManyAttributes => Some(Limit::XmlAttributes),
            XmlError::EntitiesTooLarge => Some(Limit::XmlEntities),
            _ => None,
        };
        exceeded.into_iter().for_each(|limit| eval.exceed(limit));
    }
    eval.state.collections.xml_answers.clear();
    let document = parsed?;
    let unread = document.unread_entity().map(|name| format!("entity {name} is outside of the document"));
    eval.state.collections.xml = Some(document);
    learn_xml(eval.state, &eval.rules.settings);
    // Unparsed content is not judged; the rest is.
    let Some(reason) = unread else { return Ok(()) };
    eval.debug(4, || format!("XML: {}", shown(reason.as_bytes(), MAX_REASON)));
    Err(BodyError::from(XmlError::Malformed { reason }))
}

fn read_multipart(eval: &mut Evaluation<'_>, no_files_limit: usize) {
    let settings = &eval.rules.settings;
    let limits = MultipartLimits {
        header_bytes: settings.limit(Limit::MultipartHeaderBytes),
        headers_per_part: settings.limit(Limit::MultipartHeaders),
        parts: settings.limit(Limit::MultipartParts),
        files: if settings.writes_uploads() { settings.limit(Limit::Files) } else { usize::MAX },
        is_cut: eval.state.body_lengths.request_is_cut,
    };
    let content_type = eval.state.body_type.header().map(|value| eval.state.collections.arena.read(value).to_vec());
    let candidates = arriving_body::finish_boundaries(eval);
    let mut found = FoundParts { begin: eval.state.collections.places.end + 1, ..FoundParts::default() };
    eval.state.collections.arena.with_request_body(|arena, body| {
        let multipart = Multipart::parse(content_type.as_deref(), body.bytes(), &limits, candidates.as_ref());
        found.take(arena, body, &multipart);
    });
    learn_body_arguments(eval.state, &eval.rules.settings, &found.fields);
    learn_files(eval.state, &found.files);
    for (level, note) in std::mem::take(&mut found.notes) {
        eval.debug(level, || note);
    }
    std::mem::take(&mut found.exceeded).into_iter().for_each(|limit| eval.exceed(limit));
    let max_bytes = eval.rules.settings.limit(Limit::ArgumentBytes);
    for entry in std::mem::take(&mut found.fields) {
        let bytes = eval.state.collections.argument_bytes + entry.name.len() + entry.value.len();
        if bytes > max_bytes {
            eval.exceed(Limit::ArgumentBytes);
            break;
        }
        eval.state.collections.argument_bytes = bytes;
        debug_argument(eval, "BODY", entry);
        eval.state.collections.arguments.push(Argument { origin: ArgumentOrigin::Form, entry });
    }
    eval.state.collections.files = std::mem::take(&mut found.files);
    eval.state.collections.file_names = std::mem::take(&mut found.file_names);
    if let Err(reason) = write_uploads(eval) {
        found.refuse(MultipartError::FileNotWritten { reason: reason.to_string() });
    }
    eval.state.collections.part_headers = std::mem::take(&mut found.headers);
    eval.state.collections.part_names = std::mem::take(&mut found.names);
    // As in ModSecurity v3, the size is empty if there are no files.
    if !eval.state.collections.files.is_empty() {
        let sizes: u64 = eval.state.collections.files.iter().map(|file| file.size).sum();
        eval.state.collections.scalars.file_sizes = eval.state.collections.arena.store_number(sizes);
    }
    show_multipart_flags(eval, &found);
    // As in ModSecurity v3, an exceeded limit is not an error of the processor.
    match found.error {
        None if found.bytes_without_files > no_files_limit => too_long(eval, no_files_limit),
        error => note_body_result(eval, error.map_or(Ok(()), Err)),
    }
    debug_cleanup(eval);
}

/// Writes to the debug log which files on disk will be deleted.
fn debug_cleanup(eval: &Evaluation<'_>) {
    let keeps = eval.rules.settings.upload_keep_files;
    eval.debug(4, || {
        let shown = match keeps {
            KeepFiles::On => "True",
            KeepFiles::Off => "False",
            KeepFiles::RelevantOnly => "RelevantOnly",
            KeepFiles::Unset => "Not set",
        };
        format!("Multipart: Cleanup started (keep files set to {shown})")
    });
    let goes = eval.state.collections.files.iter().filter(|file| !file.path.is_empty() && keeps != KeepFiles::On);
    for file in goes {
        eval.debug(9, || format!("Multipart: Marking temporary file for deletion: {}", text(eval.state.collections.arena.read(file.path))));
    }
}

/// Writes uploaded files to disk, if the settings ask for it. Stops at the first failure, because rules that inspect files by their names on disk
/// would miss the file.
fn write_uploads(eval: &mut Evaluation<'_>) -> std::io::Result<()> {
    let rules = eval.rules;
    if !rules.settings.writes_uploads() {
        return Ok(());
    }
    let id = eval.state.id();
    for at in 0..eval.state.collections.files.len() {
        let Some(content) = eval.state.collections.files.get(at).map(|file| file.content) else { break };
        let written =
            eval.state.uploads.write(&rules.settings, &eval.state.collections.clock, &id, eval.state.collections.arena.read(content));
        let path = written.inspect_err(|error| eval.debug(1, || format!("Multipart: Failed to create file: {error}")))?;
        eval.debug(4, || format!("MultipartPartTmpFile: Create filename= {}", path.display()));
        let (number, mode) = (at.saturating_add(1), rules.settings.upload_file_mode);
        eval.debug(4, || format!("Multipart: Created temporary file {number} (mode o{mode}): {}", path.display()));
        let path = eval.state.collections.arena.store(path.as_os_str().as_encoded_bytes());
        if let Some(file) = eval.state.collections.files.get_mut(at) {
            file.path = path;
        }
    }
    Ok(())
}

fn show_multipart_flags(eval: &mut Evaluation<'_>, found: &FoundParts) {
    let arena = &mut eval.state.collections.arena;
    let zero = arena.store(b"0");
    let one = arena.store(b"1");
    let flag = |set: bool| if set { one } else { zero };
    let flags = &found.flags;
    let shown = &mut eval.state.collections.scalars.multipart;
    shown.boundary_quoted = flag(flags.boundary_quoted);
    shown.boundary_whitespace = flag(flags.boundary_whitespace);
    shown.crlf_lf_lines = flag(flags.crlf_lf_lines());
    shown.data_after = flag(flags.data_after);
    shown.data_before = flag(flags.data_before);
    // As in ModSecurity v3, only this flag is empty instead of `0`.
    if flags.file_limit_exceeded {
        shown.file_limit_exceeded = flag(true);
    }
    shown.header_folding = flag(flags.header_folding);
    shown.invalid_header_folding = flag(flags.invalid_header_folding);
    shown.invalid_part = flag(flags.invalid_part);
    shown.invalid_quoting = flag(flags.invalid_quoting);
    shown.lf_line = flag(flags.lf_line);
    shown.missing_semicolon = flag(flags.missing_semicolon);
    shown.strict_error = flag(found.strict_error);
    shown.unmatched_boundary = arena.store_number(flags.unmatched_boundary.value());
}

/// Sets REQUEST_BODY and its length.
///
/// As in ModSecurity v2, a body that was parsed as XML is in XML only, unless `ctl:forceRequestBodyVariable` asks for it: rules that inspect the raw
/// body too would take names of elements for content, which the CRS's own tests forbid. v3 always sets the variable.
fn fill_body_variables(eval: &mut Evaluation<'_>) {
    let body = eval.state.collections.arena.request_body();
    let arena = &mut eval.state.collections.arena;
    let scalars = &mut eval.state.collections.scalars;
    if eval.state.collections.xml.is_none() || eval.state.overrides.force_request_body {
        scalars.request_body = body;
    }
    // As in ModSecurity v3, the length is empty without a body.
    if !body.is_empty() {
        scalars.request_body_length = arena.store_number(body.len());
    }
    eval.state.collections.request_is_complete = true;
    eval.state.collections.full_request = None;
}

/// The parts of a multipart body, as values.
#[derive(Default)]
struct FoundParts {
    /// Offset of the body, for log references.
    begin: usize,
    fields: Vec<Entry>,
    files: Vec<UploadedFile>,
    file_names: Vec<Entry>,
    headers: Vec<Entry>,
    names: Vec<Entry>,
    notes: Vec<(u8, String)>,
    exceeded: Vec<Limit>,
    flags: MultipartFlags,
    strict_error: bool,
    bytes_without_files: usize,
    error: Option<BodyError>,
}

impl FoundParts {
    /// Sets an error that was found after the body was parsed. The first error counts.
    fn refuse(&mut self, error: MultipartError) {
        self.strict_error = true;
        self.error.get_or_insert_with(|| BodyError::from(error));
    }

    fn take(&mut self, arena: &mut Arena, body: BodyView<'_>, multipart: &Multipart<'_>) {
        self.notes = multipart.notes.iter().map(|note| (note.level(), note.to_string())).collect();
        self.exceeded = multipart.notes.iter().filter_map(exceeded_limit).collect();
        self.flags = multipart.flags;
        self.strict_error = multipart.strict_error();
        self.bytes_without_files = multipart.bytes_without_files;
        self.error = multipart.error.clone().map(BodyError::from);
        for part in &multipart.parts {
            let entries = 2 + part.headers.len() + part.other_file_names.len();
            arena.budget.reserve(size_of::<UploadedFile>() + entries * size_of::<Entry>());
            let name = body.text(&part.name, arena);
            let name_offset = self.begin + part.name_offset;
            self.names.push(Entry { name, value: name, offsets: Offsets { name: name_offset, value: name_offset } });
            if !part.closed {
                continue;
            }
            for header in &part.headers {
                let value = body.text(&header.line, arena);
                self.headers.push(Entry { name, value, offsets: Offsets { name: name_offset, value: self.begin + 1 + header.offset } });
            }
            if !multipart.complete {
                continue;
            }
            let content = body.bytes().get(part.content.clone()).unwrap_or_default();
            match &part.file_name {
                Some(file_name) => {
                    let offsets = Offsets { name: name_offset, value: self.begin + part.file_name_offset };
                    let content_offset = self.begin + part.content.start;
                    for file_name in std::iter::once(file_name.as_ref()).chain(part.other_file_names.iter().map(Vec::as_slice)) {
                        self.file_names.push(Entry { name, value: body.text(file_name, arena), offsets });
                    }
                    let size = content.len() as u64;
                    let content = body.text(content, arena);
                    self.files.push(UploadedFile { field: name, size, path: Text::EMPTY, content, offsets, content_offset });
                }
                None => {
                    let value = body.text(content, arena);
                    // As in ModSecurity v3, the name is assumed to be directly before its value.
                    let value_offset = self.begin + part.content.start;
                    let offsets = Offsets { name: value_offset.saturating_sub(name.len() + 1), value: value_offset };
                    self.fields.push(Entry { name, value, offsets });
                }
            }
        }
    }
}

fn body_entry(arena: &mut Arena, body: BodyView<'_>, name: &[u8], value: &[u8], offsets: Offsets) -> Entry {
    Entry { name: body.text(name, arena), value: body.text(value, arena), offsets }
}

/// Returns the limit that an error of a multipart body exceeds.
fn exceeded_limit(note: &Note<'_>) -> Option<Limit> {
    let Note::Error(error) = note else { return None };
    match error {
        MultipartError::PartLimit { .. } => Some(Limit::MultipartParts),
        MultipartError::HeaderLimit { .. } => Some(Limit::MultipartHeaders),
        MultipartError::HeaderLineTooLong { .. } | MultipartError::HeaderTooLong => Some(Limit::MultipartHeaderBytes),
        MultipartError::FileLimit { .. } => Some(Limit::Files),
        _ => None,
    }
}
