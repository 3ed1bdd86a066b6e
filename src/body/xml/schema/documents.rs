//! The documents of a schema: an included one becomes part of the document that includes it, an imported one stays separate.

use super::error::SchemaError;
use crate::body::xml::{XmlLimits, encoding, expand, guard, parse_tree};
use std::borrow::Cow;
use std::collections::HashSet;
use uppsala::dom::{Document, NodeId, QName};
use uppsala::xsd::XS_NAMESPACE;

/// Maximum number of documents of a schema.
const MAX_DOCUMENTS: usize = 200;

/// Reads a file by its path from the folder of the schema.
pub type Read<'r> = &'r dyn Fn(&str) -> Option<Vec<u8>>;

/// All declarations of one namespace. Each local declaration states its form, and each type has a name.
pub struct Part {
    pub namespace: Option<String>,
    pub tree: Document<'static>,
}

/// Parses a document of a schema, as every XML body is parsed.
pub fn parse(bytes: &[u8]) -> Result<Document<'static>, SchemaError> {
    let text = encoding::decode(bytes).ok_or(SchemaError::Malformed)?;
    let text = guard::with_line_feeds(text);
    let limits = XmlLimits::default();
    let expanded = expand::without_doctype(&text, &limits).map_err(|_| SchemaError::Malformed)?;
    if expanded.as_ref().is_some_and(|expanded| expanded.unread_entity.is_some()) {
        return Err(SchemaError::Malformed);
    }
    let text = expanded.map_or(text, |expanded| Cow::Owned(expanded.text));
    let tree = parse_tree(&text, &limits).map_err(|_| SchemaError::Malformed)?.into_static();
    let root = tree.document_element().and_then(|root| tree.element(root));
    match root.is_some_and(|root| root.name.matches(Some(XS_NAMESPACE), "schema")) {
        true => Ok(tree),
        false => Err(SchemaError::NoSchema),
    }
}

/// Collects the documents of a schema. The first part has the schema's own namespace.
pub fn gather(main: &Document<'static>, read: Read<'_>) -> Result<Vec<Part>, SchemaError> {
    let mut gathering = Gathering { read, parts: Vec::new(), done: HashSet::new(), open: Vec::new(), types: 0 };
    let namespace = target(main);
    gathering.document(main, "", namespace)?;
    while let Some((path, namespace, imported)) = gathering.open.pop() {
        if !gathering.done.insert((path.clone(), namespace.clone())) {
            continue;
        }
        if gathering.done.len() > MAX_DOCUMENTS {
            return Err(SchemaError::Wrong(format!("it consists of more than {MAX_DOCUMENTS} documents")));
        }
        let bytes = (gathering.read)(&path).ok_or_else(|| SchemaError::Wrong(format!("`{path}`, which it names, cannot be read")))?;
        let tree = parse(&bytes).map_err(|error| SchemaError::Wrong(format!("`{path}`: {error}")))?;
        let own = target(&tree);
        // A document without a namespace takes that of the one that includes it.
        if own != namespace && (imported || own.is_some()) {
            return Err(SchemaError::Wrong(format!("`{path}` is for another namespace than the document that names it says")));
        }
        gathering.document(&tree, &path, namespace)?;
    }
    Ok(gathering.parts)
}

/// Returns the target namespace of a document.
fn target(tree: &Document<'_>) -> Option<String> {
    tree.document_element().and_then(|root| tree.get_attribute(root, "targetNamespace")).map(str::to_owned)
}

struct Gathering<'r> {
    read: Read<'r>,
    parts: Vec<Part>,
    done: HashSet<(String, Option<String>)>,
    /// Documents to read: a path, its namespace, and `true` for an import.
    open: Vec<(String, Option<String>, bool)>,
    /// Number of types that were given names.
    types: usize,
}

