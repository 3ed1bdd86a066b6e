//! Document type definitions: parsed once, then used for many documents.
//!
//! As in ModSecurity v3 (libxml2's `xmlValidateDtd`), the document's own DOCTYPE is ignored: the name of the root, and its declarations. Messages are
//! libxml2's.

mod attributes;
mod declarations;
mod definition;
mod error;

pub use definition::Dtd;
pub use error::DtdError;

use super::content::{self, Matcher};
use super::{XmlDocument, encoding};
use attributes::Identifiers;
use definition::Content;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use uppsala::dom::{Document, Element, NodeId, NodeKind, QName};

/// Maximum length of the list of children in a message, in bytes.
const LONGEST_LIST: usize = 500;

impl Dtd {
    /// Parses a DTD. `external` returns the text of a file that the DTD names in a parameter entity, by the path written there.
    ///
    /// # Errors
    /// If it is not a DTD.
    pub fn parse(bytes: &[u8], external: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Self, DtdError> {
        let text = encoding::decode(bytes).ok_or(DtdError::Encoding)?;
        declarations::parse(&text, &|path| encoding::decode(&external(path)?).map(|text| text.into_owned()))
    }

    /// Returns the errors of a document, at most `max`; none if it conforms.
    ///
    /// The time is linear in the document for deterministic content models, which XML requires; for others it is multiplied by the number of their
    /// parts. This work is charged to `steps`; a document for which they do not suffice does not conform.
    #[must_use]
    pub fn errors(&self, document: &XmlDocument<'_>, max: usize, steps: &Cell<usize>) -> Vec<String> {
        let mut validation = Validation {
            dtd: self,
            tree: &document.tree,
            max,
            errors: Vec::new(),
            matchers: HashMap::new(),
            identifiers: Identifiers::default(),
            steps,
        };
        for node in document.tree.descendants(document.tree.root()) {
            if validation.errors.len() >= max {
                return validation.errors;
            }
            if let Some(element) = document.tree.element(node) {
                validation.element(node, element);
            }
        }
        for error in validation.identifiers.dangling() {
            validation.error(|| error);
        }
        validation.errors
    }
}

/// The validation of one document.
struct Validation<'d> {
    dtd: &'d Dtd,
    tree: &'d Document<'d>,
    max: usize,
    errors: Vec<String>,
    /// Caches of content models, by element.
    matchers: HashMap<&'d str, Matcher<'d, String>>,
    identifiers: Identifiers<'d>,
    steps: &'d Cell<usize>,
}

impl<'d> Validation<'d> {
    fn error(&mut self, message: impl FnOnce() -> String) {
        if self.errors.len() < self.max {
            self.errors.push(message());
        }
    }

    fn element(&mut self, node: NodeId, element: &'d Element<'d>) {
        let name = &element.name;
        match by_name(&self.dtd.elements, name) {
            None => self.error(|| format!("No declaration for element {}", name.local_name)),
            Some((declared, content)) => {
                self.content(node, name, declared, content);
                self.required_attributes(element);
            }
        }
        self.attributes(element);
    }

    fn content(&mut self, node: NodeId, name: &QName<'_>, declared: &'d str, content: &'d Content) {
        match content {
            Content::Any => {}
            Content::Empty => {
                if self.tree.children_count(node) > 0 {
                    self.error(|| format!("Element {} was declared EMPTY this one has content", name.local_name));
                }
            }
            Content::Text => {
                if self.tree.children_iter(node).any(|child| self.tree.element(child).is_some()) {
                    self.error(|| format!("Element {} was declared #PCDATA but contains non text nodes", name.local_name));
                }
            }
            Content::Mixed(allowed) => {
                for child in self.tree.children_iter(node) {
                    let Some(child) = self.tree.element(child) else { continue };
                    if !allowed.contains(child.name.prefixed_name().as_ref()) && !allowed.contains(child.name.local_name.as_ref()) {
                        self.error(|| {
                            format!("Element {} is not declared in {} list of possible children", child.name.local_name, name.local_name)
                        });
                    }
                }
            }
            Content::Children(model) => {
                let children: Vec<Cow<'_, str>> = self.tree.children_iter(node).filter_map(|child| particle(self.tree, child)).collect();
                let matcher = self.matchers.entry(declared).or_insert_with(|| Matcher::new(model, self.steps));
                if matcher.judge(&children).is_err() {
                    let got = if self.tree.children_count(node) == 0 { String::new() } else { list(&children) };
                    self.error(|| {
                        let name = &name.local_name;
                        format!("Element {name} content does not follow the DTD, expecting {model}, got {got}")
                    });
                }
            }
        }
    }

