//! Reads the lines of a multipart body.

use std::borrow::Cow;
use std::ops::ControlFlow;

use memchr::{memchr, memmem};

use crate::http::blank::{self, is_blank};

use super::boundary;
use super::candidates::BoundaryCandidates;
use super::disposition;
use super::error::MultipartError;
use super::flags::UnmatchedBoundary;
use super::note::{Note, Warning};
use super::parameter::is_token_character;
use super::{Multipart, MultipartLimits, Part, PartHeader};

/// A line that looks like a boundary is longer than this, in bytes with its line break.
const MIN_BOUNDARY_LINE: usize = 3;

impl<'a> Multipart<'a> {
    /// Parses a body. `content_type` is the value of the request's header.
    ///
    /// Errors inside a part's headers do not stop the parser: it ignores the line, or the part if its `Content-Disposition` is malformed. An empty
    /// body is not an error. `candidates`, if there are any, have read the whole body.
    pub fn parse(
        content_type: Option<&'a [u8]>,
        body: &'a [u8],
        limits: &MultipartLimits,
        candidates: Option<&BoundaryCandidates>,
    ) -> Self {
        let mut result = Self::default();
        match boundary::parse(content_type, &mut result.flags, &mut result.notes) {
            Ok(boundary) => {
                let end = Parser::new(boundary, limits, &mut result).run(body, candidates);
                warn(&mut result);
                if let Err(error) = end {
                    report(&mut result, error);
                }
            }
            Err(error) => {
                report(&mut result, error);
                warn(&mut result);
            }
        }
        result
    }
}

fn report<'a>(result: &mut Multipart<'a>, error: MultipartError) {
    result.notes.push(Note::Error(error.clone()));
    result.error.get_or_insert(error);
}

/// Reports the flags.
fn warn(result: &mut Multipart<'_>) {
    let flags = &result.flags;
    let warnings = [
        (flags.data_before, Warning::DataBefore),
        (flags.data_after, Warning::DataAfter),
        (flags.boundary_quoted, Warning::BoundaryQuoted),
        (flags.boundary_whitespace, Warning::BoundaryWhitespace),
        (flags.header_folding, Warning::HeaderFolding),
        (flags.crlf_lf_lines(), Warning::MixedLineEndings),
        (flags.lf_line && !flags.crlf_line, Warning::LfLineEndings),
        (flags.missing_semicolon, Warning::MissingSemicolon),
        (flags.invalid_quoting, Warning::InvalidQuoting),
        (flags.invalid_part, Warning::InvalidPart),
        (flags.invalid_header_folding, Warning::InvalidHeaderFolding),
    ];
    result.notes.extend(warnings.iter().filter(|(seen, _)| *seen).map(|(_, warning)| Note::Warning(*warning)));
}

/// A part whose end was not reached yet.
#[derive(Default)]
struct OpenPart<'a> {
    headers: Vec<PartHeader<'a>>,
    header_lines: usize,
    /// The header's name and file name are known; data follows.
    described: Option<Part<'a>>,
    /// Length of its data, as its headers say.
    size: Option<usize>,
    /// The headers ended without a name, so that the data is ignored.
    is_unreadable: bool,
}

impl<'a> OpenPart<'a> {
    /// Returns `true` after its headers.
    fn is_in_data(&self) -> bool {
        self.described.is_some() || self.is_unreadable
    }

    fn header(&self, name: &[u8]) -> Option<&PartHeader<'a>> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))
    }

    /// Returns errors of other headers that an application may act on: it would read another body than the rules.
    fn oddities(&self) -> [Option<MultipartError>; 2] {
        let value = |name| self.header(name).map(|header| blank::trim_end(header.value()));
        let holds_parts = |value: &&[u8]| value.to_ascii_lowercase().split(|byte| *byte == b';').next().is_some_and(names_multipart);
        let is_identity = |value: &[u8]| [&b""[..], b"7bit", b"8bit", b"binary"].iter().any(|known| known.eq_ignore_ascii_case(value));
        let nested = value(b"Content-Type").filter(holds_parts);
        let encoded = value(b"Content-Transfer-Encoding").filter(|value| !is_identity(value));
        [
            nested.map(|media_type| MultipartError::NestedMultipart { media_type: media_type.to_vec() }),
            encoded.map(|encoding| MultipartError::TransferEncoding { encoding: encoding.to_vec() }),
        ]
    }
}

