//! Parses the declarations of a DTD: elements, attributes, entities, notations; conditional sections and parameter entities are resolved.

use super::definition::{Content, Dtd};
use super::error::DtdError;
use crate::body::xml::content::ContentModel;
use crate::body::xml::cursor::Cursor;
use crate::body::xml::declaration::{attribute, external_path, group, mixed};
use std::collections::HashMap;

/// Maximum nesting of parameter entities and sections.
const DEEPEST: usize = 64;

/// Maximum number of bytes that all parameter entities together expand to.
const LARGEST_EXPANSION: usize = 4 << 20;

/// Parses a DTD; `external` returns the text of files that parameter entities name.
pub fn parse(text: &str, external: &dyn Fn(&str) -> Option<String>) -> Result<Dtd, DtdError> {
    let mut parser = Parser { dtd: Dtd::default(), external, entities: HashMap::new(), room: LARGEST_EXPANSION };
    let mut cursor = Cursor::new(text);
    parser.declarations(&mut cursor, 0).map_err(|Wrong(reason)| {
        let read = text.len().saturating_sub(cursor.rest().len());
        let line = text.bytes().take(read).filter(|byte| *byte == b'\n').count().saturating_add(1);
        DtdError::Syntax { line, reason }
    })?;
    Ok(parser.dtd)
}

/// The error in a declaration.
struct Wrong(String);

struct Parser<'p> {
    dtd: Dtd,
    external: &'p dyn Fn(&str) -> Option<String>,
    entities: HashMap<String, ParameterEntity>,
    room: usize,
}

#[derive(Clone)]
enum ParameterEntity {
    Text(String),
    File(String),
}

