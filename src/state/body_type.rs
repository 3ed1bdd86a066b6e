//! The `Content-Type` header that decides how the request body is read.

use super::{Arena, Text};
use crate::graph::BodyProcessor;
use crate::http::blank;
use crate::http::content_type::{FormType, form_type};

/// What the `Content-Type` headers of a request say together.
///
/// ModSecurity v3 takes the last header for the boundary and the last that names a form for the processor. Here it is one header for both: the
/// last that names a form, or else the last one. Headers that differ are an error of the body.
#[derive(Debug, Default)]
pub struct BodyType {
    header: Option<Text>,
    first: Option<Text>,
    names_form: bool,
    contradicts: bool,
}

impl BodyType {
    /// Takes a header in; gives the processor if it names one.
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

    /// The header that decides, without blanks in front. One at the end stays: as in ModSecurity v3 a boundary may not end in one.
    pub fn header(&self) -> Option<Text> {
        self.header
    }

    /// Returns `true` if there are several headers and they differ.
    pub fn contradicts(&self) -> bool {
        self.contradicts
    }
}