/// Returns `true` if a media type, in lower case, is a multipart one.
fn names_multipart(media_type: &[u8]) -> bool {
    memmem::find(media_type, b"multipart/").is_some()
}

#[derive(Clone, Copy)]
enum LineBreak {
    CrLf,
    Lf,
}

impl LineBreak {
    fn of(line: &[u8]) -> Self {
        if line.ends_with(b"\r\n") { LineBreak::CrLf } else { LineBreak::Lf }
    }

    fn length(self) -> usize {
        match self {
            LineBreak::CrLf => 2,
            LineBreak::Lf => 1,
        }
    }
}

struct Parser<'a, 'run> {
    /// Two hyphens and the boundary.
    delimiter: Vec<u8>,
    limits: &'run MultipartLimits,
    result: &'run mut Multipart<'a>,
    body: &'a [u8],
    part: Option<OpenPart<'a>>,
    /// The end of the previous line, unless it was a boundary or a header: if a boundary follows, this line break belongs to it.
    previous_line_break: Option<LineBreak>,
    boundaries: usize,
    parts: usize,
    files: usize,
}

impl<'a, 'run> Parser<'a, 'run> {
    fn new(boundary: &[u8], limits: &'run MultipartLimits, result: &'run mut Multipart<'a>) -> Self {
        Parser {
            delimiter: boundary::delimiter(boundary),
            limits,
            result,
            body: b"",
            part: None,
            previous_line_break: None,
            boundaries: 0,
            parts: 0,
            files: 0,
        }
    }

    /// Reads the whole body; an error means that its end is missing.
    fn run(mut self, body: &'a [u8], candidates: Option<&BoundaryCandidates>) -> Result<(), MultipartError> {
        self.body = body;
        let delimiter = self.delimiter.clone();
        let finder = memmem::Finder::new(&delimiter);
        let candidates = candidates.filter(|candidates| candidates.are_of(&delimiter));
        let mut start = 0usize;
        let mut rest = body;
        while let Some((line, after)) = memchr(b'\n', rest).and_then(|at| rest.split_at_checked(at.saturating_add(1))) {
            if self.line(line, start, &finder).is_break() {
                break;
            }
            start = start.saturating_add(line.len());
            rest = after;
            if self.result.complete {
                break;
            }
            if let Some(next) =
                candidates.filter(|_| self.is_in_data()).map(|candidates| candidates.next(start)).filter(|next| *next > start)
            {
                let (skipped, after) = body.split_at_checked(next).unwrap_or_default();
                self.previous_line_break = Some(LineBreak::of(skipped));
                (start, rest) = (next, after);
            }
        }
        if self.result.complete {
            self.after_final_boundary(rest);
        } else if !body.is_empty() {
            self.unfinished(rest)?;
        }
        Ok(())
    }

    /// Returns `true` where a line counts only if it looks like a boundary: within the data of a part, and before the first one.
    fn is_in_data(&self) -> bool {
        self.part.as_ref().is_none_or(OpenPart::is_in_data)
    }

