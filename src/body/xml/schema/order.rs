//! Checks the order and number of children.

use super::models::{Content, Item, Kind, Models, expanded};
use crate::body::xml::content::{Label as _, Matcher};
use std::cell::Cell;
use std::collections::HashMap;
use uppsala::dom::{Document, Element, NodeId};
use uppsala::error::ValidationError;
use uppsala::xsd::XSI_NAMESPACE;

/// Returns the errors in order and number of children in a document, in the words of the library that checks the rest. Ambiguous content models
/// charge their work to `steps`.
pub fn errors(models: &Models, tree: &Document<'_>, steps: &Cell<usize>) -> Vec<ValidationError> {
    let mut errors = Vec::new();
    let mut matchers = HashMap::new();
    let root = tree.document_element().and_then(|root| Some((root, *models.elements.get(&name(tree.element(root)?))?)));
    let mut open: Vec<(NodeId, Kind)> = root.into_iter().collect();
    while let Some((node, declared)) = open.pop() {
        let Some(element) = tree.element(node) else { continue };
        let kind = declared_type(models, tree, node, element).unwrap_or(declared);
        let is_nil = element.get_attribute_ns(XSI_NAMESPACE, "nil").is_some_and(|nil| matches!(nil.trim(), "true" | "1"));
        if is_nil || matches!(kind, Kind::Simple) {
            continue;
        }
        let children: Vec<(NodeId, String)> =
            tree.children_iter(node).filter_map(|child| Some((child, name(tree.element(child)?)))).collect();
        let complex = match kind {
            Kind::Complex(number) => models.complex.get(number).map(|complex| (number, complex)),
            _ => None,
        };
        if let Some((number, complex)) = complex {
            let names: Vec<&str> = children.iter().map(|(_, name)| name.as_str()).collect();
            let judged = match &complex.content {
                Content::Free => Ok(()),
                Content::Ordered(model) => matchers.entry(number).or_insert_with(|| Matcher::new(model, steps)).judge(&names),
                Content::All { items, optional } => judge_all(items, *optional, &names),
            };
            if let Err(place) = judged {
                errors.push(error(tree, node, children.get(place).map(|(child, _)| *child)));
            }
        }
        open.extend(children.into_iter().rev().filter_map(|(child, name)| {
            let global = || models.elements.get(&name).copied();
            let Some((_, complex)) = complex else { return Some((child, global().unwrap_or(Kind::Any))) };
            match complex.children.get(&name) {
                Some(kind) => Some((child, *kind)),
                None if complex.skipped.iter().any(|wildcard| wildcard.takes(&name)) => None,
                None => Some((child, global()?)),
            }
        }));
    }
    errors
}

fn name(element: &Element<'_>) -> String {
    expanded(element.name.namespace_uri.as_deref(), &element.name.local_name)
}

/// Returns the type that an element itself names.
fn declared_type(models: &Models, tree: &Document<'_>, node: NodeId, element: &Element<'_>) -> Option<Kind> {
    let declared = element.get_attribute_ns(XSI_NAMESPACE, "type")?.trim();
    let (prefix, local) = declared.split_once(':').unwrap_or(("", declared));
    let around = std::iter::once(node).chain(tree.ancestors(node));
    let mut declarations = around.filter_map(|node| tree.element(node)).flat_map(|element| &element.namespace_declarations);
    let namespace = declarations.find(|(declared, _)| declared == prefix).map(|(_, uri)| uri.as_ref());
    models.types.get(&expanded(namespace, local)).map(|number| Kind::Complex(*number))
}

/// Checks children like [`Matcher::judge`].
fn judge_all(items: &[(Item, bool)], optional: bool, children: &[&str]) -> Result<(), usize> {
    if optional && children.is_empty() {
        return Ok(());
    }
    let mut seen = vec![false; items.len()];
    for (place, child) in children.iter().enumerate() {
        let item = items.iter().position(|(item, _)| item.takes(child));
        match item.and_then(|item| seen.get_mut(item)) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(place),
        }
    }
    let is_missing = |((_, required), seen): (&(Item, bool), &bool)| *required && !seen;
    if items.iter().zip(&seen).any(is_missing) { Err(children.len()) } else { Ok(()) }
}

/// Describes a misplaced child, or a child that its parent lacks.
fn error(tree: &Document<'_>, parent: NodeId, child: Option<NodeId>) -> ValidationError {
    let (node, message) = match child {
        Some(child) => (child, format!("Unexpected element '{}'", tree.element(child).map_or("", |element| &element.name.local_name))),
        None => (parent, String::from("Expected at least one more element")),
    };
    ValidationError { message, line: Some(tree.node_line(node)), column: Some(tree.node_column(node)) }
}
