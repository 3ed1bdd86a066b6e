//! Variables with one value.

use super::{Collections, Label, Selected, Text};
use crate::graph::PersistentCollection;
use crate::vocabulary::Variable;

/// The version in MODSEC_BUILD: that of the compatible ModSecurity, for rules that check it.
const BUILD: &[u8] = b"030013100";

impl Collections {
    /// Returns the value of a scalar. As in ModSecurity v3, one that was never set is empty, not absent: rules test it.
    pub(super) fn scalar(&mut self, variable: Variable) -> Option<Selected> {
        let scalars = &self.scalars;
        let multipart = &scalars.multipart;
        let value = match variable {
            Variable::ArgsCombinedSize => scalars.argument_sizes,
            Variable::AuthType => scalars.auth_type,
            Variable::FilesCombinedSize => scalars.file_sizes,
            Variable::FullRequest => self.full_request(),
            Variable::FullRequestLength => {
                let full = self.full_request();
                if self.request_is_complete { self.arena.store_number(full.len()) } else { full }
            }
            Variable::HighestSeverity => self.arena.store_number(self.highest_severity),
            Variable::InboundDataError => scalars.inbound_data_error,
            Variable::MatchedVar => self.matched.last().map(|matched| matched.value).unwrap_or_default(),
            Variable::MatchedVarName => {
                let label = self.matched.last().map_or(Label::Unnamed, |matched| matched.label);
                label.store(&mut self.arena)
            }
            Variable::ModsecBuild => self.arena.store(BUILD),
            Variable::MscPcreError => scalars.pattern_error,
            Variable::MscPcreLimitsExceeded => scalars.pattern_limits_exceeded,
            Variable::MultipartBoundaryQuoted => multipart.boundary_quoted,
            Variable::MultipartBoundaryWhitespace => multipart.boundary_whitespace,
            Variable::MultipartCrlfLfLines => multipart.crlf_lf_lines,
            Variable::MultipartDataAfter => multipart.data_after,
            Variable::MultipartDataBefore => multipart.data_before,
            Variable::MultipartFileLimitExceeded => multipart.file_limit_exceeded,
            Variable::MultipartHeaderFolding => multipart.header_folding,
            Variable::MultipartInvalidHeaderFolding => multipart.invalid_header_folding,
            Variable::MultipartInvalidPart => multipart.invalid_part,
            Variable::MultipartInvalidQuoting => multipart.invalid_quoting,
            Variable::MultipartLfLine => multipart.lf_line,
            Variable::MultipartMissingSemicolon => multipart.missing_semicolon,
            Variable::MultipartStrictError => multipart.strict_error,
            Variable::MultipartUnmatchedBoundary => multipart.unmatched_boundary,
            Variable::OutboundDataError => scalars.outbound_data_error,
            Variable::PathInfo | Variable::RequestFilename => scalars.request_filename,
            Variable::QueryString => scalars.query_string,
            Variable::RemoteAddr | Variable::RemoteHost => scalars.remote_addr,
            Variable::RemotePort => scalars.remote_port,
            Variable::RemoteUser => return scalars.remote_user.map(|value| plain(variable, value)),
            Variable::ReqbodyError => scalars.body_error,
            Variable::ReqbodyErrorMsg => scalars.body_error_message,
            Variable::ReqbodyProcessor => scalars.body_processor,
            Variable::ReqbodyProcessorError => scalars.body_processor_error,
            Variable::ReqbodyProcessorErrorMsg => scalars.body_processor_error_message,
            Variable::RequestBasename => scalars.request_basename,
            Variable::RequestBody => scalars.request_body,
            Variable::RequestBodyLength => scalars.request_body_length,
            Variable::RequestLine => scalars.request_line,
            Variable::RequestMethod => scalars.request_method,
            Variable::RequestProtocol => scalars.request_protocol,
            Variable::RequestUri => scalars.request_uri,
            Variable::RequestUriRaw => scalars.request_uri_raw,
            Variable::ResponseBody => scalars.response_body,
            Variable::ResponseContentLength => scalars.response_content_length,
            Variable::ResponseContentType => scalars.response_content_type,
            Variable::ResponseProtocol => scalars.response_protocol,
            Variable::ResponseStatus => scalars.response_status,
            Variable::ServerAddr => scalars.server_addr,
            Variable::ServerName => scalars.server_name,
            Variable::ServerPort => scalars.server_port,
            Variable::SessionId => self.open_records.key(PersistentCollection::Session).unwrap_or_default(),
            Variable::UserId => self.open_records.key(PersistentCollection::User).unwrap_or_default(),
            Variable::UniqueId => scalars.unique_id,
            Variable::UrlencodedError => scalars.urlencoded_error,
            other => match self.clock.read(other) {
                Some(text) => self.arena.store(text.as_bytes()),
                None => Text::EMPTY,
            },
        };
        Some(plain(variable, value))
    }

    /// Returns request line, headers and body. Built only when a rule uses it, because it copies all of them. Empty before phase 2.
    fn full_request(&mut self) -> Text {
        if !self.request_is_complete {
            return Text::EMPTY;
        }
        if let Some(known) = self.full_request {
            return known;
        }
        let mut full = Vec::new();
        for header in &self.request_headers {
            full.extend_from_slice(self.arena.read(header.name));
            full.extend_from_slice(b": ");
            full.extend_from_slice(self.arena.read(header.value));
            full.push(b'\n');
        }
        full.extend_from_slice(b"\n\n");
        full.extend_from_slice(self.arena.read(self.arena.request_body()));
        let full = self.arena.store(&full);
        self.full_request = Some(full);
        full
    }
}

fn plain(variable: Variable, value: Text) -> Selected {
    Selected { label: Label::Variable(variable), value, offsets: None }
}