    /// Reads a line with its line break; `Break` if nothing after it can be trusted.
    fn line(&mut self, line: &'a [u8], start: usize, delimiter: &memmem::Finder<'_>) -> ControlFlow<()> {
        if let Some(ending) = line.strip_prefix(self.delimiter.as_slice()) {
            if self.boundary_is_due() {
                return self.boundary(line, ending, start);
            }
            self.result.flags.invalid_part = true;
            self.result.notes.push(Note::BoundaryInPart);
        } else if let Some(after_hyphens) = line.strip_prefix(b"--").filter(|_| line.len() > MIN_BOUNDARY_LINE) {
            let text = blank::trim_start(after_hyphens);
            let boundary = self.delimiter.get(2..).unwrap_or_default();
            if text.len() < after_hyphens.len() && text.starts_with(boundary) {
                return self.fatal(MultipartError::BoundaryWhitespace);
            }
            self.result.flags.unmatched_boundary = UnmatchedBoundary::Unmatched;
        }
        // CGI.pm and Django begin a part there. No later boundary resets this flag.
        if delimiter.find(line.get(1..).unwrap_or_default()).is_some() {
            self.result.flags.unmatched_boundary = UnmatchedBoundary::Unmatched;
            self.result.flags.invalid_part = true;
            self.note_once(Note::BoundaryInLine);
        }
        self.content(line, start)
    }

    /// Returns `true` if a boundary may come next: at the start of the body, and after at least one line of data.
    fn boundary_is_due(&self) -> bool {
        self.part.is_none() || self.previous_line_break.is_some()
    }

    fn boundary(&mut self, line: &'a [u8], ending: &[u8], start: usize) -> ControlFlow<()> {
        if self.boundaries > 0 {
            self.result.flags.unmatched_boundary = UnmatchedBoundary::Matched;
        }
        self.mark_previous_line_break();
        let (is_final, line_break) = match ending.strip_prefix(b"--") {
            Some(line_break) => (true, line_break),
            None => (false, ending),
        };
        if !matches!(line_break, b"\r\n" | b"\n") {
            return self.fatal(MultipartError::InvalidBoundary { line: line.to_vec() });
        }
        self.mark_line_break(LineBreak::of(line));
        self.close_part(start);
        self.boundaries = self.boundaries.saturating_add(1);
        self.result.complete = is_final;
        if is_final {
            return ControlFlow::Continue(());
        }
        self.parts = self.parts.saturating_add(1);
        if self.parts > self.limits.parts {
            return self.fatal(MultipartError::PartLimit { limit: self.limits.parts });
        }
        self.part = Some(OpenPart::default());
        ControlFlow::Continue(())
    }

    fn content(&mut self, line: &'a [u8], start: usize) -> ControlFlow<()> {
        let Some(part) = &self.part else {
            self.result.flags.data_before = true;
            self.note_once(Note::DataBefore);
            self.previous_line_break = Some(LineBreak::of(line));
            return ControlFlow::Continue(());
        };
        if part.is_in_data() {
            self.previous_line_break = Some(LineBreak::of(line));
            return ControlFlow::Continue(());
        }
        self.header_line(line, start)
    }

    fn header_line(&mut self, line: &'a [u8], start: usize) -> ControlFlow<()> {
        let Some(part) = &mut self.part else { return ControlFlow::Continue(()) };
        if line.len() >= self.limits.header_bytes {
            return self.fatal(MultipartError::HeaderLineTooLong { limit: self.limits.header_bytes });
        }
        part.header_lines = part.header_lines.saturating_add(1);
        if part.header_lines > self.limits.headers_per_part {
            return self.fatal(MultipartError::HeaderLimit { limit: self.limits.headers_per_part });
        }
        self.result.bytes_without_files = self.result.bytes_without_files.saturating_add(line.len());
        if line.contains(&0) {
            self.report(MultipartError::NulInHeader);
            return ControlFlow::Continue(());
        }
        let line_break = LineBreak::of(line);
        self.mark_line_break(line_break);
        let text = line.get(..line.len().saturating_sub(line_break.length())).unwrap_or_default();
        if memchr(b'\r', text).is_some() {
            self.report(MultipartError::CarriageReturnInHeader { line: line.to_vec() });
        }
        let outcome = match text.first() {
            None => {
                let outcome = self.end_of_headers(start.saturating_add(line.len()));
                if let Some(part) = &mut self.part {
                    part.is_unreadable = outcome.is_err();
                }
                outcome
            }
            Some(first) if is_blank(*first) => self.continued_header(line, text, *first),
            Some(_) => self.header(line, text, start),
        };
        if let Err(error) = outcome {
            self.report(error);
        }
        ControlFlow::Continue(())
    }

