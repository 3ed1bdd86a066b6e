//! Received values and values of rules, as variables.

use super::{Arena, Clock, Label, Places, Selected, Text, TxVariables};
use crate::body::xml::XmlDocument;
use crate::graph::PersistentCollection;
use crate::store::{Down, RecordHistory};
use std::time::Duration;

/// A named value as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: Text,
    /// Its value.
    pub value: Text,
    /// Offsets of the name and the value in the request, for log references.
    pub offsets: Offsets,
}

/// Offsets of a name and its value, in bytes from the start of the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Offset of the name.
    pub name: usize,
    /// Offset of the value.
    pub value: usize,
}

/// Source of an argument.
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
    /// Its source.
    pub origin: ArgumentOrigin,
    /// Its name and value.
    pub entry: Entry,
}

/// An uploaded file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// The name of its form field.
    pub field: Text,
    /// Its size in bytes.
    pub size: u64,
    /// Its path on disk; empty if it was not written.
    pub path: Text,
    /// Its content.
    pub content: Text,
    /// Offsets of the field's name and of the file's first name.
    pub offsets: Offsets,
    /// Offset of its content.
    pub content_offset: usize,
}

/// A value that matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched {
    /// Its name.
    pub label: Label,
    /// The value after transformations.
    pub value: Text,
}

/// The result of an XPath.
#[derive(Clone, Debug)]
pub struct XPathAnswer {
    /// The path.
    pub path: Box<str>,
    /// Prefixes of namespaces, with their URIs.
    pub namespaces: Box<[(Box<str>, Box<str>)]>,
    /// The values, in the order of the document.
    pub selected: Vec<Selected>,
}

/// Variables with one value, received or computed.
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

/// The flags of a multipart body; empty before one was read.
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

/// The keys of opened persistent collections.
#[derive(Clone, Debug, Default)]
pub struct OpenRecords {
    records: [Option<Text>; 5],
    /// The history of each record that this transaction writes to, from before; the inner value is `None` for a new record.
    histories: [Option<Option<RecordHistory>>; 5],
}

/// Every variable of one transaction.
#[derive(Debug, Default)]
pub struct Collections {
    /// The bytes of all values.
    pub arena: Arena,
    /// Positions of values in the request.
    pub places: Places,
    /// Variables with one value.
    pub scalars: Scalars,
    /// ARGS and related variables.
    pub arguments: Vec<Argument>,
    /// Total length of their names and values.
    pub argument_bytes: usize,
    /// REQUEST_HEADERS
    pub request_headers: Vec<Entry>,
    /// Total length of their names and values.
    pub request_header_bytes: usize,
    /// REQUEST_COOKIES
    pub cookies: Vec<Entry>,
    /// RESPONSE_HEADERS
    pub response_headers: Vec<Entry>,
    /// Total length of their names and values.
    pub response_header_bytes: usize,
    /// FILES and related variables.
    pub files: Vec<UploadedFile>,
    /// FILES and MULTIPART_FILENAME: the client's names of its files, by field. A file has several if applications may use different ones.
    pub file_names: Vec<Entry>,
    /// MULTIPART_PART_HEADERS, by part name.
    pub part_headers: Vec<Entry>,
    /// MULTIPART_NAME: the names of all parts.
    pub part_names: Vec<Entry>,
    /// TX
    pub tx: TxVariables,
    /// MATCHED_VARS and related variables.
    pub matched: Vec<Matched>,
    /// Maximum length of MATCHED_VARS so far: that many entries were charged.
    max_matched: usize,
    /// `true` after the request body was read, so that FULL_REQUEST has a value.
    pub request_is_complete: bool,
    /// GEO: the result of `@geoLookup`, keys and values.
    pub geography: Vec<(&'static str, Text)>,
    /// Time spent waiting for the store.
    pub store_time: Duration,
    /// Why the store did not answer, the first time.
    pub store_failure: Option<Down>,
    /// Variables of `setenv`: names and values.
    pub environment: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of persistent collections.
    pub open_records: OpenRecords,
    /// The XML body.
    pub xml: Option<XmlDocument<'static>>,
    /// Results of XPaths: many rules use the same, and each result can be as large as the body.
    pub xml_answers: Vec<XPathAnswer>,
    /// FULL_REQUEST, after a rule used it.
    pub full_request: Option<Text>,
    /// HIGHEST_SEVERITY
    pub highest_severity: u32,
    /// The start of the transaction.
    pub clock: Clock,
}

/// Maximum size of a list that is kept for the next transaction, in bytes.
const MAX_KEPT: usize = 256 << 10;

/// Clears a list, and frees its memory if it is large.
pub fn forget<T>(list: &mut Vec<T>) {
    list.clear();
    if list.capacity() * size_of::<T>() > MAX_KEPT {
        list.shrink_to(MAX_KEPT / size_of::<T>().max(1));
    }
}

/// HIGHEST_SEVERITY before any rule with a severity matched.
pub const NO_SEVERITY: u32 = 255;

impl OpenRecords {
    /// Returns the key of a collection, if it was opened.
    pub fn key(&self, collection: PersistentCollection) -> Option<Text> {
        self.records.get(collection as usize).copied().flatten()
    }

    /// Opens a collection with a key.
    pub fn open(&mut self, collection: PersistentCollection, key: Text) {
        let place = collection as usize;
        if let (Some(record), Some(history)) = (self.records.get_mut(place), self.histories.get_mut(place)) {
            (*record, *history) = (Some(key), None);
        }
    }

    /// Returns the history of a collection's record before this transaction wrote to it, if it did.
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
    /// Clears everything, and keeps the memory, unless it is more than most transactions need.
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
            max_matched,
            request_is_complete,
            geography,
            store_time,
            store_failure,
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
        *max_matched = 0;
        (*request_is_complete, *xml, *full_request, *highest_severity) = (false, None, None, NO_SEVERITY);
        *store_failure = None;
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
        if self.matched.len() > self.max_matched {
            self.max_matched = self.matched.len();
            self.arena.budget.reserve(size_of::<Matched>());
        }
    }

    /// Returns the first request header with this name.
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
        assert!(large.is_empty() && large.capacity() * size_of::<u64>() <= 2 * MAX_KEPT);
        assert!(small.is_empty() && small.capacity() >= 8);
    }
}
