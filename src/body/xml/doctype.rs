//! A document's own DOCTYPE: its entities, and the attributes that it adds to elements.
//!
//! Nothing outside of the document is read. The rest follows XML 1.0 for processors that do not validate: entities and attribute lists of the
//! internal subset count, the first declaration wins, and all of it must be well-formed. Parsers disagree about the declarations after a reference to
//! a parameter entity (expat skips them, libxml2 reads them), so such a reference is an error here.

use super::cursor::Cursor;
use super::declaration::{self, AttributeDefault, AttributeKind};
use super::entities::{Entities, Entity, Uses};
use super::error::{XmlError, malformed};
use std::collections::HashMap;

/// Declarations of a DOCTYPE.
#[derive(Debug, Default)]
pub(super) struct Doctype {
    pub(super) entities: Entities,
    attributes: HashMap<String, AttributeList>,
}

/// Declared attributes of an element.
#[derive(Debug, Default)]
pub(super) struct AttributeList {
    /// `true` if the values of an attribute are tokens, so that blanks between them do not count.
    words: HashMap<String, bool>,
    /// Names and values of attributes with a default, in the order of their declarations.
    defaults: Vec<(String, String)>,
}

/// Returns the place of the DOCTYPE in a document, if it has one at an allowed position.
pub(super) fn find(text: &str) -> Option<usize> {
    let mut cursor = Cursor::new(text);
    loop {
        cursor.blanks();
        let closing = match cursor.rest().as_bytes() {
            [b'<', b'!', b'-', b'-', ..] => "-->",
            [b'<', b'?', ..] => "?>",
            _ => break,
        };
        cursor.until(closing)?;
    }
    cursor.rest().starts_with("<!DOCTYPE").then(|| text.len().saturating_sub(cursor.rest().len()))
}

impl Doctype {
    /// Parses the DOCTYPE at the start of a text; the text after it stays.
    ///
    /// `attributes_limit` is the maximum number of declared attributes of one element. Entities within default values are charged to `bytes_left`.
    pub(super) fn read(cursor: &mut Cursor<'_>, attributes_limit: usize, bytes_left: &mut usize) -> Result<Self, XmlError> {
        let bad = || malformed("the DOCTYPE is not well-formed");
        if !cursor.take("<!DOCTYPE") || !cursor.blanks() || cursor.name().is_none() {
            return Err(bad());
        }
        if cursor.blanks() && (cursor.rest().starts_with("SYSTEM") || cursor.rest().starts_with("PUBLIC")) {
            declaration::external_path(cursor).ok_or_else(bad)?;
            cursor.blanks();
        }
        let mut doctype = Doctype::default();
        if cursor.take("[") {
            doctype.internal_subset(cursor, attributes_limit, bytes_left)?;
            cursor.blanks();
        }
        if cursor.take(">") { Ok(doctype) } else { Err(bad()) }
    }

    /// Returns the declared attributes of an element, if there are any.
    pub(super) fn attributes_of(&self, element: &str) -> Option<&AttributeList> {
        self.attributes.get(element)
    }

    /// Parses declarations up to the `]` after them.
    fn internal_subset(&mut self, cursor: &mut Cursor<'_>, attributes_limit: usize, bytes_left: &mut usize) -> Result<(), XmlError> {
        loop {
            cursor.blanks();
            if cursor.take("]") {
                return Ok(());
            }
            if cursor.rest().starts_with('%') {
                return Err(malformed("the DOCTYPE refers to a parameter entity"));
            }
            let is_whole = if cursor.take("<!--") {
                cursor.until("--").is_some() && cursor.take(">")
            } else if cursor.take("<?") {
                instruction(cursor)
            } else if cursor.take("<!ELEMENT") {
                element(cursor)
            } else if cursor.take("<!ATTLIST") {
                self.attribute_list(cursor, attributes_limit, bytes_left)?
            } else if cursor.take("<!ENTITY") {
                self.entity(cursor)
            } else {
                cursor.take("<!NOTATION") && notation(cursor)
            };
            if !is_whole {
                return Err(malformed("a declaration is not well-formed"));
            }
        }
    }