    fn header(&mut self, line: &'a [u8], text: &'a [u8], start: usize) -> Result<(), MultipartError> {
        let colon = memchr(b':', text).ok_or_else(|| MultipartError::ColonMissing { line: line.to_vec() })?;
        let name = text.get(..colon).filter(|name| !name.is_empty()).ok_or(MultipartError::HeaderNameMissing)?;
        if !name.iter().all(|byte| is_token_character(*byte)) {
            // The header is kept, so that rules for MULTIPART_PART_HEADERS see it.
            self.report(MultipartError::HeaderNameCharacter { line: line.to_vec() });
        }
        let after = text.get(colon.saturating_add(1)..).unwrap_or_default();
        let value = blank::trim_start(after);
        let Some(part) = &mut self.part else { return Ok(()) };
        if part.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name)) {
            return Err(MultipartError::DuplicateHeader { name: name.to_vec() });
        }
        let value_start = text.len().saturating_sub(value.len());
        self.result.notes.push(Note::Header { name, value });
        part.headers.push(PartHeader { name, line: Cow::Borrowed(text), offset: start, value_start });
        Ok(())
    }

    fn continued_header(&mut self, line: &'a [u8], text: &'a [u8], first: u8) -> Result<(), MultipartError> {
        self.result.flags.header_folding = true;
        self.result.flags.invalid_header_folding |= !matches!(first, b' ' | b'\t');
        let header = self.part.as_mut().and_then(|part| part.headers.last_mut()).ok_or(MultipartError::HeaderFolding)?;
        let added = blank::trim_start(text);
        let blanks = text.len().saturating_sub(added.len());
        self.result.notes.push(Note::HeaderContinued { name: header.name, text: line.get(blanks..).unwrap_or_default() });
        if header.value().len().saturating_add(added.len()) >= self.limits.header_bytes {
            return Err(MultipartError::HeaderTooLong);
        }
        let joined = header.line.to_mut();
        joined.push(b' ');
        joined.extend_from_slice(added);
        Ok(())
    }

    /// Reads the empty line after the headers, which must have named the part.
    fn end_of_headers(&mut self, content_start: usize) -> Result<(), MultipartError> {
        let Some(part) = &mut self.part else { return Ok(()) };
        let header = part.header(b"Content-Disposition").ok_or(MultipartError::DispositionMissing)?;
        let value = header.value_piece();
        let value_offset = header.offset.saturating_add(header.value_start);
        let disposition = disposition::parse(&value, &mut self.result.flags.invalid_quoting, &mut self.result.notes)
            .map_err(|reason| MultipartError::InvalidDisposition { reason, value: value.to_vec() })?;
        let name = disposition.name.filter(|name| !name.is_empty()).ok_or(MultipartError::NameMissing)?;
        part.size = disposition.size;
        part.described = Some(Part {
            name,
            name_offset: value_offset.saturating_add(disposition.name_offset),
            file_name: disposition.file_name.filter(|file_name| !file_name.is_empty()),
            other_file_names: disposition.other_file_names,
            file_name_offset: value_offset.saturating_add(disposition.file_name_offset),
            headers: Vec::new(),
            content: content_start..content_start,
            closed: false,
        });
        let oddities = part.oddities();
        oddities.into_iter().flatten().for_each(|error| self.report(error));
        Ok(())
    }

    /// Ends the open part, if there is one, at a boundary that starts at `end`.
    fn close_part(&mut self, end: usize) {
        let line_break = self.previous_line_break.take();
        let Some(part) = self.part.take() else { return };
        let Some(mut described) = part.described else {
            self.result.notes.push(Note::PartSkipped { offset: 0, length: 0 });
            return;
        };
        let line_break_length = line_break.map_or(0, LineBreak::length);
        described.content.end = end.saturating_sub(line_break_length).max(described.content.start);
        if let Some(said) = part.size.filter(|said| *said != described.content.len()) {
            self.report(MultipartError::Size { said, found: described.content.len() });
        }
        described.headers = part.headers;
        described.closed = true;
        self.announce(&described);
        if described.is_file() {
            self.count_file();
        } else {
            self.result.bytes_without_files = self.result.bytes_without_files.saturating_add(described.content.len());
        }
        self.result.parts.push(described);
    }

    fn count_file(&mut self) {
        self.files = self.files.saturating_add(1);
        if self.files > self.limits.files && !self.result.flags.file_limit_exceeded {
            self.result.flags.file_limit_exceeded = true;
            self.report(MultipartError::FileLimit { limit: self.limits.files });
        }
    }

    fn announce(&mut self, part: &Part<'a>) {
        let notes = &mut self.result.notes;
        let offset = part.content.start;
        let length = part.content.len();
        if !part.is_file() {
            notes.push(Note::Value(self.body.get(part.content.clone()).unwrap_or_default()));
        }
        notes.extend(part.headers.iter().map(|header| Note::HeaderLine(header.line.clone())));
        notes.push(match &part.file_name {
            Some(file_name) => Note::FileAdded { name: part.name.clone(), file_name: file_name.clone(), offset, length },
            None => Note::FieldAdded { name: part.name.clone(), offset, length },
        });
    }

    /// Checks the bytes after the final boundary.
    fn after_final_boundary(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.result.flags.data_after = true;
            self.result.notes.push(Note::DataAfter { length: rest.len() });
        }
    }

    /// Ends a body whose last line is `rest`, without line break: it may still be the final boundary.
    fn unfinished(&mut self, rest: &[u8]) -> Result<(), MultipartError> {
        let is_final = rest.strip_prefix(self.delimiter.as_slice()) == Some(b"--");
        if is_final && self.boundaries > 0 && self.part.is_some() {
            if !self.boundary_is_due() {
                self.result.flags.invalid_part = true;
                self.result.notes.push(Note::FinalBoundaryInPart);
            }
            self.mark_previous_line_break();
            self.close_part(self.body.len().saturating_sub(rest.len()));
            self.result.complete = true;
            return Ok(());
        }
        if self.limits.is_cut && self.boundaries > 0 {
            self.previous_line_break = None;
            if let Some(part) = &mut self.part {
                part.size = None;
            }
            self.close_part(self.body.len());
            self.result.complete = true;
            return Ok(());
        }
        if let Some(part) = self.part.take()
            && let Some(mut described) = part.described
        {
            described.content.end = self.body.len();
            described.headers = part.headers;
            self.result.parts.push(described);
        }
        Err(if self.boundaries == 0 { MultipartError::NoBoundaries } else { MultipartError::FinalBoundaryMissing })
    }

    /// A bare LF before a boundary counts even outside of parts.
    fn mark_previous_line_break(&mut self) {
        if let Some(LineBreak::Lf) = self.previous_line_break {
            self.result.flags.lf_line = true;
        }
    }

    fn mark_line_break(&mut self, line_break: LineBreak) {
        match line_break {
            LineBreak::CrLf => self.result.flags.crlf_line = true,
            LineBreak::Lf => self.result.flags.lf_line = true,
        }
    }

    fn note_once(&mut self, note: Note<'a>) {
        if self.result.notes.last() != Some(&note) {
            self.result.notes.push(note);
        }
    }

    fn report(&mut self, error: MultipartError) {
        report(self.result, error);
    }

    fn fatal(&mut self, error: MultipartError) -> ControlFlow<()> {
        self.report(error);
        ControlFlow::Break(())
    }
}