impl Gathering<'_> {
    /// Adds the declarations of a document to the part of its namespace.
    fn document(&mut self, source: &Document<'static>, path: &str, namespace: Option<String>) -> Result<(), SchemaError> {
        let Some(root) = source.document_element() else { return Ok(()) };
        let place = match self.parts.iter().position(|part| part.namespace == namespace) {
            Some(place) => place,
            None => {
                let tree = empty(source, root, namespace.as_deref());
                self.parts.push(Part { namespace: namespace.clone(), tree });
                self.parts.len().saturating_sub(1)
            }
        };
        let Some(part) = self.parts.get_mut(place) else { return Ok(()) };
        let Some(end) = part.tree.document_element() else { return Ok(()) };
        for child in source.children_iter(root) {
            let Some(element) = source.element(child).filter(|element| is_xs(&element.name)) else { continue };
            let location = element.get_attribute("schemaLocation").map(|location| beside(path, location));
            match (element.name.local_name.as_ref(), location) {
                ("redefine", _) => return Err(SchemaError::Wrong(String::from("xs:redefine is not supported"))),
                ("annotation", _) => {}
                ("include", Some(location)) => self.open.push((location, namespace.clone(), false)),
                ("import", Some(location)) => {
                    let other = element.get_attribute("namespace").map(str::to_owned);
                    // The attributes of XML itself are built in.
                    if other.as_deref() != Some("http://www.w3.org/XML/1998/namespace") {
                        self.open.push((location, other, true));
                    }
                }
                ("include" | "import", None) => {}
                _ => {
                    if let Some(copy) = part.tree.import_subtree(source, child) {
                        settle(source, root, &mut part.tree, copy);
                        part.tree.append_child(end, copy);
                        name_types(&mut part.tree, end, copy, &mut self.types);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Makes a document for a namespace, without declarations.
fn empty(source: &Document<'static>, root: NodeId, namespace: Option<&str>) -> Document<'static> {
    let mut tree = Document::new();
    let Some(name) = source.element(root).map(|element| element.name.clone()) else { return tree };
    let copy = tree.create_element(name);
    if let (Some(element), Some(namespace)) = (tree.element_mut(copy), namespace) {
        element.set_attribute(QName::local("targetNamespace"), namespace.to_owned().into());
    }
    declare(source, root, &mut tree, copy);
    let root = tree.root();
    tree.append_child(root, copy);
    tree
}

/// Copies the prefixes of a node to another.
fn declare(source: &Document<'static>, from: NodeId, tree: &mut Document<'static>, to: NodeId) {
    let Some(declarations) = source.element(from).map(|element| element.namespace_declarations.clone()) else { return };
    for (prefix, uri) in declarations {
        let own = tree.element(to).is_some_and(|element| element.namespace_declarations.iter().any(|(own, _)| *own == prefix));
        if !own {
            tree.declare_namespace(to, Some(&prefix), uri);
        }
    }
}

/// Copies the defaults in the root of a document to a declaration: prefixes, forms, blocked derivations.
fn settle(source: &Document<'static>, root: NodeId, tree: &mut Document<'static>, declaration: NodeId) {
    declare(source, root, tree, declaration);
    let set = |name: &str, fallback: &str| source.get_attribute(root, name).unwrap_or(fallback).to_owned();
    let [elements, attributes] = ["elementFormDefault", "attributeFormDefault"].map(|name| set(name, "unqualified"));
    let blocked = source.get_attribute(root, "blockDefault").map(str::to_owned);
    for node in tree.descendants(declaration) {
        let Some(element) = tree.element_mut(node).filter(|element| is_xs(&element.name)) else { continue };
        let is_local = node != declaration && element.get_attribute("ref").is_none();
        let form = match element.name.local_name.as_ref() {
            "element" => &elements,
            "attribute" => &attributes,
            _ => "",
        };
        if is_local && !form.is_empty() && element.get_attribute("form").is_none() {
            element.set_attribute(QName::local("form"), form.to_owned().into());
        }
        let blocks = matches!(element.name.local_name.as_ref(), "element" | "complexType") && element.get_attribute("block").is_none();
        if let Some(blocked) = blocked.as_ref().filter(|_| blocks) {
            element.set_attribute(QName::local("block"), blocked.clone().into());
        }
    }
}

/// Names the complex types within a declaration, and moves them to the top level.
fn name_types(tree: &mut Document<'static>, root: NodeId, declaration: NodeId, count: &mut usize) {
    // Inner types come later, and are moved out of the outer ones.
    for node in tree.descendants(declaration) {
        let is_type = tree.element(node).is_some_and(|element| element.name.matches(Some(XS_NAMESPACE), "complexType"));
        let Some(parent) = tree.parent(node).filter(|parent| is_type && *parent != root) else { continue };
        *count = count.saturating_add(1);
        let name = format!("{UNNAMED}{count}");
        for (node, attribute) in [(node, "name"), (parent, "type")] {
            if let Some(element) = tree.element_mut(node) {
                element.set_attribute(QName::local(attribute), name.clone().into());
            }
        }
        let prefixes: Vec<_> = [parent, declaration]
            .iter()
            .filter_map(|node| tree.element(*node))
            .flat_map(|element| element.namespace_declarations.clone())
            .collect();
        tree.detach(node);
        tree.append_child(root, node);
        for (prefix, uri) in prefixes {
            let own = tree.element(node).is_some_and(|element| element.namespace_declarations.iter().any(|(own, _)| *own == prefix));
            if !own {
                tree.declare_namespace(node, Some(&prefix), uri);
            }
        }
    }
}

/// Prefix of the names of types that have none in the schema.
pub const UNNAMED: &str = "secrule.unnamed.";

/// Returns `true` if a name is in the namespace of XML Schema.
pub fn is_xs(name: &QName<'_>) -> bool {
    name.namespace_uri.as_deref() == Some(XS_NAMESPACE)
}

/// Returns the path of a file that another names.
fn beside(path: &str, location: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) if !location.contains("://") => format!("{folder}/{location}"),
        _ => location.to_owned(),
    }
}
