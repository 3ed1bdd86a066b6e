//! Parts of declarations, for DTD files and for a document's own DOCTYPE.

use super::cursor::{Cursor, is_name_start};
use super::particle::{Occurrence, Particle};
use std::collections::HashSet;

/// Maximum nesting of groups of a content model.
const DEEPEST: usize = 64;

/// An attribute of an element.
#[derive(Debug)]
pub struct AttributeDeclaration {
    pub name: String,
    pub kind: AttributeKind,
    pub default: AttributeDefault,
}

/// Type of an attribute.
#[derive(Debug)]
#[cfg_attr(not(feature = "xml-validation"), allow(dead_code))]
pub enum AttributeKind {
    Text,
    Id,
    Reference { many: bool },
    Entity { many: bool },
    Token { many: bool },
    Notation(Vec<String>),
    OneOf(Vec<String>),
}

/// Default of an attribute.
#[derive(Debug)]
pub enum AttributeDefault {
    Required,
    Optional,
    /// Optional, with this default value.
    Value(String),
    /// Optional, always with this value.
    Fixed(String),
}

/// Reads `SYSTEM "path"` or `PUBLIC "name" "path"`; returns the path.
pub fn external_path<'t>(words: &mut Cursor<'t>) -> Option<&'t str> {
    if words.word("PUBLIC") {
        public_name(words)?;
    } else if !words.word("SYSTEM") {
        return None;
    }
    words.blanks().then(|| words.literal()).flatten()
}

/// Reads the name after `PUBLIC`, and the blanks before it.
pub fn public_name<'t>(words: &mut Cursor<'t>) -> Option<&'t str> {
    let name = words.blanks().then(|| words.literal()).flatten()?;
    let is_public = |byte: u8| byte.is_ascii_alphanumeric() || b" \r\n-'()+,./:=?;!*#@$_%".contains(&byte);
    name.bytes().all(is_public).then_some(name)
}

/// Reads `(#PCDATA)` or `(#PCDATA|a|b)*`; does not advance if neither is next.
pub fn mixed(words: &mut Cursor<'_>) -> Option<HashSet<String>> {
    let mut ahead = *words;
    let mut names = HashSet::new();
    if !ahead.take("(") {
        return None;
    }
    ahead.blanks();
    if !ahead.take("#PCDATA") {
        return None;
    }
    loop {
        ahead.blanks();
        if ahead.take(")") {
            break;
        }
        if !ahead.take("|") {
            return None;
        }
        ahead.blanks();
        names.insert(ahead.name()?.to_owned());
    }
    let closed = ahead.take("*") || names.is_empty();
    *words = ahead;
    closed.then_some(names)
}

/// Reads a group in parentheses; `depth` is the number of groups around it.
pub fn group(words: &mut Cursor<'_>, depth: usize) -> Option<Particle<String>> {
    if depth > DEEPEST || !words.take("(") {
        return None;
    }
    let mut parts = Vec::new();
    let mut separator = None;
    loop {
        words.blanks();
        parts.push(match words.rest().starts_with(is_name_start) {
            true => Particle::Name(words.name()?.to_owned(), occurrence(words)),
            false => group(words, depth.saturating_add(1))?,
        });
        words.blanks();
        if words.take(")") {
            break;
        }
        let here = [",", "|"].into_iter().find(|separator| words.take(separator))?;
        if *separator.get_or_insert(here) != here {
            return None;
        }
    }
    let occurrence = occurrence(words);
    Some(match separator {
        Some("|") => Particle::choice(parts, occurrence),
        Some(_) => Particle::Sequence(parts, occurrence),
        None => parts.pop()?.repeated(occurrence),
    })
}

fn occurrence(words: &mut Cursor<'_>) -> Occurrence {
    let marks = [("?", Occurrence::OPTIONAL), ("*", Occurrence::ANY), ("+", Occurrence::MANY)];
    marks.into_iter().find(|(mark, _)| words.take(mark)).map_or(Occurrence::ONCE, |(_, occurrence)| occurrence)
}

/// Reads one attribute of a list: its name, its type, its default value as written.
pub fn attribute(words: &mut Cursor<'_>) -> Option<AttributeDeclaration> {
    let name = words.name()?.to_owned();
    let kind = words.blanks().then(|| attribute_kind(words)).flatten()?;
    if !words.blanks() {
        return None;
    }
    let default = if words.word("#REQUIRED") {
        AttributeDefault::Required
    } else if words.word("#IMPLIED") {
        AttributeDefault::Optional
    } else if words.word("#FIXED") {
        AttributeDefault::Fixed(words.blanks().then(|| words.literal()).flatten()?.to_owned())
    } else {
        AttributeDefault::Value(words.literal()?.to_owned())
    };
    Some(AttributeDeclaration { name, kind, default })
}

fn attribute_kind(words: &mut Cursor<'_>) -> Option<AttributeKind> {
    if words.rest().starts_with('(') {
        return tokens(words).map(AttributeKind::OneOf);
    }
    Some(match words.name()? {
        "CDATA" => AttributeKind::Text,
        "ID" => AttributeKind::Id,
        "IDREF" => AttributeKind::Reference { many: false },
        "IDREFS" => AttributeKind::Reference { many: true },
        "ENTITY" => AttributeKind::Entity { many: false },
        "ENTITIES" => AttributeKind::Entity { many: true },
        "NMTOKEN" => AttributeKind::Token { many: false },
        "NMTOKENS" => AttributeKind::Token { many: true },
        "NOTATION" => AttributeKind::Notation(words.blanks().then(|| tokens(words)).flatten()?),
        _ => return None,
    })
}

/// Reads `(a|b|c)`.
fn tokens(words: &mut Cursor<'_>) -> Option<Vec<String>> {
    if !words.take("(") {
        return None;
    }
    let mut tokens = Vec::new();
    loop {
        words.blanks();
        tokens.push(words.token()?.to_owned());
        words.blanks();
        if words.take(")") {
            return Some(tokens);
        }
        if !words.take("|") {
            return None;
        }
    }
}
