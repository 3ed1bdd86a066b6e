//! Checks the values of attributes against their declarations.

use super::definition::Dtd;
use crate::body::xml::cursor::{is_name_character, is_name_start};
use crate::body::xml::declaration::{AttributeDeclaration, AttributeDefault, AttributeKind};
use std::collections::HashSet;

/// The identifiers of a document, and the references to them.
#[derive(Debug, Default)]
pub struct Identifiers<'d> {
    known: HashSet<&'d str>,
    /// Identifiers, the attributes that refer to them, and the type of these.
    references: Vec<(&'d str, &'d str, &'static str)>,
}

impl AttributeDeclaration {
    pub fn is_required(&self) -> bool {
        matches!(self.default, AttributeDefault::Required)
    }

    /// Returns the errors of a value, in libxml2's words. `element` is the element's name.
    pub fn errors<'d>(&'d self, value: &'d str, element: &str, dtd: &Dtd, identifiers: &mut Identifiers<'d>) -> Vec<String> {
        let name = &self.name;
        let mut errors = Vec::new();
        if !self.kind.fits(value) {
            errors.push(format!("Syntax of value for attribute {name} of {element} is not valid"));
        }
        if let AttributeDefault::Fixed(fixed) = &self.default
            && fixed != value
        {
            errors.push(format!("Value for attribute {name} of {element} is different from default \"{fixed}\""));
            errors.push(format!("Value for attribute {name} of {element} must be \"{fixed}\""));
        }
        match &self.kind {
            AttributeKind::Id => {
                if !identifiers.known.insert(value) {
                    errors.push(format!("ID {value} already defined"));
                }
            }
            AttributeKind::Reference { many } => {
                let kind = if *many { "IDREFS" } else { "IDREF" };
                identifiers.references.extend(values(value, *many).map(|value| (value, name.as_str(), kind)));
            }
            AttributeKind::Entity { many } => {
                let kind = if *many { "ENTITIES" } else { "ENTITY" };
                for value in values(value, *many).filter(|value| !dtd.unparsed_entities.contains(*value)) {
                    errors.push(match dtd.parsed_entities.contains(value) {
                        true => format!("{kind} attribute {name} reference an entity \"{value}\" of wrong type"),
                        false => format!("{kind} attribute {name} reference an unknown entity \"{value}\""),
                    });
                }
            }
            AttributeKind::Notation(names) => {
                if !dtd.notations.contains(value) {
                    errors.push(format!("Value \"{value}\" for attribute {name} of {element} is not a declared Notation"));
                }
                if !names.iter().any(|name| name == value) {
                    errors.push(format!("Value \"{value}\" for attribute {name} of {element} is not among the enumerated notations"));
                }
            }
            AttributeKind::OneOf(tokens) => {
                if !tokens.iter().any(|token| token == value) {
                    errors.push(format!("Value \"{value}\" for attribute {name} of {element} is not among the enumerated set"));
                }
            }
            AttributeKind::Text | AttributeKind::Token { .. } => {}
        }
        errors
    }
}

impl AttributeKind {
    fn fits(&self, value: &str) -> bool {
        let is_token = |value: &str| !value.is_empty() && value.chars().all(is_name_character);
        let is_name = |value: &str| is_token(value) && value.starts_with(is_name_start);
        let all = |many: bool, fits: &dyn Fn(&str) -> bool| match many {
            true => values(value, true).next().is_some() && values(value, true).all(fits),
            false => fits(value),
        };
        match self {
            Self::Text => true,
            Self::Id | Self::Notation(_) => is_name(value),
            Self::Reference { many } | Self::Entity { many } => all(*many, &is_name),
            Self::Token { many } => all(*many, &is_token),
            Self::OneOf(_) => is_token(value),
        }
    }
}

impl Identifiers<'_> {
    /// Returns the errors of references to identifiers that no element has.
    pub fn dangling(&self) -> Vec<String> {
        let dangling = self.references.iter().filter(|(value, ..)| !self.known.contains(value));
        dangling.map(|(value, name, kind)| format!("{kind} attribute {name} references an unknown ID \"{value}\"")).collect()
    }
}

fn values(value: &str, many: bool) -> impl Iterator<Item = &str> {
    let words = many.then(|| value.split_ascii_whitespace()).into_iter().flatten();
    words.chain((!many).then_some(value))
}
