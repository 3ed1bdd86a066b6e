//! Texts of an exchange for logs, with the secrets covered.

use super::names::{ArgumentNames, BodySource, Part, Secrets};
use crate::body::multipart::MultipartLimits;
use crate::body::xml::XmlDocument;
use crate::graph::{BodyProcessor, Settings};
use crate::http::charset;
use crate::mask::{self, Choice, Mask};
use crate::state::{Collections, Selected, State, Text};
use crate::vocabulary::{Limit, Variable};
use rustc_hash::FxHashSet;
use std::borrow::Cow;

/// Shows texts of an exchange without its secrets.
#[derive(Clone, Copy, Debug)]
pub struct Masking<'a> {
    secrets: &'a Secrets,
    state: &'a State,
    settings: &'a Settings,
}

impl State {
    /// Returns the masking of the secrets of the exchange; `None` if the rule set has none.
    #[inline]
    pub fn masking<'a>(&'a self, settings: &'a Settings) -> Option<Masking<'a>> {
        let secrets = self.secrets.as_deref()?;
        Some(Masking { secrets, state: self, settings })
    }
}

impl<'a> Masking<'a> {
    /// Covers secrets in a text without a place of its own.
    pub fn text<'t>(self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut mask = Mask::new(text);
        self.secrets.needles.cover(&mut mask);
        mask.finish()
    }

    /// Covers secrets in a target of a request, or in the address in a header: the values of its query by their names.
    pub fn address<'t>(self, address: &'t [u8]) -> Cow<'t, [u8]> {
        let mut mask = Mask::new(address);
        if let Some(query) = memchr::memchr(b'?', address) {
            self.cover_query(&mut mask, query.saturating_add(1));
        }
        self.secrets.needles.cover(&mut mask);
        mask.finish()
    }

    /// Returns the target of the request, as received.
    pub fn target(self) -> Cow<'a, [u8]> {
        let target = self.read(Variable::RequestUriRaw);
        if self.secrets.has_scalar(Variable::RequestUri) {
            return stars(target);
        }
        self.address(target)
    }

    /// Returns the decoded path of the request.
    pub fn path(self) -> Cow<'a, [u8]> {
        let path = self.read(Variable::RequestFilename);
        if self.secrets.has_scalar(Variable::RequestUri) { stars(path) } else { self.text(path) }
    }

    /// Covers a header of the request.
    pub fn request_header<'t>(self, name: &[u8], value: &'t [u8]) -> Cow<'t, [u8]> {
        if name.eq_ignore_ascii_case(b"cookie") {
            let mut mask = Mask::new(value);
            mask::cover_cookies(&mut mask, |name| self.secrets.cookie(name));
            return self.member(mask, Variable::RequestHeaders, name);
        }
        self.header(Variable::RequestHeaders, name, value)
    }

    /// Covers a header of the response. A cookie that is secret in requests is secret in `Set-Cookie` too.
    pub fn response_header<'t>(self, name: &[u8], value: &'t [u8]) -> Cow<'t, [u8]> {
        if name.eq_ignore_ascii_case(b"set-cookie") {
            let mut mask = Mask::new(value);
            mask::cover_set_cookie(&mut mask, |name| self.secrets.cookie(name));
            return self.member(mask, Variable::ResponseHeaders, name);
        }
        self.header(Variable::ResponseHeaders, name, value)
    }

    fn header<'t>(self, variable: Variable, name: &[u8], value: &'t [u8]) -> Cow<'t, [u8]> {
        let mut mask = Mask::new(value);
        // An address, such as that of `Referer` or `Location`.
        if let Some(query) = memchr::memchr(b'?', value) {
            self.cover_query(&mut mask, query.saturating_add(1));
        }
        self.member(mask, variable, name)
    }

    fn member<'t>(self, mut mask: Mask<'t>, variable: Variable, name: &[u8]) -> Cow<'t, [u8]> {
        match self.secrets.member(variable, name) {
            Choice::Whole => mask.cover_all(),
            Choice::Parts(parts) => parts.cover(&mut mask),
            Choice::Clear => {}
        }
        self.secrets.needles.cover(&mut mask);
        mask.finish()
    }

    fn cover_query(self, mask: &mut Mask<'_>, start: usize) {
        let end = mask.text().len();
        if self.secrets.has_scalar(Variable::QueryString) {
            return mask.cover(start..end);
        }
        let separator = self.settings.argument_separator;
        mask::cover_arguments(mask, start..end, separator, |name| self.secrets.argument(Part::Query, name));
    }

    /// Returns the request body, as far as it was kept.
    pub fn request_body(self) -> Cow<'a, [u8]> {
        let arena = &self.state.collections.arena;
        let text = arena.request_body();
        let source = BodySource { text, processor: self.state.body_processor, is_doubtful: self.is_doubtful() };
        let body = arena.read(text);
        let covered = |covered: &'a Option<Box<[u8]>>| covered.as_deref().map_or(Cow::Borrowed(body), Cow::Borrowed);
        match self.secrets.covered_body.get_or_init(|| (source, self.covered_body(body))) {
            (known, bytes) if *known == source => covered(bytes),
            _ => self.covered_body(body).map_or(Cow::Borrowed(body), |bytes| Cow::Owned(bytes.into())),
        }
    }

    /// Returns a body with its secrets covered; `None` if it has none.
    fn covered_body(self, body: &[u8]) -> Option<Box<[u8]>> {
        let mut mask = Mask::new(body);
        self.secrets.needles.cover(&mut mask);
        if !self.cover_body(&mut mask) {
            mask.cover_all();
        }
        match mask.finish() {
            Cow::Owned(covered) => Some(covered.into()),
            Cow::Borrowed(_) => None,
        }
    }

    /// Covers secrets in their own places in the request body. Returns `false` if it must be covered as a whole.
    fn cover_body(self, mask: &mut Mask<'_>) -> bool {
        let has_xml = self.secrets.xpaths().next().is_some() || self.secrets.has_all_xml();
        let has_files = self.secrets.has_scalar(Variable::FilesTmpContent);
        if self.secrets.has_scalar(Variable::RequestBody) {
            return false;
        }
        let names = self.secrets.names_arguments(Part::Body);
        if mask.text().is_empty() || !(names || has_xml || has_files) {
            return true;
        }
        let choose = |name: &[u8]| self.secrets.argument(Part::Body, name);
        let settings = self.settings;
        !self.is_doubtful()
            && match self.state.body_processor {
                Some(BodyProcessor::Urlencoded) => {
                    let end = mask.text().len();
                    mask::cover_arguments(mask, 0..end, settings.argument_separator, choose);
                    // An application may read it as what it looks like.
                    !matches!(mask.text().trim_ascii_start().first(), Some(b'{' | b'[' | b'<'))
                }
                Some(BodyProcessor::Json) => {
                    let mut names = ArgumentNames::new(self.secrets, Part::Body);
                    mask::cover_json(mask, &settings.json_limits(), |name| names.choose(name)).is_ok()
                }
                Some(BodyProcessor::Multipart) => self.cover_multipart(mask),
                Some(BodyProcessor::Xml) => !self.secrets.has_all_xml() && mask::cover_xml(mask, choose) && self.cover_xpaths(mask),
                None => false,
            }
    }

    /// Returns `true` if the body had an error, or an application may read it in another way.
    fn is_doubtful(self) -> bool {
        let State { collections, body_type, body_processor, .. } = self.state;
        let arena = &collections.arena;
        let is_form = matches!(body_processor, Some(BodyProcessor::Multipart | BodyProcessor::Urlencoded));
        arena.read(collections.scalars.body_error) == b"1"
            || body_type.contradicts()
            || (is_form && body_type.header().is_some_and(|header| charset::hides_letters(arena.read(header))))
    }

    fn cover_multipart(self, mask: &mut Mask<'_>) -> bool {
        let settings = self.settings;
        let limits = MultipartLimits {
            header_bytes: settings.limit(Limit::MultipartHeaderBytes),
            headers_per_part: settings.limit(Limit::MultipartHeaders),
            parts: settings.limit(Limit::MultipartParts),
            files: usize::MAX,
            is_cut: false,
        };
        let content_type = self.state.body_type.header().map(|value| self.state.collections.arena.read(value));
        mask::cover_multipart(mask, content_type, &limits, |name| self.secrets.file(name))
    }

    /// Covers the nodes that XPaths select. Returns `false` if one of them is not found in the text.
    fn cover_xpaths(self, mask: &mut Mask<'_>) -> bool {
        let text = mask.text();
        let limits = self.settings.xml_limits();
        if self.secrets.xpaths().next().is_none() {
            return true;
        }
        let Some(pieces) = mask::xml_pieces(text, |_| Choice::Clear) else { return false };
        let Ok(mut document) = XmlDocument::parse(text, &limits) else { return false };
        let mut counts = Vec::new();
        let mut selected: FxHashSet<Vec<u8>> = FxHashSet::default();
        for path in self.secrets.xpaths() {
            let Ok(values) = document.select(path, &[]) else { return false };
            counts.push(values.len());
            selected.extend(values.into_iter().map(|value| value.trim().as_bytes().to_vec()));
        }
        for piece in pieces {
            if selected.contains(piece.decoded(text).trim_ascii()) {
                mask.cover(piece.range);
            }
        }
        // Where the nodes are in the text is not known. They were covered if nothing is left in them.
        let Ok(mut covered) = XmlDocument::parse(mask.covered(), &limits) else { return false };
        self.secrets.xpaths().zip(counts).all(|(path, count)| {
            let values = covered.select(path, &[]).unwrap_or_default();
            values.len() == count && values.iter().all(|value| value.trim().bytes().all(|byte| byte == b'*'))
        })
    }

    /// Returns `true` if the request body is covered as a whole because of doubt about its content.
    pub fn doubts_body(self) -> bool {
        let arena = &self.state.collections.arena;
        !self.secrets.has_scalar(Variable::RequestBody) && !self.cover_body(&mut Mask::new(arena.read(arena.request_body())))
    }

    /// Returns the response body, as far as it was kept.
    pub fn response_body(self) -> Cow<'a, [u8]> {
        let arena = &self.state.collections.arena;
        let body = arena.read(arena.response_body());
        if self.secrets.has_scalar(Variable::ResponseBody) { stars(body) } else { self.text(body) }
    }

    /// Returns the user that the client sent, if any.
    pub fn remote_user(self) -> Option<Cow<'a, [u8]>> {
        let user = self.state.collections.arena.read(self.state.collections.scalars.remote_user?);
        let is_secret = matches!(self.secrets.member(Variable::RequestHeaders, b"Authorization"), Choice::Whole);
        Some(if is_secret { stars(user) } else { self.text(user) })
    }

    /// Covers secrets in a value that a target selected.
    pub fn selected(self, selected: &Selected) -> Cow<'a, [u8]> {
        let arena = &self.state.collections.arena;
        let (variable, key) = selected.label.parts();
        let value = arena.read(selected.value);
        match variable {
            // The number of values is not secret.
            Some(_) if selected.label.variable().is_none() => Cow::Borrowed(value),
            Some(variable) => self.value(variable, key.map(|key| arena.read(key)).unwrap_or_default(), value),
            None => self.text(value),
        }
    }

    /// Covers secrets in a value of a variable.
    pub fn value<'t>(self, variable: Variable, key: &[u8], value: &'t [u8]) -> Cow<'t, [u8]>
    where
        'a: 't,
    {
        let secrets = self.secrets;
        match variable {
            _ if secrets.hides_source(variable) => stars(value),
            Variable::Args | Variable::ArgsGet | Variable::ArgsPost => self.chosen(secrets.argument(Part::Any, key), value),
            Variable::RequestCookies => self.chosen(secrets.cookie(key), value),
            Variable::FilesTmpContent => self.chosen(secrets.file(key), value),
            Variable::RequestHeaders => self.request_header(key, value),
            Variable::ResponseHeaders => self.response_header(key, value),
            Variable::RequestUriRaw
            | Variable::RequestUri
            | Variable::RequestLine
            | Variable::RequestFilename
            | Variable::RequestBasename
                if secrets.has_scalar(Variable::RequestUri) =>
            {
                stars(value)
            }
            Variable::RequestUriRaw | Variable::RequestLine | Variable::RequestUri | Variable::QueryString => {
                self.part_of_target(variable, value)
            }
            Variable::RequestBody => match self.state.collections.arena.read(self.state.collections.arena.request_body()) == value {
                true => self.request_body(),
                false => self.text(value),
            },
            Variable::ResponseBody if secrets.has_scalar(Variable::ResponseBody) => stars(value),
            Variable::FullRequest if !secrets.is_empty() => stars(value),
            Variable::RemoteUser => self.remote_user().unwrap_or(Cow::Borrowed(value)),
            Variable::Xml if secrets.hides_xml => stars(value),
            Variable::MatchedVar | Variable::MatchedVars | Variable::Tx if secrets.is_short(value) => stars(value),
            _ => self.text(value),
        }
    }

    fn chosen<'t>(self, choice: Choice<'_>, value: &'t [u8]) -> Cow<'t, [u8]> {
        let mut mask = Mask::new(value);
        match choice {
            Choice::Whole => return stars(value),
            Choice::Parts(parts) => parts.cover(&mut mask),
            Choice::Clear => {}
        }
        self.secrets.needles.cover(&mut mask);
        mask.finish()
    }

    /// Covers a text that a rule made of the values that it tests, such as a value after transformations. `are_secret` is `true` if a secret was among
    /// these values.
    pub fn derived<'t>(self, text: &'t [u8], are_secret: bool) -> Cow<'t, [u8]> {
        if are_secret || self.secrets.is_short(text) || self.secrets.holds_part(text) { stars(text) } else { self.text(text) }
    }

    /// Covers secrets in one of the values that a rule and those chained to it matched. `are_secret` is `true` if a secret is among them: then a variable
    /// of rules is a part of it.
    pub fn matched(self, selected: &Selected, are_secret: bool) -> Cow<'a, [u8]> {
        let is_made =
            matches!(selected.label.variable(), Some(Variable::Tx | Variable::MatchedVar | Variable::MatchedVars | Variable::Rule));
        match is_made && are_secret {
            true => stars(self.read_text(selected.value)),
            false => self.selected(selected),
        }
    }

    /// Returns `true` if a selected value is secret, or a part of it.
    pub fn covers(self, selected: &Selected) -> bool {
        *self.selected(selected) != *self.state.collections.arena.read(selected.value)
    }

    /// Covers a value as a rule tests it, as [`matched`](Self::matched) does: a secret one that transformations have changed is covered as a whole.
    pub fn tested(self, selected: &Selected, tested: Text, are_secret: bool) -> Cow<'a, [u8]> {
        let (received, tested) = (self.read_text(selected.value), self.read_text(tested));
        match received == tested {
            true => self.matched(selected, are_secret),
            false => self.derived(tested, self.covers(selected)),
        }
    }

    /// Covers secrets in the target, or a part of it. In a decoded one the end of a value is not known: it is covered to the end of the text.
    fn part_of_target<'t>(self, variable: Variable, value: &'t [u8]) -> Cow<'t, [u8]> {
        let mut mask = Mask::new(value);
        let query = match variable {
            Variable::QueryString => Some(0),
            _ => memchr::memchr(b'?', value).map(|at| at.saturating_add(1)),
        };
        if let Some(query) = query {
            self.cover_query(&mut mask, query);
        }
        if let (Variable::RequestUri, Some(first)) = (variable, mask.first()) {
            mask.cover(first..value.len());
        }
        self.secrets.needles.cover(&mut mask);
        mask.finish()
    }

    /// Returns the bytes of a value, with its secrets.
    pub fn read_text(self, text: Text) -> &'a [u8] {
        self.state.collections.arena.read(text)
    }

    /// Returns the name of the argument, header or cookie with this value.
    pub fn name_of(self, value: Text) -> &'a [u8] {
        let Collections { arguments, request_headers, response_headers, cookies, .. } = &self.state.collections;
        let entries = arguments.iter().map(|argument| &argument.entry).chain(request_headers).chain(response_headers).chain(cookies);
        let holder = entries.into_iter().find(|entry| entry.value == value && !value.is_empty());
        holder.map_or(&[], |entry| self.read_text(entry.name))
    }

    fn read(self, variable: Variable) -> &'a [u8] {
        let scalars = &self.state.collections.scalars;
        let text = if variable == Variable::RequestFilename { scalars.request_filename } else { scalars.request_uri_raw };
        self.state.collections.arena.read(text)
    }
}

/// Returns a text of which every byte is covered.
pub fn stars(text: &[u8]) -> Cow<'static, [u8]> {
    let mut mask = Mask::new(text);
    mask.cover_all();
    Cow::Owned(mask.finish().into_owned())
}
