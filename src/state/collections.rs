//! What was received, and what rules made of it, as variables.

use super::{Arena, Clock, Label, Places, Selected, Text, TxVariables};
use crate::body::xml::XmlDocument;
use crate::graph::PersistentCollection;
use crate::store::RecordHistory;
use std::time::Duration;

/// A named value as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Text,
    /// Its value.
    pub value: Text,
    /// Where the name and the value begin in the request, for log references.
    pub offsets: Offsets,
}

/// Where a name and its value begin, in bytes from the beginning of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Of the name.
    pub name: usize,
    /// Of the value.
    pub value: usize,
}

/// Where an argument came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentOrigin {
    /// The query: ARGS_GET.
    Query,
    /// A form in the body: ARGS_POST.
    Form,
    /// A JSON body: in ARGS only, as in ModSecurity v3.
    Json,
}

/// An argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Where it came from.
    pub origin: ArgumentOrigin,
    /// Name and value.
    pub entry: Entry,
}

/// An uploaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// The name of its form field.
    pub field: Text,
    /// Its size in bytes.
    pub size: u64,
    /// Where it is kept on disk; empty where it is not.
    pub path: Text,
    /// Its content.
    pub content: Text,
    /// Where the field's name and the file's first name begin.
    pub offsets: Offsets,
    /// Where its content begins.
    pub content_offset: usize,
}

/// A value that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// What it is called.
    pub label: Label,
    /// The value after transformations.
    pub value: Text,
}

/// What an XPath selected.
#[derive(Clone, Debug)]
pub struct XPathAnswer {
    /// The path.
    pub path: Box<str>,
    /// The prefixes that it may use, with their URIs.
    pub namespaces: Box<[(Box<str>, Box<str>)]>,
    /// The values, in the order of the document.
    pub selected: Vec<Selected>,
}

/// Values of which there is one, as received or as found out.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Scalars {
    pub unique_id: Text,
    pub remote_addr: Text,
    pub remote_port: Text,
    pub server_addr: Text,
    pub server_port: Text,
    pub server_name: Text,
    pub request_method: Text,
    pub request_line: Text,
    pub request_protocol: Text,
    pub request_uri: Text,
    pub request_uri_raw: Text,
    pub request_filename: Text,
    pub request_basename: Text,
    pub query_string: Text,
    pub auth_type: Text,
    pub remote_user: Option<Text>,
    pub argument_sizes: Text,
    pub file_sizes: Text,
    pub request_body: Text,
    pub request_body_length: Text,
    pub body_processor: Text,
    pub body_error: Text,
    pub body_error_message: Text,
    pub body_processor_error: Text,
    pub body_processor_error_message: Text,
    pub inbound_data_error: Text,
    pub outbound_data_error: Text,
    pub urlencoded_error: Text,
    pub response_status: Text,
    pub response_protocol: Text,
    pub response_content_type: Text,
    pub response_content_length: Text,
    pub response_body: Text,
    pub pattern_error: Text,
    pub pattern_limits_exceeded: Text,
    pub multipart: MultipartScalars,
}

/// The flags of a multipart body: empty texts until one was read.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct MultipartScalars {
    pub boundary_quoted: Text,
    pub boundary_whitespace: Text,
    pub crlf_lf_lines: Text,
    pub data_after: Text,
    pub data_before: Text,
    pub file_limit_exceeded: Text,
    pub header_folding: Text,
    pub invalid_header_folding: Text,
    pub invalid_part: Text,
    pub invalid_quoting: Text,
    pub lf_line: Text,
    pub missing_semicolon: Text,
    pub strict_error: Text,
    pub unmatched_boundary: Text,
}

/// The keys under which persistent collections were opened.
#[derive(Clone, Debug, Default)]
pub struct OpenRecords {
    records: [Option<Text>; 5],
    /// The history of each record that this transaction writes to, as it was before; nothing within for one that it makes.
    histories: [Option<Option<RecordHistory>>; 5],
}