    /// Adds an entity; returns `false` if its declaration is not well-formed.
    fn entity(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let mut is_parameter = false;
        let mut read = || {
            let mut begins = cursor.blanks();
            if begins && cursor.take("%") {
                is_parameter = true;
                begins = cursor.blanks();
            }
            let name = cursor.name().filter(|_| begins)?;
            if !cursor.blanks() {
                return None;
            }
            if cursor.rest().starts_with(['"', '\'']) {
                return Some((name, Entity::Internal(replacement_text(cursor.literal()?)?)));
            }
            declaration::external_path(cursor)?;
            let mut ahead = *cursor;
            if !is_parameter && ahead.blanks() && ahead.word("NDATA") {
                *cursor = ahead;
                return cursor.blanks().then(|| cursor.name()).flatten().map(|_| (name, Entity::Unparsed));
            }
            Some((name, Entity::External))
        };
        let Some((name, entity)) = read() else { return false };
        if !is_parameter {
            self.entities.declare(name, entity);
        }
        cursor.blanks();
        cursor.take(">")
    }

    /// Adds an attribute list; returns `false` if it is not well-formed.
    fn attribute_list(&mut self, cursor: &mut Cursor<'_>, limit: usize, bytes_left: &mut usize) -> Result<bool, XmlError> {
        let Some(element) = cursor.blanks().then(|| cursor.name()).flatten() else { return Ok(false) };
        let list = self.attributes.entry(element.to_owned()).or_default();
        loop {
            let blanks = cursor.blanks();
            if cursor.take(">") {
                return Ok(true);
            }
            let Some(attribute) = blanks.then(|| declaration::attribute(cursor)).flatten() else { return Ok(false) };
            let is_words = !matches!(attribute.kind, AttributeKind::Text);
            let default = match &attribute.default {
                AttributeDefault::Value(value) | AttributeDefault::Fixed(value) => {
                    let mut uses = Uses::new(&self.entities, *bytes_left);
                    let value = uses.attribute_value(value)?;
                    *bytes_left = uses.bytes_left;
                    Some(if is_words { words(&value) } else { value })
                }
                AttributeDefault::Required | AttributeDefault::Optional => None,
            };
            if list.words.contains_key(&attribute.name) {
                continue;
            }
            if list.words.len() >= limit {
                return Err(XmlError::TooManyAttributes);
            }
            list.defaults.extend(default.map(|value| (attribute.name.clone(), value)));
            list.words.insert(attribute.name, is_words);
        }
    }
}

impl AttributeList {
    /// Returns a value normalized for the attribute's type.
    pub(super) fn normalized(&self, attribute: &str, value: String) -> String {
        if self.words.get(attribute).copied().unwrap_or(false) { words(&value) } else { value }
    }

    /// Returns names and values of an element's attributes with a default.
    pub(super) fn defaults(&self) -> &[(String, String)] {
        &self.defaults
    }
}

/// Normalizes a value of tokens: one blank between two (XML 1.0, 3.3.3).
fn words(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns the replacement text of an entity: character references are replaced, all other references stay (XML 1.0, 4.5).
fn replacement_text(literal: &str) -> Option<String> {
    let mut text = String::with_capacity(literal.len());
    let mut cursor = Cursor::new(literal);
    loop {
        text.push_str(cursor.before(&['&', '%']));
        if cursor.rest().is_empty() {
            return Some(text);
        }
        match cursor.numbered_character() {
            Some(character) => text.push(character),
            None => {
                let name = cursor.entity_reference()?;
                text.extend(["&", name, ";"]);
            }
        }
    }
}

/// Parses a processing instruction after its `<?`.
fn instruction(cursor: &mut Cursor<'_>) -> bool {
    let is_named = cursor.name().is_some_and(|name| !name.eq_ignore_ascii_case("xml"));
    is_named && (cursor.take("?>") || cursor.blanks() && cursor.until("?>").is_some())
}

fn element(cursor: &mut Cursor<'_>) -> bool {
    let begins = cursor.blanks() && cursor.name().is_some() && cursor.blanks();
    let content = begins
        && (cursor.word("EMPTY") || cursor.word("ANY") || declaration::mixed(cursor).is_some() || declaration::group(cursor, 0).is_some());
    cursor.blanks();
    content && cursor.take(">")
}

fn notation(cursor: &mut Cursor<'_>) -> bool {
    if !cursor.blanks() || cursor.name().is_none() || !cursor.blanks() {
        return false;
    }
    let mut with_path = *cursor;
    if declaration::external_path(&mut with_path).is_some() {
        *cursor = with_path;
    } else if !cursor.word("PUBLIC") || declaration::public_name(cursor).is_none() {
        return false;
    }
    cursor.blanks();
    cursor.take(">")
}
