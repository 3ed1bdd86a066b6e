//! The entities of a document, and the values of attributes that use them.

use super::cursor::Cursor;
use super::error::{XmlError, malformed};
use std::collections::{HashMap, HashSet};

/// What an entity stands for.
#[derive(Debug)]
pub(super) enum Entity {
    /// A text, which is read anew wherever the entity is used.
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

/// The uses of entities: which are open, and how much they may still stand for.
pub(super) struct Uses<'e> {
    entities: &'e Entities,
    open: HashSet<&'e str>,
    pub(super) bytes_left: usize,
}

impl Entities {
    /// Takes in a declaration; the first of a name counts.
    pub(super) fn declare(&mut self, name: &str, entity: Entity) {
        if !self.declared.contains_key(name) {
            self.declared.insert(name.to_owned(), entity);
        }
    }
}

/// The character that one of XML's own five entities stands for.
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

    /// Begins to use an entity; gives its name and its replacement text, which counts each time.
    ///
    /// # Errors
    /// For entities that nobody declared, that lie outside of the document, that use themselves, or that stand for too much.
    pub(super) fn open(&mut self, name: &str) -> Result<(&'e str, &'e str), XmlError> {
        let (name, text) = match self.entities.declared.get_key_value(name) {
            Some((name, Entity::Internal(text))) => (name.as_str(), text.as_str()),
            Some((_, Entity::External)) => return Err(malformed(format!("entity {name} lies outside of the document"))),
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

    /// Ends the use of an entity.
    pub(super) fn close(&mut self, name: &str) {
        self.open.remove(name);
    }

    /// The value of an attribute that is written as `literal`, without the quotes: references are replaced, and blanks of all kinds are
    /// blanks, but for numbered ones (XML 1.0, 3.3.3).
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