impl Parser<'_> {
    /// Parses declarations up to the end of the text. On an error the cursor stays before it.
    fn declarations(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Wrong> {
        loop {
            cursor.blanks();
            if cursor.rest().is_empty() {
                return Ok(());
            }
            let mut ahead = *cursor;
            self.declaration(&mut ahead, depth)?;
            *cursor = ahead;
        }
    }

    fn declaration(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Wrong> {
        if cursor.take("<!--") {
            return cursor.until("-->").map(|_| ()).ok_or_else(|| wrong("a comment is not closed"));
        }
        if cursor.take("<?") {
            return cursor.until("?>").map(|_| ()).ok_or_else(|| wrong("a processing instruction is not closed"));
        }
        if cursor.take("<![") {
            return self.section(cursor, depth);
        }
        if cursor.take("%") {
            let name = cursor.name().filter(|_| cursor.take(";")).ok_or_else(|| wrong("a reference is not complete"))?;
            let text = self.entity(name, depth)?;
            return self.declarations(&mut Cursor::new(&text), depth.saturating_add(1));
        }
        if !cursor.take("<!") {
            return Err(wrong("expected a declaration"));
        }
        let keyword = cursor.name().ok_or_else(|| wrong("expected a declaration"))?;
        let inside = inside(cursor).ok_or_else(|| Wrong(format!("<!{keyword} is not closed")))?;
        let expanded = self.expand(inside, depth)?;
        let mut words = Cursor::new(&expanded);
        if !words.blanks() {
            return Err(Wrong(format!("<!{keyword} lacks a blank after it")));
        }
        match keyword {
            "ELEMENT" => self.element(words),
            "ATTLIST" => self.attributes(words),
            "ENTITY" => self.entity_declaration(words, depth),
            "NOTATION" => {
                let name = words.name().ok_or_else(|| wrong("a notation lacks its name"))?;
                self.dtd.notations.insert(name.to_owned());
                Ok(())
            }
            _ => Err(Wrong(format!("<!{keyword} is not a declaration"))),
        }
    }

    /// Parses `<![INCLUDE[…]]>` and `<![IGNORE[…]]>`.
    fn section(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Wrong> {
        let keyword = cursor.until("[").ok_or_else(|| wrong("a section is not complete"))?;
        let keyword = self.expand(keyword, depth)?;
        let body = section_body(cursor).ok_or_else(|| wrong("a section is not closed"))?;
        match keyword.trim() {
            "IGNORE" => Ok(()),
            "INCLUDE" if depth < DEEPEST => self.declarations(&mut Cursor::new(body), depth.saturating_add(1)),
            "INCLUDE" => Err(wrong("sections are nested too deeply")),
            other => Err(Wrong(format!("`{other}` is not a section"))),
        }
    }

    fn element(&mut self, mut words: Cursor<'_>) -> Result<(), Wrong> {
        let name = words.name().ok_or_else(|| wrong("an element lacks its name"))?;
        let bad = || Wrong(format!("the content of element {name} is not well declared"));
        words.blanks();
        let content = if words.word("EMPTY") {
            Content::Empty
        } else if words.word("ANY") {
            Content::Any
        } else if let Some(names) = mixed(&mut words) {
            if names.is_empty() { Content::Text } else { Content::Mixed(names) }
        } else {
            let particle = group(&mut words, 0).ok_or_else(bad)?;
            Content::Children(ContentModel::new(particle).ok_or_else(|| Wrong(format!("the content of element {name} is too large")))?)
        };
        words.blanks();
        if !words.rest().is_empty() {
            return Err(bad());
        }
        // As in libxml2, the first declaration counts.
        self.dtd.elements.entry(name.to_owned()).or_insert(content);
        Ok(())
    }

    fn attributes(&mut self, mut words: Cursor<'_>) -> Result<(), Wrong> {
        let element = words.name().ok_or_else(|| wrong("a list of attributes lacks its element"))?;
        loop {
            words.blanks();
            if words.rest().is_empty() {
                return Ok(());
            }
            let attribute =
                attribute(&mut words).ok_or_else(|| Wrong(format!("an attribute of element {element} is not well declared")))?;
            let known = self.dtd.attributes.entry(element.to_owned()).or_default();
            if !known.iter().any(|known| known.name == attribute.name) {
                known.push(attribute);
            }
        }
    }

    fn entity_declaration(&mut self, mut words: Cursor<'_>, depth: usize) -> Result<(), Wrong> {
        let of_parameters = words.take("%");
        words.blanks();
        let name = words.name().ok_or_else(|| wrong("an entity lacks its name"))?;
        words.blanks();
        let bad = || Wrong(format!("entity {name} is not well declared"));
        let entity = match external_path(&mut words) {
            Some(path) => ParameterEntity::File(path.to_owned()),
            None => ParameterEntity::Text(self.entity_value(words.literal().ok_or_else(bad)?, depth)?),
        };
        words.blanks();
        let unparsed = !of_parameters && matches!(entity, ParameterEntity::File(_)) && words.word("NDATA");
        if unparsed {
            words.blanks();
            words.name().ok_or_else(bad)?;
            words.blanks();
        }
        if !words.rest().is_empty() {
            return Err(bad());
        }
        match (of_parameters, unparsed) {
            (true, _) => {
                self.entities.entry(name.to_owned()).or_insert(entity);
            }
            (false, true) => {
                self.dtd.unparsed_entities.insert(name.to_owned());
            }
            (false, false) => {
                self.dtd.parsed_entities.insert(name.to_owned());
            }
        }
        Ok(())
    }

    /// Expands parameter entities in a text, except for those in quotes.
    fn expand(&mut self, text: &str, depth: usize) -> Result<String, Wrong> {
        let mut expanded = String::with_capacity(text.len());
        let mut quote = None;
        let mut cursor = Cursor::new(text);
        while let Some(c) = cursor.rest().chars().next() {
            match (quote, reference(cursor)) {
                (None, Some((name, behind))) => {
                    let replacement = self.entity(name, depth)?;
                    expanded.push(' ');
                    expanded.push_str(&self.expand(&replacement, depth.saturating_add(1))?);
                    expanded.push(' ');
                    cursor = behind;
                    continue;
                }
                (None, None) if matches!(c, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                _ => {}
            }
            expanded.push(c);
            cursor.take(c.encode_utf8(&mut [0; 4]));
        }
        Ok(expanded)
    }

    /// Returns the value of an entity, with parameter entities expanded and character references replaced.
    fn entity_value(&mut self, text: &str, depth: usize) -> Result<String, Wrong> {
        let mut value = String::with_capacity(text.len());
        let mut cursor = Cursor::new(text);
        while let Some(c) = cursor.rest().chars().next() {
            if let Some((name, behind)) = reference(cursor) {
                let replacement = self.entity(name, depth)?;
                value.push_str(&replacement);
                cursor = behind;
            } else if let Some(numbered) = cursor.numbered_character() {
                value.push(numbered);
            } else {
                value.push(c);
                cursor.take(c.encode_utf8(&mut [0; 4]));
            }
        }
        Ok(value)
    }

    /// Returns the text of a parameter entity.
    fn entity(&mut self, name: &str, depth: usize) -> Result<String, Wrong> {
        if depth >= DEEPEST {
            return Err(wrong("parameter entities are nested too deeply"));
        }
        let text = match self.entities.get(name) {
            None => return Err(Wrong(format!("there is no parameter entity {name}"))),
            Some(ParameterEntity::Text(text)) => text.clone(),
            Some(ParameterEntity::File(path)) => (self.external)(path)
                .ok_or_else(|| Wrong(format!("`{path}`, which the entity {name} names, cannot be read beside the DTD")))?,
        };
        self.room = self.room.checked_sub(text.len().max(1)).ok_or_else(|| wrong("parameter entities become too large"))?;
        Ok(text)
    }
}

fn wrong(reason: &str) -> Wrong {
    Wrong(reason.to_owned())
}

/// Reads the text before the `>` that closes a declaration.
fn inside<'t>(cursor: &mut Cursor<'t>) -> Option<&'t str> {
    let text = cursor.rest();
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'>') => {
                let inside = text.get(..at)?;
                cursor.take(inside);
                cursor.take(">");
                return Some(inside);
            }
            _ => {}
        }
    }
    None
}

/// Reads the text before the `]]>` that closes a section, with the sections in it.
fn section_body<'t>(cursor: &mut Cursor<'t>) -> Option<&'t str> {
    let text = cursor.rest();
    let mut open = 1_usize;
    let mut at = 0;
    while open > 0 {
        let rest = text.get(at..)?;
        let end = rest.find("]]>")?;
        let start = rest.find("<![").filter(|start| *start < end);
        (at, open) = match start {
            Some(start) => (at.saturating_add(start).saturating_add(3), open.saturating_add(1)),
            None => (at.saturating_add(end).saturating_add(3), open.saturating_sub(1)),
        };
    }
    let body = text.get(..at.checked_sub(3)?)?;
    cursor.take(body);
    cursor.take("]]>");
    Some(body)
}

/// Reads `%name;`.
fn reference(mut cursor: Cursor<'_>) -> Option<(&str, Cursor<'_>)> {
    let name = cursor.take("%").then(|| cursor.name()).flatten()?;
    cursor.take(";").then_some((name, cursor))
}