    fn required_attributes(&mut self, element: &'d Element<'d>) {
        let Some((_, declarations)) = by_name(&self.dtd.attributes, &element.name) else { return };
        for declaration in declarations.iter().filter(|declaration| declaration.is_required()) {
            if !attributes_of(element).any(|(name, _)| name == declaration.name) {
                self.error(|| format!("Element {} does not carry attribute {}", element.name.local_name, declaration.name));
            }
        }
    }

    fn attributes(&mut self, element: &'d Element<'d>) {
        let declarations = by_name(&self.dtd.attributes, &element.name).map_or(&[][..], |(_, declarations)| declarations);
        for (name, value) in attributes_of(element) {
            let Some(declaration) = declarations.iter().find(|declaration| declaration.name == name) else {
                let shown = if name.starts_with("xmlns") { &name } else { name.rsplit(':').next().unwrap_or_default() };
                self.error(|| format!("No declaration for attribute {shown} of element {}", element.name.local_name));
                continue;
            };
            for error in declaration.errors(value, &element.name.local_name, self.dtd, &mut self.identifiers) {
                self.error(|| error);
            }
        }
    }
}

/// Returns the declarations for a qualified name; if there are none, as in libxml2, those for the name without its prefix.
fn by_name<'d, T>(declared: &'d HashMap<String, T>, name: &QName<'_>) -> Option<(&'d str, &'d T)> {
    let found = declared.get_key_value(name.prefixed_name().as_ref()).or_else(|| declared.get_key_value(name.local_name.as_ref()));
    found.map(|(name, value)| (name.as_str(), value))
}

/// Returns attributes and namespace declarations with their qualified names, as a DTD has them.
fn attributes_of<'e>(element: &'e Element<'_>) -> impl Iterator<Item = (String, &'e str)> {
    let written = element.attributes.iter().map(|attribute| (attribute.name.prefixed_name().into_owned(), attribute.value.as_ref()));
    let is_declaration = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
    let namespaces = element.namespace_declarations.iter().map(|(prefix, uri)| {
        let name = if prefix.is_empty() { String::from("xmlns") } else { format!("xmlns:{prefix}") };
        (name, uri.as_ref())
    });
    written.filter(move |(name, _)| !is_declaration(name)).chain(namespaces)
}

/// Returns a child as content models see it: its name, or text; `None` for blanks and comments.
fn particle<'t>(tree: &'t Document<'_>, child: NodeId) -> Option<Cow<'t, str>> {
    match tree.node_kind(child)? {
        NodeKind::Element(element) => Some(element.name.prefixed_name()),
        NodeKind::Text(text) if text.trim_ascii().is_empty() => None,
        NodeKind::Text(_) | NodeKind::CData(_) => Some(Cow::Borrowed(content::TEXT)),
        _ => None,
    }
}

/// Returns the list of an element's children, as libxml2 writes it; a long list is cut.
fn list(children: &[Cow<'_, str>]) -> String {
    let mut text = String::from("(");
    for (place, child) in children.iter().enumerate() {
        if text.len() > LONGEST_LIST {
            text.push_str(" ...");
            break;
        }
        text.push_str(if place == 0 { "" } else { " " });
        text.push_str(child);
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests;