/// Every variable of one transaction.
#[derive(Debug, Default)]
pub struct Collections {
    /// The bytes of all values.
    pub arena: Arena,
    /// Where values stand in the request.
    pub places: Places,
    /// Values of which there is one.
    pub scalars: Scalars,
    /// ARGS and its kin.
    pub arguments: Vec<Argument>,
    /// How long their names and values are together.
    pub argument_bytes: usize,
    /// REQUEST_HEADERS
    pub request_headers: Vec<Entry>,
    /// How long their names and values are together.
    pub request_header_bytes: usize,
    /// REQUEST_COOKIES
    pub cookies: Vec<Entry>,
    /// RESPONSE_HEADERS
    pub response_headers: Vec<Entry>,
    /// How long their names and values are together.
    pub response_header_bytes: usize,
    /// FILES and its kin.
    pub files: Vec<UploadedFile>,
    /// FILES and MULTIPART_FILENAME: the names that the client gave its files, by field. A file has several where applications may take
    /// different ones.
    pub file_names: Vec<Entry>,
    /// MULTIPART_PART_HEADERS, by part name.
    pub part_headers: Vec<Entry>,
    /// MULTIPART_NAME: the names of all parts.
    pub part_names: Vec<Entry>,
    /// TX
    pub tx: TxVariables,
    /// MATCHED_VARS and its kin.
    pub matched: Vec<Matched>,
    /// How long MATCHED_VARS was at most: so many of them count.
    most_matched: usize,
    /// Whether the request body was read, so that FULL_REQUEST has a value.
    pub request_is_complete: bool,
    /// GEO: what `@geoLookup` found, keys and values.
    pub geography: Vec<(&'static str, Text)>,
    /// How long the store was waited for.
    pub store_time: Duration,
    /// What `setenv` set: names and values.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of persistent collections.
    pub open_records: OpenRecords,
    /// The XML body.
    pub xml: Option<XmlDocument<'static>>,
    /// What XPaths selected from it: many rules ask for the same, and each answer can be as large as the body.
    pub xml_answers: Vec<XPathAnswer>,
    /// FULL_REQUEST, once a rule asked for it.
    pub full_request: Option<Text>,
    /// HIGHEST_SEVERITY
    pub highest_severity: u32,
    /// When the transaction began.
    pub clock: Clock,
}

/// The most bytes of one list that are kept for the next transaction.
const MOST_KEPT: usize = 256 << 10;

/// Empties a list, and lets its memory go where it is large.
pub fn forget<T>(list: &mut Vec<T>) {
    list.clear();
    if list.capacity() * size_of::<T>() > MOST_KEPT {
        list.shrink_to(MOST_KEPT / size_of::<T>().max(1));
    }
}

/// HIGHEST_SEVERITY while no rule with a severity matched.
pub const NO_SEVERITY: u32 = 255;

impl OpenRecords {
    /// The key of a collection, if it was opened.
    pub fn key(&self, collection: PersistentCollection) -> Option<Text> {
        self.records.get(collection as usize).copied().flatten()
    }

    /// Opens a collection under a key.
    pub fn open(&mut self, collection: PersistentCollection, key: Text) {
        let place = collection as usize;
        if let (Some(record), Some(history)) = (self.records.get_mut(place), self.histories.get_mut(place)) {
            (*record, *history) = (Some(key), None);
        }
    }

    /// The history of a collection's record before this transaction wrote to it, if it did.
    pub fn history(&self, collection: PersistentCollection) -> Option<Option<RecordHistory>> {
        self.histories.get(collection as usize).copied().flatten()
    }

    /// Keeps the history of a record that this transaction is about to write to.
    pub fn keep_history(&mut self, collection: PersistentCollection, history: Option<RecordHistory>) {
        if let Some(kept) = self.histories.get_mut(collection as usize) {
            *kept = Some(history);
        }
    }
}

impl Collections {
    /// Forgets everything, and keeps the memory, unless it is more than most transactions need.
    pub fn clear(&mut self) {
        let Self {
            arena,
            places,
            scalars,
            arguments,
            argument_bytes,
            request_headers,
            request_header_bytes,
            cookies,
            response_headers,
            response_header_bytes,
            files,
            file_names,
            part_headers,
            part_names,
            tx,
            matched,
            most_matched,
            request_is_complete,
            geography,
            store_time,
            environment,
            open_records,
            xml,
            xml_answers,
            full_request,
            highest_severity,
            clock: _,
        } = self;
        arena.clear();
        tx.clear();
        (*places, *scalars, *open_records) = Default::default();
        (*argument_bytes, *request_header_bytes, *response_header_bytes, *store_time) = Default::default();
        *most_matched = 0;
        (*request_is_complete, *xml, *full_request, *highest_severity) = (false, None, None, NO_SEVERITY);
        for entries in [request_headers, cookies, response_headers, part_headers, part_names] {
            forget(entries);
        }
        forget(arguments);
        forget(files);
        forget(file_names);
        forget(matched);
        forget(geography);
        forget(environment);
        forget(xml_answers);
    }

    /// Adds an entry whose name and value are copied into the arena.
    #[inline]
    pub fn entry(&mut self, name: &[u8], value: &[u8], offsets: Offsets) -> Entry {
        self.arena.budget.reserve(size_of::<Entry>());
        Entry { name: self.arena.store(name), value: self.arena.store(value), offsets }
    }

    /// Adds a value that matched.
    #[inline]
    pub fn note_match(&mut self, matched: Matched) {
        self.matched.push(matched);
        if self.matched.len() > self.most_matched {
            self.most_matched = self.matched.len();
            self.arena.budget.reserve(size_of::<Matched>());
        }
    }

    /// The first request header with this name.
    pub fn request_header(&self, name: &[u8]) -> Option<Text> {
        self.request_headers.iter().find(|header| self.arena.read(header.name).eq_ignore_ascii_case(name)).map(|header| header.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_little_memory_and_no_members() {
        let (mut large, mut small) = (vec![0u64; 1 << 20], vec![0u64; 8]);
        forget(&mut large);
        forget(&mut small);
        assert!(large.is_empty() && large.capacity() * size_of::<u64>() <= 2 * MOST_KEPT);
        assert!(small.is_empty() && small.capacity() >= 8);
    }
}
