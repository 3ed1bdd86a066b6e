//! A schema for the library that checks types and attributes, without order and number of children: the library's own content models refuse some
//! valid documents.

use super::documents::{Part, UNNAMED, is_xs};
use super::error::SchemaError;
use super::models::{ComplexType, Models};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use uppsala::dom::{Document, NodeId, QName};
use uppsala::xsd::{XS_NAMESPACE, XsdValidator};

/// Maximum number of element declarations in all types together.
const MAX_COPIES: usize = 1 << 17;

/// Makes a validator that allows every element of a type anywhere, any number of times.
pub fn validator(parts: &[Part], models: &Models) -> Result<XsdValidator, SchemaError> {
    if models.complex.iter().map(|complex| complex.own.len()).sum::<usize>() > MAX_COPIES {
        return Err(SchemaError::Wrong(String::from("its types have too many elements")));
    }
    let mut trees = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let mut tree = Document::new();
        let Some(root) = part.tree.document_element().and_then(|root| tree.import_subtree(&part.tree, root)) else { continue };
        let top = tree.root();
        tree.append_child(top, root);
        let types = models.complex.iter().filter(|complex| complex.part == number);
        for (complex, copy) in types.zip(complex_types(&tree, root)) {
            relax(parts, complex, &mut tree, copy)?;
        }
        for child in tree.children(root) {
            if tree.element(child).is_some_and(|element| element.name.local_name == "group") {
                tree.detach(child);
            }
        }
        trees.push(tree);
    }
    build(parts, &mut trees).map(|mut validator| {
        validator.set_lenient(true);
        validator
    })
}

/// Returns the complex types of a document in the order in which the models number them.
fn complex_types(tree: &Document<'_>, root: NodeId) -> Vec<NodeId> {
    let is_type = |node: &NodeId| {
        tree.element(*node).is_some_and(|element| element.name.local_name == "complexType" && element.get_attribute("name").is_some())
    };
    tree.children_iter(root).filter(is_type).collect()
}

/// Replaces the content of a type.
fn relax(parts: &[Part], complex: &ComplexType, tree: &mut Document<'static>, node: NodeId) -> Result<(), SchemaError> {
    let child = |tree: &Document<'static>, node: NodeId, names: &[&str]| {
        let is_one = |child: &NodeId| {
            tree.element(*child).is_some_and(|element| is_xs(&element.name) && names.contains(&element.name.local_name.as_ref()))
        };
        tree.children_iter(node).find(is_one)
    };
    if child(tree, node, &["simpleContent"]).is_some() {
        return Ok(());
    }
    let derivation = child(tree, node, &["complexContent"]).and_then(|content| child(tree, content, &["extension", "restriction"]));
    let holder = derivation.unwrap_or(node);
    while let Some(group) = child(tree, holder, &["sequence", "choice", "all", "group"]) {
        tree.detach(group);
    }
    let sequence = create(tree, holder, "sequence");
    tree.append_child(holder, sequence);
    if complex.own.is_empty() {
        return Ok(());
    }
    let choice = create(tree, holder, "choice");
    tree.append_child(sequence, choice);
    occurs(tree, choice, Some(("0", "unbounded")));
    let mut seen = HashSet::new();
    // Wildcards come last.
    let is_wildcard = |(part, node): &(usize, NodeId)| {
        parts.get(*part).and_then(|part| part.tree.element(*node)).is_some_and(|element| element.name.local_name == "any")
    };
    let (wildcards, elements): (Vec<_>, Vec<_>) = complex.own.iter().copied().partition(is_wildcard);
    for (part, node) in elements.into_iter().chain(wildcards) {
        let Some(source) = parts.get(part) else { continue };
        let Some(element) = source.tree.element(node) else { continue };
        let named = |name: &str| element.get_attribute(name).map(str::to_owned);
        if !seen.insert((named("ref"), named("name"), named("form"), named("namespace"), named("processContents"), part)) {
            continue;
        }
        let unnamed = element.get_attribute("type").is_some_and(|name| name.starts_with(UNNAMED));
        if part != complex.part && (unnamed || element.get_attribute("form") == Some("qualified")) {
            return Err(SchemaError::Wrong(String::from("a type uses a group of another namespace, which has elements of its own")));
        }
        let Some(copy) = tree.import_subtree(&source.tree, node) else { continue };
        occurs(tree, copy, None);
        prefixes(source, node, tree, copy);
        tree.append_child(choice, copy);
    }
    Ok(())
}

/// Makes an element of XML Schema, with the prefix of another.
fn create(tree: &mut Document<'static>, like: NodeId, name: &'static str) -> NodeId {
    let like = tree.element(like).map_or_else(|| QName::with_namespace(XS_NAMESPACE, name), |element| element.name.clone());
    tree.create_element(QName { local_name: name.into(), ..like })
}

/// Sets the occurrence of a particle; without attributes it is once.
fn occurs(tree: &mut Document<'static>, node: NodeId, words: Option<(&'static str, &'static str)>) {
    let Some(element) = tree.element_mut(node) else { return };
    element.remove_attribute("minOccurs");
    element.remove_attribute("maxOccurs");
    if let Some((min, max)) = words {
        element.set_attribute(QName::local("minOccurs"), min.into());
        element.set_attribute(QName::local("maxOccurs"), max.into());
    }
}

/// Copies the prefixes in scope of the original to its copy.
fn prefixes(source: &Part, node: NodeId, tree: &mut Document<'static>, copy: NodeId) {
    for around in source.tree.ancestors(node) {
        let Some(element) = source.tree.element(around) else { continue };
        for (prefix, uri) in &element.namespace_declarations {
            let known = tree.element(copy).is_some_and(|copy| copy.namespace_declarations.iter().any(|(known, _)| known == prefix));
            if !known {
                tree.declare_namespace(copy, Some(prefix), uri.to_string());
            }
        }
    }
}

/// Passes the documents to the library. It takes those of other namespaces from files only, so they are written to temporary files.
fn build(parts: &[Part], trees: &mut [Document<'static>]) -> Result<XsdValidator, SchemaError> {
    let wrong = |error: uppsala::error::XmlError| SchemaError::Wrong(error.to_string());
    let [main, others @ ..] = trees else { return Err(SchemaError::NoSchema) };
    if others.is_empty() {
        return XsdValidator::from_schema(main).map_err(wrong);
    }
    let folder =
        Folder::new().map_err(|error| SchemaError::Wrong(format!("a folder for the documents that it imports cannot be made: {error}")))?;
    for (number, (part, tree)) in parts.iter().skip(1).zip(others).enumerate() {
        let name = format!("{number}.xsd");
        let write = std::fs::write(folder.0.join(&name), tree.to_xml());
        write.map_err(|error| SchemaError::Wrong(format!("a document that it imports cannot be written: {error}")))?;
        let Some(root) = main.document_element() else { continue };
        let import = create(main, root, "import");
        if let Some(element) = main.element_mut(import) {
            element.set_attribute(QName::local("schemaLocation"), name.into());
            if let Some(namespace) = &part.namespace {
                element.set_attribute(QName::local("namespace"), namespace.clone().into());
            }
        }
        match main.first_child(root) {
            Some(first) => main.insert_before(root, import, first),
            None => main.append_child(root, import),
        }
    }
    XsdValidator::from_schema_with_base_path(main, Some(&folder.0)).map_err(wrong)
}

/// A temporary folder of this process, deleted with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("secrule-schema-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // An existing folder belongs to another process.
        builder.create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
