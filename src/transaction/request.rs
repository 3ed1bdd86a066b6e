//! The connection, the request line and the request headers.

use super::debug::shown_limit;
use super::escape::text;
use super::{Transaction, Verdict};
use crate::collection::{Argument, ArgumentOrigin, Entry, Offsets, Places};
use crate::graph::Phase;
use crate::http::request_target::{RequestTarget, request_line, request_protocol};
use crate::http::{arguments, authorization, cookies, host};
use crate::vocabulary::Limit;

impl Transaction {
    /// A connection was made. Rules of phase 0 run, even where the engine is off, as in ModSecurity v3.
    pub fn process_connection(&mut self, client: &str, client_port: u16, server: &str, server_port: u16) -> Verdict {
        self.expect_logging();
        self.debug(4, || "Transaction context created.".to_owned());
        self.debug(4, || "Starting phase CONNECTION. (SecRules 0)".to_owned());
        let Self { collections, .. } = self;
        collections.scalars.remote_addr = collections.arena.store(client.as_bytes());
        collections.scalars.remote_port = collections.arena.store_number(client_port);
        collections.scalars.server_addr = collections.arena.store(server.as_bytes());
        collections.scalars.server_port = collections.arena.store_number(server_port);
        self.run_phase(Phase::Connection);
        self.verdict()
    }

    /// The request line: the target as received, the method, and the version, which may be written `1.1` or `HTTP/1.1`.
    pub fn process_uri(&mut self, target: &[u8], method: &[u8], version: &[u8]) -> Verdict {
        self.expect_logging();
        let version = version.strip_prefix(b"HTTP/").unwrap_or(version);
        self.debug(4, || "Starting phase URI. (SecRules 0 + 1/2)".to_owned());
        let split = RequestTarget::new(target);
        let separator = self.ground.graph.settings.separator();
        let sent = target.split(|byte| *byte == b'#').next().unwrap_or(target);
        let arena = &mut self.collections.arena;
        let scalars = &mut self.collections.scalars;
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
        self.collections.places = Places { end, query: method.len() + 1 + path + 1, target: sent.len(), path, body_processor: 0 };
        let behind_hash = split.query_behind_hash(separator).map(|(start, text)| (method.len() + 1 + start, text));
        for (place, text) in split.query_string().map(|text| (self.collections.places.query, text)).into_iter().chain(behind_hash) {
            self.add_query(place, text, separator);
        }
        self.sum_arguments();
        self.verdict()
    }

    /// Adds the arguments of a query, or of a part of one, that begins at this place of the request.
    fn add_query(&mut self, place: usize, text: &[u8], separator: u8) {
        for argument in arguments::split(text, separator).map(|raw| raw.decode()) {
            let offsets = Offsets { name: place + argument.offset, value: place + argument.value_offset() };
            let entry = self.collections.entry(&argument.name, &argument.value, offsets);
            self.flag_encoding(argument.invalid_encoding);
            self.add_argument(ArgumentOrigin::Query, entry);
        }
    }

