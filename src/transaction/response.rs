//! The response: status, headers and body.

use super::body_limit::BodyLimit;
use super::escape::text;
use super::{Transaction, Verdict};
use crate::collection::Offsets;
use crate::graph::{EngineMode, Phase};
use crate::http::content_type::media_type;
use crate::vocabulary::Limit;

impl Transaction {
    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        if !self.takes_header(self.collections.response_headers.len(), self.collections.response_header_bytes, name.len() + value.len()) {
            return;
        }
        self.collections.response_header_bytes += name.len() + value.len();
        let end = self.collections.places.end;
        let entry = self.collections.entry(name, value, Offsets { name: end, value: end });
        self.collections.response_headers.push(entry);
        if name.eq_ignore_ascii_case(b"content-type") {
            self.collections.scalars.response_content_type = self.collections.arena.store(media_type(value));
        }
    }

    /// All response headers are there: rules of phase 3 run. `protocol` is `HTTP/1.1` or `1.1`, with the version of the response.
    pub fn process_response_headers(&mut self, status: u16, protocol: &str) -> Verdict {
        self.debug(4, || "Starting phase RESPONSE_HEADERS. (SecRules 3)".to_owned());
        self.update_status(status);
        let is_number = protocol.starts_with(|first: char| first.is_ascii_digit());
        let prefix = if is_number { "HTTP/" } else { "" };
        self.collections.scalars.response_protocol = self.collections.arena.store(format!("{prefix}{protocol}").as_bytes());
        if !self.is_disabled() {
            self.run_phase(Phase::ResponseHeaders);
        }
        self.verdict()
    }

    /// The status that the host answers with after all, for phase 5 and the logs.
    pub fn update_status(&mut self, status: u16) {
        self.collections.scalars.response_status = self.collections.arena.store_number(status);
    }

    /// Returns `true` if the response body will be judged. Otherwise it is not kept, so that a host need not gather it.
    pub fn wants_response_body(&self) -> bool {
        self.engine_mode() != EngineMode::Off
            && self.ground.graph.settings.response_body_access == Some(true)
            && self.inspects_response_type()
    }

    fn inspects_response_type(&self) -> bool {
        let media_type = self.collections.arena.read(self.collections.scalars.response_content_type);
        self.ground.graph.settings.inspects_response_type(media_type)
    }

    fn uninspected_type(&self) -> String {
        let media_type = text(self.collections.arena.read(self.collections.scalars.response_content_type));
        format!("Response Content-Type is {media_type}. It is not marked to be inspected.")
    }

    /// A chunk of the response body. What is beyond the limit is dropped, and the settings say what happens then.
    pub fn append_response_body(&mut self, chunk: &[u8]) -> Verdict {
        if !self.inspects_response_type() {
            self.debug(4, || format!("Not appending response body. {}", self.uninspected_type()));
            return self.verdict();
        }
        let settings = &self.ground.graph.settings;
        let limit = BodyLimit {
            name: "Response",
            kind: Limit::ResponseBody,
            limit: settings.response_body_limit,
            action: settings.response_body_limit_action,
            gathered: self.body_lengths.response,
        };
        let admission = self.admit(chunk.len(), &limit);
        if admission.exceeds {
            self.collections.scalars.outbound_data_error = self.collections.arena.store(b"1");
        }
        self.body_lengths.response = self.body_lengths.response.saturating_add(admission.taken);
        if self.wants_response_body() {
            self.collections.arena.append_response_body(chunk.get(..admission.taken).unwrap_or_default());
        }
        self.verdict()
    }

    /// The whole response body is there: rules of phase 4 run, where the settings ask for it.
    pub fn process_response_body(&mut self) -> Verdict {
        self.debug(4, || "Starting phase RESPONSE_BODY. (SecRules 4)".to_owned());
        if self.is_disabled() {
            return self.verdict();
        }
        let settings = &self.ground.graph.settings;
        if settings.response_body_access != Some(true) {
            self.debug(4, || "Response body is disabled, returning... 2".to_owned());
            return self.verdict();
        }
        if !self.wants_response_body() {
            self.debug(5, || self.uninspected_type());
            self.debug(8, || {
                let listed = self.ground.graph.settings.response_body_types.iter().map(|listed| format!("{listed} "));
                format!("Content-Type(s) marked to be inspected: {}", listed.collect::<String>())
            });
            return self.verdict();
        }
        let body = self.collections.arena.response_body();
        let arena = &mut self.collections.arena;
        let scalars = &mut self.collections.scalars;
        if scalars.outbound_data_error.is_empty() {
            scalars.outbound_data_error = arena.store(b"0");
        }
        scalars.response_body = body;
        scalars.response_content_length = arena.store_number(body.len());
        self.run_phase(Phase::ResponseBody);
        self.verdict()
    }
}
