//! XML bodies: a tree, the values that XPath expressions select from it, and, with the feature `xml-validation`, grammars to validate it.

#[cfg(feature = "xml-validation")]
mod content;
mod cursor;
mod declaration;
mod doctype;
#[cfg(feature = "xml-validation")]
mod dtd;
mod encoding;
mod entities;
mod error;
mod expand;
mod guard;
mod limits;
mod particle;
#[cfg(feature = "xml-validation")]
mod schema;

#[cfg(feature = "xml-validation")]
pub use dtd::{Dtd, DtdError};
pub use error::{XPathError, XmlError};
pub use limits::XmlLimits;
#[cfg(feature = "xml-validation")]
pub use schema::{Schema, SchemaError};

use std::borrow::Cow;

use uppsala::dom::{Document, NodeId, NodeKind};
use uppsala::parser::Parser;
use uppsala::xpath::{XPathEvaluator, XPathValue};

/// A parsed XML body.
///
/// Entities expand as the document declares them, and attributes have the default values that it declares. Nothing outside of the document is read:
/// see [`XmlDocument::unread_entity`]. As in v3, comments and processing instructions are not text, CDATA is, and prefixes without a declaration are
/// allowed. Of a document that is not well-formed, such as one with an undeclared entity, v3 sees the part before the error; here nothing can be
/// selected from it.
#[derive(Debug)]
pub struct XmlDocument<'a> {
    tree: Document<'a>,
    limits: XmlLimits,
    unread_entity: Option<String>,
}

impl<'a> XmlDocument<'a> {
    /// Parses a body in the encoding of its byte order mark or its XML declaration, or UTF-8.
    pub fn parse(body: &'a [u8], limits: &XmlLimits) -> Result<Self, XmlError> {
        let text = encoding::decode(body).ok_or(XmlError::Encoding)?;
        let text = guard::with_line_feeds(text);
        guard::check(&text, limits)?;
        let (text, unread_entity) = match expand::without_doctype(&text, limits)? {
            Some(expanded) => {
                guard::check(&expanded.text, limits)?;
                (Cow::Owned(expanded.text), expanded.unread_entity)
            }
            None => (guard::with_blanks_in_attributes(&text).map_or(text, Cow::Owned), None),
        };
        let tree = match text {
            Cow::Borrowed(text) => parse_tree(text, limits)?,
            Cow::Owned(text) => parse_tree(&text, limits)?.into_static(),
        };
        Ok(XmlDocument { tree, limits: *limits, unread_entity })
    }

    /// Returns the name of an entity outside of the document that the content uses; it expands to nothing.
    pub fn unread_entity(&self) -> Option<&str> {
        self.unread_entity.as_deref()
    }

    /// Returns `XML:/*`: all text in the document.
    pub fn text(&self) -> String {
        self.tree.document_element().map(|element| self.tree.text_content_deep(element)).unwrap_or_default()
    }

    /// Returns `XML://@*`: the value of each attribute, in document order. Namespace declarations are not attributes.
    pub fn attributes(&self) -> Vec<&str> {
        let elements = self.tree.descendants(self.tree.root()).into_iter().filter_map(|node| self.tree.element(node));
        elements
            .flat_map(|element| &element.attributes)
            .filter(|attribute| attribute.name.prefix.as_deref() != Some("xmlns") && attribute.name.local_name != "xmlns")
            .map(|attribute| attribute.value.as_ref())
            .collect()
    }

    /// Returns the values that an XPath 1.0 expression selects, one for each node, in document order.
    ///
    /// `namespaces` are pairs of prefix and URI (the `xmlns` action). As in v3, expressions with a number, a string or a truth value as result select
    /// nothing.
    pub fn select(&mut self, xpath: &str, namespaces: &[(&str, &str)]) -> Result<Vec<String>, XPathError> {
        match xpath {
            "/*" => return Ok(vec![self.text()]),
            "//@*" => return Ok(self.attributes().into_iter().map(str::to_owned).collect()),
            _ => self.tree.prepare_xpath(),
        }
        let mut evaluator = XPathEvaluator::new().with_max_node_visits(self.limits.xpath_visits);
        for (prefix, uri) in namespaces {
            evaluator.add_namespace(*prefix, *uri);
        }
        let selected = evaluator.evaluate(&self.tree, self.tree.root(), xpath).map_err(|error| match error {
            // The evaluator has no separate kind for this error.
            uppsala::error::XmlError::XPath(error) if error.message.contains("maximum node visit budget") => {
                XPathError::TooManyVisits(self.limits.xpath_visits)
            }
            error => XPathError::Failed(error.to_string()),
        })?;
        let XPathValue::NodeSet(nodes) = selected else { return Ok(Vec::new()) };
        let mut bytes_left = self.limits.xpath_bytes;
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            let value = self.value(node);
            bytes_left = bytes_left.checked_sub(value.len()).ok_or(XPathError::TooLarge(self.limits.xpath_bytes))?;
            values.push(value);
        }
        Ok(values)
    }

    fn value(&self, node: NodeId) -> String {
        match self.tree.node_kind(node) {
            Some(NodeKind::Attribute(_, value)) => value.to_string(),
            Some(NodeKind::Comment(text)) => text.to_string(),
            Some(NodeKind::ProcessingInstruction(instruction)) => instruction.data.as_deref().unwrap_or_default().to_owned(),
            _ => self.tree.text_content_deep(node),
        }
    }
}

impl XmlDocument<'_> {
    /// Returns the same document, independent of the body.
    pub fn into_static(self) -> XmlDocument<'static> {
        XmlDocument { tree: self.tree.into_static(), limits: self.limits, unread_entity: self.unread_entity }
    }
}

/// Checks an XPath expression at load: `namespaces` are those of the rule.
pub fn check_xpath(xpath: &str, namespaces: &[(&str, &str)]) -> Result<(), XPathError> {
    let limits = XmlLimits::default();
    let tree = parse_tree("<a/>", &limits).map_err(|error| XPathError::Failed(error.to_string()))?;
    XmlDocument { tree, limits, unread_entity: None }.select(xpath, namespaces).map(|_| ())
}

/// Parses text without a DOCTYPE, with namespaces, or without them if a prefix was not declared.
fn parse_tree<'a>(text: &'a str, limits: &XmlLimits) -> Result<Document<'a>, XmlError> {
    let parse =
        |namespace_aware| Parser::with_namespace_aware(namespace_aware).with_max_depth(limits.depth).with_forbid_dtd(true).parse(text);
    let tree = match parse(true) {
        Err(uppsala::error::XmlError::Namespace(_)) => parse(false),
        result => result,
    };
    tree.map_err(|error| XmlError::Malformed { reason: error.to_string() })
}

#[cfg(test)]
mod tests;