    /// A request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        let name_offset = self.collections.places.end;
        let value_offset = name_offset + name.len() + ": ".len();
        self.collections.places.end = value_offset + value.len() + 1;
        if !self.takes_header(self.collections.request_headers.len(), self.collections.request_header_bytes, name.len() + value.len()) {
            return;
        }
        self.collections.request_header_bytes += name.len() + value.len();
        let entry = self.collections.entry(name, value, Offsets { name: name_offset, value: value_offset });
        self.collections.request_headers.push(entry);
        let arena = &mut self.collections.arena;
        let scalars = &mut self.collections.scalars;
        if name.eq_ignore_ascii_case(b"cookie") {
            let most = self.ground.graph.settings.limit(Limit::Cookies);
            for cookie in cookies::parse(value) {
                if self.collections.cookies.len() >= most {
                    arena.work.exceed(Limit::Cookies);
                    break;
                }
                let name = entry.value.part(cookie.name_offset, cookie.name.len());
                let value = entry.value.part(cookie.value_offset(), cookie.value.len());
                let offsets = Offsets { name: value_offset + cookie.name_offset, value: value_offset + cookie.value_offset() };
                if !arena.work.hold(size_of::<Entry>()) {
                    break;
                }
                self.collections.cookies.push(Entry { name, value, offsets });
            }
        } else if name.eq_ignore_ascii_case(b"content-type") {
            if let Some(processor) = self.body_type.take(entry.value, arena) {
                self.body_processor = Some(processor);
                scalars.body_processor = arena.store(processor.name().as_bytes());
                self.collections.places.body_processor = value_offset;
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            scalars.server_name = arena.store(host::server_name(value));
        } else if name.eq_ignore_ascii_case(b"authorization") {
            scalars.auth_type = arena.store(authorization::auth_type(value));
            scalars.remote_user = authorization::basic_user(value).map(|user| arena.store(&user));
        }
    }

    /// All request headers are there: rules of phase 1 run.
    pub fn process_request_headers(&mut self) -> Verdict {
        self.debug(4, || "Starting phase REQUEST_HEADERS.  (SecRules 1)".to_owned());
        if !self.is_disabled() {
            self.run_phase(Phase::RequestHeaders);
        }
        self.flow.headers_judged = true;
        self.verdict()
    }

    /// Whether a message with so many headers of so many bytes may have another header.
    #[inline]
    pub(super) fn takes_header(&mut self, headers: usize, bytes: usize, more: usize) -> bool {
        let settings = &self.ground.graph.settings;
        let exceeded = [
            (Limit::Headers, headers >= settings.limit(Limit::Headers)),
            (Limit::HeaderBytes, bytes + more > settings.limit(Limit::HeaderBytes)),
        ];
        let exceeded = exceeded.into_iter().find(|(_, is_exceeded)| *is_exceeded);
        exceeded.into_iter().for_each(|(limit, _)| self.exceed(limit));
        exceeded.is_none()
    }

    /// Adds an argument, unless there are too many. Gives whether it was added.
    pub(super) fn add_argument(&mut self, origin: ArgumentOrigin, entry: Entry) -> bool {
        let settings = &self.ground.graph.settings;
        let most = settings.limit(Limit::Arguments);
        if self.collections.arguments.len() >= most {
            self.exceed(Limit::Arguments);
            self.debug(4, || format!("Skipping request argument, over limit ({})", shown_limit(Some(most))));
            return false;
        }
        let bytes = self.collections.argument_bytes + entry.name.len() + entry.value.len();
        if bytes > settings.limit(Limit::ArgumentBytes) {
            self.exceed(Limit::ArgumentBytes);
            return false;
        }
        if !self.collections.arena.work.hold(size_of::<Argument>()) {
            return false;
        }
        self.collections.argument_bytes = bytes;
        self.debug_argument(origin_name(origin), entry);
        self.collections.arguments.push(Argument { origin, entry });
        true
    }

    /// Shows an argument in the debug log, without its line breaks: ModSecurity v3 drops them from fields of multipart forms.
    pub(super) fn debug_argument(&self, origin: &str, entry: Entry) {
        self.debug(4, || {
            let shown = |part| text(self.collections.arena.read(part)).replace(['\r', '\n'], "");
            let (name, value) = (shown(entry.name), shown(entry.value));
            format!("Adding request argument ({origin}): name \"{name}\", value \"{value}\"")
        });
    }

    pub(super) fn flag_encoding(&mut self, invalid: bool) {
        if invalid {
            self.collections.scalars.urlencoded_error = self.collections.arena.store(b"1");
        }
    }
}

fn origin_name(origin: ArgumentOrigin) -> &'static str {
    match origin {
        ArgumentOrigin::Query => "GET",
        ArgumentOrigin::Form => "POST",
        ArgumentOrigin::Json => "JSON",
    }
}
