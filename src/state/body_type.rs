//! The `Content-Type` header that selects the parser of the request body.

use super::{Arena, Text};
use crate::graph::BodyProcessor;
use crate::http::blank;
use crate::http::content_type::{FormType, form_type};

/// The `Content-Type` headers of a request.
///
/// ModSecurity v3 uses the last header for the boundary, and the last one of a form for the processor. Here one header sets both: the last one of a
/// form, or else the last one. Headers that differ are an error of the body.
#[derive(Debug, Default)]
pub struct BodyType {
    header: Option<Text>,
    first: Option<Text>,
    names_form: bool,
    contradicts: bool,
}

impl BodyType {
    /// Adds a header; returns the processor if the header is that of a form.
    pub fn take(&mut self, header: Text, arena: &Arena) -> Option<BodyProcessor> {
        let value = arena.read(header);
        let start = value.len().saturating_sub(blank::trim_start(value).len());
        let header = header.part(start, value.len());
        let trimmed = |header| blank::trim_end(arena.read(header));
        self.contradicts |= self.first.is_some_and(|first| trimmed(first) != trimmed(header));
        self.first.get_or_insert(header);
        let processor = form_type(value).map(|form| match form {
            FormType::Multipart => BodyProcessor::Multipart,
            FormType::UrlEncoded => BodyProcessor::Urlencoded,
        });
        if processor.is_some() || !self.names_form {
            self.header = Some(header);
            self.names_form |= processor.is_some();
        }
        processor
    }

    /// Returns the header in use, without leading blanks. Trailing blanks stay: as in ModSecurity v3, a boundary may not end in one.
    pub fn header(&self) -> Option<Text> {
        self.header
    }

    /// Returns `true` if there are several headers that differ.
    pub fn contradicts(&self) -> bool {
        self.contradicts
    }
}
