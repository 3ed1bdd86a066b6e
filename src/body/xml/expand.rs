//! Rewrites a document with a DOCTYPE as one without.
//!
//! The parser that makes the tree (the crate `uppsala`) treats the replacement texts of entities as plain text, and does not know default attributes
//! of a DOCTYPE. An application's parser handles both, so rules must see them. The alternatives are worse: libxml2, which ModSecurity v3 uses, is
//! `unsafe` code with a C interface, and the tree, XPath, DTD and schema validation would have to change with it; `quick-xml` leaves entities to its
//! caller as well, and checks less of well-formedness. So this writes an equivalent document first:
//!
//! ```xml
//! <!DOCTYPE r [<!ENTITY e "<b>&#38;#97;</b>"> <!ATTLIST r a CDATA "1">]><r>&e;</r>
//! <r a="1"><b>&#97;</b></r>
//! ```
//!
//! The parser checks the well-formedness of the result; here are only the rules that the rewrite would hide: a replacement text contains whole
//! elements, comments and the like, and entities do not use themselves. Nothing recurses, and the bytes that entities and defaults add are limited,
//! so the time is linear in the document and that limit.

use super::cursor::Cursor;
use super::doctype::{self, Doctype};
use super::entities::{Uses, predefined};
use super::error::{XmlError, malformed};
use super::limits::XmlLimits;
use std::collections::HashSet;

/// A document without its DOCTYPE and its entities.
pub(super) struct Expanded {
    pub(super) text: String,
    /// The first entity outside of the document that the content uses: it expands to nothing.
    pub(super) unread_entity: Option<String>,
}

/// Rewrites a document; `None` if it has no DOCTYPE. Line breaks are line feeds already.
pub(super) fn without_doctype(text: &str, limits: &XmlLimits) -> Result<Option<Expanded>, XmlError> {
    let Some((before, from)) = doctype::find(text).and_then(|at| text.split_at_checked(at)) else { return Ok(None) };
    let mut cursor = Cursor::new(from);
    let mut bytes_left = limits.entity_bytes;
    let doctype = Doctype::read(&mut cursor, limits.attributes_per_element, &mut bytes_left)?;
    let mut written = String::with_capacity(text.len());
    written.push_str(before);
    let mut writer = Writer { doctype: &doctype, uses: Uses::new(&doctype.entities, bytes_left), written, depth: 0, unread_entity: None };
    writer.document(cursor)?;
    Ok(Some(Expanded { text: writer.written, unread_entity: writer.unread_entity }))
}

struct Writer<'d> {
    doctype: &'d Doctype,
    uses: Uses<'d>,
    written: String,
    /// Number of open elements.
    depth: usize,
    unread_entity: Option<String>,
}

/// A text that is being parsed: the document, or the replacement text of an entity.
struct Reading<'d> {
    cursor: Cursor<'d>,
    entity: Option<&'d str>,
    /// Number of open elements at its start.
    depth: usize,
}

