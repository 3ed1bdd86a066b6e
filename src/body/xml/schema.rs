//! XML Schema: parsed once, then used for many documents.

pub use error::SchemaError;

use super::{XmlDocument, doctype, parse_tree};
use explain::Explainer;
use models::Models;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use uppsala::dom::{Document, NodeId};
use uppsala::error::ValidationError;
use uppsala::xsd::XsdValidator;

mod documents;
mod error;
mod explain;
mod models;
mod order;
mod relaxed;

/// An XML schema.
pub struct Schema {
    /// The order and number of children.
    models: Models,
    /// All other rules.
    validator: XsdValidator,
    tree: Document<'static>,
}

/// Maximum length of a document whose errors are put into libxml2's words: finding the place of each takes time linear in the document.
const LONGEST_EXPLAINED: usize = 64 << 10;

/// Maximum nesting of elements in a document: the validator uses a part of the stack for each level.
const DEEPEST: usize = 100;

impl Schema {
    /// Parses a schema. `read` returns the documents that it includes or imports, by their paths from the folder of the schema.
    ///
    /// # Errors
    /// If it is not a schema, or one that cannot be used.
    pub fn parse(bytes: &[u8], read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Self, SchemaError> {
        let tree = documents::parse(bytes)?;
        let parts = documents::gather(&tree, read)?;
        let models = models::build(&parts)?;
        let validator = relaxed::validator(&parts, &models)?;
        Ok(Self { models, validator, tree })
    }

    /// Returns `true` if a document conforms. A document with more than 100 levels of elements does not, because it cannot be checked, nor does one
    /// for which `steps` do not suffice: ambiguous content models charge their work to them.
    #[must_use]
    pub fn accepts(&self, document: &XmlDocument<'_>, steps: &Cell<usize>) -> bool {
        !is_too_deep(&document.tree) && self.errors(&document.tree, steps).is_empty()
    }

    /// Returns the errors of a document, at most `max`, in libxml2's words as far as possible; `body` is the document's text.
    ///
    /// It takes longer than [`Schema::accepts`]: for logs only.
    #[must_use]
    pub fn explain(&self, document: &XmlDocument<'_>, body: &[u8], max: usize, steps: &Cell<usize>) -> Vec<String> {
        if is_too_deep(&document.tree) {
            return vec![format!("The document has more than {DEEPEST} levels of elements.")];
        }
        let errors = self.errors(&document.tree, steps);
        let placed = std::str::from_utf8(body).ok().filter(|body| body.len() <= LONGEST_EXPLAINED && errors.len() <= max);
        // The tree of a document with a DOCTYPE is that of another text.
        let placed = placed.filter(|text| doctype::find(text).is_none());
        let placed = placed.and_then(|text| Some((text, parse_tree(text, &document.limits).ok()?)));
        match &placed {
            Some((text, tree)) => Explainer { schema: &self.tree, document: tree, text }.explain(&self.errors(tree, steps)),
            None => errors.into_iter().take(max).map(|error| error.message).collect(),
        }
    }
}

impl Schema {
    /// Returns all errors of a document, in the order of their places.
    fn errors(&self, tree: &Document<'_>, steps: &Cell<usize>) -> Vec<ValidationError> {
        let mut errors = order::errors(&self.models, tree, steps);
        errors.extend(self.validator.validate(tree));
        errors.sort_by_key(|error| (error.line, error.column));
        errors
    }
}

fn is_too_deep(tree: &Document<'_>) -> bool {
    // Parents come before their children.
    let mut levels: HashMap<NodeId, usize> = HashMap::new();
    tree.descendants(tree.root()).into_iter().filter(|node| tree.element(*node).is_some()).any(|node| {
        let above = tree.parent(node).and_then(|parent| levels.get(&parent)).copied().unwrap_or(0);
        let level = above.saturating_add(1);
        levels.insert(node, level);
        level > DEEPEST
    })
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
