//! Offsets of values in the request, as in the logs of ModSecurity v3.
//!
//! Offsets count from the start of the request line, with one byte for each line break. In v3, values that are computed later are at the end of the
//! request line and the headers.

use super::{Argument, Collections, Offsets, Selected, Text, UploadedFile};
use crate::vocabulary::Variable;

/// Lengths and offsets that the values themselves do not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    /// End of the request line and of the headers so far.
    pub end: usize,
    /// Offset of the query.
    pub query: usize,
    /// Length of the target without its fragment, as received.
    pub target: usize,
    /// Length of the path, as received.
    pub path: usize,
    /// Offset of the header that names the body's processor.
    pub body_processor: usize,
}

/// Appends an offset in ModSecurity's notation: a mark, the offset, a comma, the length.
pub fn write_place(output: &mut Vec<u8>, mark: u8, offset: usize, length: usize) {
    let mut digits = itoa::Buffer::new();
    output.push(mark);
    output.extend_from_slice(digits.format(offset).as_bytes());
    output.push(b',');
    output.extend_from_slice(digits.format(length).as_bytes());
}

impl Collections {
    /// Appends `vOFFSET,LENGTH` for every place that a value was read from.
    pub fn write_origins(&self, selected: &Selected, output: &mut Vec<u8>) {
        let Some(variable) = selected.label.variable() else { return };
        let mut write = |offset: usize, length: usize| write_place(output, b'v', offset, length);
        match (variable, selected.offsets) {
            (Variable::ArgsCombinedSize, _) => self.arguments.iter().for_each(|Argument { entry, .. }| {
                write(entry.offsets.name, entry.name.len());
                write(entry.offsets.value, entry.value.len());
            }),
            (Variable::FilesCombinedSize, _) => self.files.iter().for_each(|file| write(file.content_offset, file.content.len())),
            (Variable::FilesSizes | Variable::FilesTmpContent, _) => {
                self.file(selected).into_iter().for_each(|file| write(file.content_offset, file.content.len()))
            }
            (Variable::FilesNames, Some(offsets)) => write(offsets.name, selected.value.len()),
            (_, Some(Offsets { value, .. })) => write(value, selected.value.len()),
            (variable, None) => {
                if let Some((offset, length)) = self.origin(variable, selected.value) {
                    write(offset, length);
                }
            }
        }
    }

    /// Returns the file of a value.
    fn file(&self, selected: &Selected) -> Option<&UploadedFile> {
        self.files.iter().find(|file| selected.offsets == Some(file.offsets))
    }

    /// Returns offset and length of a variable with one value; `None` if it was never set, or is not read from the request.
    fn origin(&self, variable: Variable, value: Text) -> Option<(usize, usize)> {
        let Places { end, query, target, path, body_processor } = self.places;
        let after_method = self.scalars.request_method.len() + 1;
        let header = |name: &[u8]| self.request_header_offset(name);
        let place = match variable {
            Variable::RemoteAddr
            | Variable::RemoteHost
            | Variable::RemotePort
            | Variable::ServerAddr
            | Variable::ServerPort
            | Variable::UniqueId
            | Variable::Rule
            | Variable::RequestMethod
            | Variable::RequestLine
            | Variable::UrlencodedError
            | Variable::InboundDataError
            | Variable::ResponseContentType => (0, value.len()),
            Variable::RequestUri => (after_method, target),
            Variable::RequestUriRaw => (after_method, value.len()),
            Variable::RequestFilename | Variable::PathInfo => (after_method, path),
            Variable::RequestBasename => (after_method + self.scalars.request_filename.len().saturating_sub(value.len()), value.len()),
            Variable::RequestProtocol => (after_method + self.scalars.request_uri_raw.len() + 1, value.len()),
            Variable::QueryString => return self.has_target().then_some((query, value.len())),
            Variable::ServerName => (header(b"host")?, value.len()),
            Variable::AuthType => (header(b"authorization")?, value.len()),
            Variable::RemoteUser => (header(b"authorization")?, self.request_header(b"authorization")?.len()),
            Variable::ReqbodyProcessor => (body_processor, value.len()),
            Variable::RequestBodyLength => (end, self.scalars.request_body.len()),
            Variable::FullRequest
            | Variable::FullRequestLength
            | Variable::RequestBody
            | Variable::OutboundDataError
            | Variable::ReqbodyError
            | Variable::ReqbodyErrorMsg
            | Variable::ReqbodyProcessorError
            | Variable::ReqbodyProcessorErrorMsg
            | Variable::MatchedVar
            | Variable::MatchedVars
            | Variable::MatchedVarName
            | Variable::MatchedVarsNames
            | Variable::ResponseBody
            | Variable::ResponseContentLength
            | Variable::ResponseProtocol
            | Variable::ResponseStatus
            | Variable::ResponseHeaders
            | Variable::ResponseHeadersNames => (end, value.len()),
            flag if flag.is_multipart_flag() => (end, value.len()),
            _ => return None,
        };
        (!value.is_empty()).then_some(place)
    }

    fn has_target(&self) -> bool {
        !self.scalars.request_line.is_empty()
    }

    /// Returns the offset of the value of the last request header with this name.
    fn request_header_offset(&self, name: &[u8]) -> Option<usize> {
        let header = self.request_headers.iter().rfind(|header| self.arena.read(header.name).eq_ignore_ascii_case(name))?;
        Some(header.offsets.value)
    }
}