impl<'d> Writer<'d> {
    /// Writes the text after the DOCTYPE.
    fn document(&mut self, cursor: Cursor<'d>) -> Result<(), XmlError> {
        let mut readings = vec![Reading { cursor, entity: None, depth: 0 }];
        while let Some(reading) = readings.last_mut() {
            self.text(reading.cursor.before(&['<', '&']))?;
            if reading.cursor.rest().is_empty() {
                if self.depth != reading.depth {
                    return Err(malformed("an element does not end where it began"));
                }
                reading.entity.inspect(|name| self.uses.close(name));
                readings.pop();
            } else if reading.cursor.rest().starts_with('<') {
                self.markup(reading)?;
            } else if let Some(entity) = self.reference(&mut reading.cursor)? {
                readings.push(entity);
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if text.contains("]]>") {
            return Err(malformed("`]]>` is not allowed in text"));
        }
        // The text before it may be of another entity, and end with `]]`; remaining carriage returns are intended.
        for character in text.chars() {
            match character {
                '>' => self.written.push_str("&gt;"),
                '\r' => self.written.push_str("&#13;"),
                character => self.written.push(character),
            }
        }
        Ok(())
    }

    /// Writes a character reference unchanged; returns the text of an entity.
    fn reference(&mut self, cursor: &mut Cursor<'d>) -> Result<Option<Reading<'d>>, XmlError> {
        let before = cursor.rest();
        let entity = match cursor.numbered_character() {
            Some(_) => None,
            None => cursor.entity_reference().map(Some).ok_or_else(|| malformed("a reference is not well-formed"))?,
        };
        match entity.filter(|name| predefined(name).is_none()) {
            Some(name) if self.depth > 0 && self.uses.is_external(name) => {
                self.unread_entity.get_or_insert_with(|| name.to_owned());
                Ok(None)
            }
            Some(name) if self.depth > 0 => {
                let (name, text) = self.uses.open(name)?;
                Ok(Some(Reading { cursor: Cursor::new(text), entity: Some(name), depth: self.depth }))
            }
            Some(_) => Err(malformed("there is a reference outside of the root")),
            None => {
                self.copy(before, cursor);
                Ok(None)
            }
        }
    }

    fn markup(&mut self, reading: &mut Reading<'d>) -> Result<(), XmlError> {
        let cursor = &mut reading.cursor;
        let before = cursor.rest();
        for (opening, closing) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")] {
            if cursor.take(opening) {
                cursor.until(closing).ok_or_else(|| malformed(format!("`{opening}` is not closed")))?;
                self.copy(before, cursor);
                return Ok(());
            }
        }
        if cursor.take("</") {
            cursor.until(">").ok_or_else(|| malformed("a tag is not closed"))?;
            if self.depth <= reading.depth {
                return Err(malformed("an element does not end where it began"));
            }
            self.depth = self.depth.saturating_sub(1);
            self.copy(before, cursor);
            return Ok(());
        }
        cursor.take("<");
        self.tag(cursor)
    }

    /// Writes the text that was read since `before`.
    fn copy(&mut self, before: &str, cursor: &Cursor<'_>) {
        let taken = before.len().saturating_sub(cursor.rest().len());
        self.written.push_str(before.get(..taken).unwrap_or_default());
    }

    /// Writes the start tag of an element, with expanded values of attributes, and those with a default.
    fn tag(&mut self, cursor: &mut Cursor<'d>) -> Result<(), XmlError> {
        let bad = || malformed("a tag is not well-formed");
        let name = cursor.name().ok_or_else(bad)?;
        let list = self.doctype.attributes_of(name);
        let mut names = HashSet::new();
        self.written.extend(["<", name]);
        let closing = loop {
            let blanks = cursor.blanks();
            if let Some(closing) = ["/>", ">"].into_iter().find(|closing| cursor.take(closing)) {
                break closing;
            }
            let attribute = cursor.name().filter(|_| blanks).ok_or_else(bad)?;
            cursor.blanks();
            if !cursor.take("=") {
                return Err(bad());
            }
            cursor.blanks();
            let value = self.uses.attribute_value(cursor.literal().ok_or_else(bad)?)?;
            match list {
                Some(list) => {
                    self.attribute(attribute, &list.normalized(attribute, value));
                    names.insert(attribute);
                }
                None => self.attribute(attribute, &value),
            }
        };
        for (attribute, value) in list.map(|list| list.defaults()).unwrap_or_default() {
            if !names.contains(attribute.as_str()) {
                let added = attribute.len().saturating_add(value.len());
                self.uses.bytes_left = self.uses.bytes_left.checked_sub(added).ok_or(XmlError::EntitiesTooLarge)?;
                self.attribute(attribute, value);
            }
        }
        self.written.push_str(closing);
        if closing == ">" {
            self.depth = self.depth.saturating_add(1);
        }
        Ok(())
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.written.extend([" ", name, "=\""]);
        for character in value.chars() {
            match character {
                '&' => self.written.push_str("&amp;"),
                '<' => self.written.push_str("&lt;"),
                '"' => self.written.push_str("&quot;"),
                '\t' => self.written.push_str("&#9;"),
                '\n' => self.written.push_str("&#10;"),
                '\r' => self.written.push_str("&#13;"),
                character => self.written.push(character),
            }
        }
        self.written.push('"');
    }
}

#[cfg(test)]
mod tests;
