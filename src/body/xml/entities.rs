//! The entities of a document, and the values of attributes that use them.

use super::cursor::Cursor;
use super::error::{XmlError, malformed};
use std::collections::{HashMap, HashSet};

/// The content of an entity.
#[derive(Debug)]
pub(super) enum Entity {
    /// A text, which is parsed again at each use.
    Internal(String),
    /// XML outside of the document.
    External,
    /// Data outside of the document.
    Unparsed,
}

/// The declared entities, by name.
#[derive(Debug, Default)]
pub(super) struct Entities {
    declared: HashMap<String, Entity>,
}

/// Uses of entities: the open ones, and the number of bytes that further ones may expand to.
pub(super) struct Uses<'e> {
    entities: &'e Entities,
    open: HashSet<&'e str>,
    pub(super) bytes_left: usize,
}

impl Entities {
    /// Adds a declaration; the first of a name counts.
    pub(super) fn declare(&mut self, name: &str, entity: Entity) {
        if !self.declared.contains_key(name) {
            self.declared.insert(name.to_owned(), entity);
        }
    }
}

/// Returns the character of one of XML's five predefined entities.
pub(super) fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

impl<'e> Uses<'e> {
    pub(super) fn new(entities: &'e Entities, bytes_left: usize) -> Self {
        Uses { entities, open: HashSet::new(), bytes_left }
    }

    /// Begins to expand an entity; returns its name and its replacement text, whose length is charged at each use.
    ///
    /// # Errors
    /// For entities that are not declared, are outside of the document, use themselves, or expand to too much.
    pub(super) fn open(&mut self, name: &str) -> Result<(&'e str, &'e str), XmlError> {
        let (name, text) = match self.entities.declared.get_key_value(name) {
            Some((name, Entity::Internal(text))) => (name.as_str(), text.as_str()),
            Some((_, Entity::External)) => return Err(malformed(format!("entity {name} is outside of the document"))),
            Some((_, Entity::Unparsed)) => return Err(malformed(format!("entity {name} is not XML"))),
            None => return Err(malformed(format!("entity {name} is not declared"))),
        };
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or(XmlError::EntitiesTooLarge)?;
        if !self.open.insert(name) {
            return Err(malformed(format!("entity {name} uses itself")));
        }
        Ok((name, text))
    }

    /// Returns `true` for an entity that is XML outside of the document.
    pub(super) fn is_external(&self, name: &str) -> bool {
        matches!(self.entities.declared.get(name), Some(Entity::External))
    }

    /// Ends the expansion of an entity.
    pub(super) fn close(&mut self, name: &str) {
        self.open.remove(name);
    }

    /// Returns the value of an attribute that is written as `literal`, without the quotes: references are replaced, and all kinds of blanks become
    /// spaces, except for character references (XML 1.0, 3.3.3).
    pub(super) fn attribute_value(&mut self, literal: &str) -> Result<String, XmlError> {
        let mut value = String::with_capacity(literal.len());
        let mut texts: Vec<(Cursor<'_>, Option<&'e str>)> = vec![(Cursor::new(literal), None)];
        while let Some((cursor, entity)) = texts.last_mut() {
            value.push_str(cursor.before(&['&', '<', '\t', '\n', '\r']));
            if cursor.rest().is_empty() {
                entity.inspect(|name| self.close(name));
                texts.pop();
            } else if cursor.take("\t") || cursor.take("\n") || cursor.take("\r") {
                value.push(' ');
            } else if let Some(character) = cursor.numbered_character() {
                value.push(character);
            } else {
                let name = cursor.entity_reference().ok_or_else(|| malformed("the value of an attribute is not well-formed"))?;
                match predefined(name) {
                    Some(character) => value.push(character),
                    None => {
                        let (name, text) = self.open(name)?;
                        texts.push((Cursor::new(text), Some(name)));
                    }
                }
            }
        }
        Ok(value)
    }
}
