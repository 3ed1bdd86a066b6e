//! Rewrites the errors of a schema in libxml2's words, which rule writers know from ModSecurity v3's debug log.

use std::collections::{HashMap, HashSet};
use uppsala::dom::{Document, Element, NodeId, QName};
use uppsala::error::ValidationError;
use uppsala::xsd::XS_NAMESPACE;

/// A document with errors, and its schema.
pub struct Explainer<'e> {
    pub schema: &'e Document<'static>,
    pub document: &'e Document<'e>,
    /// The text of the document: errors have offsets in it.
    pub text: &'e str,
}

/// Kind of an error.
enum Trouble<'m> {
    /// The root is none of the schema's elements.
    UnknownRoot,
    /// An element that is not allowed here.
    Unexpected,
    /// Missing children.
    Missing,
    /// A value that does not fit its type.
    Value(&'m str),
    /// A value that does not fit its pattern.
    Pattern(&'m str, &'m str),
    /// A value that is not in the enumeration, and the enumeration.
    Enumeration(&'m str, &'m str),
    /// Text between elements.
    Text,
    /// A missing attribute.
    RequiredAttribute(&'m str),
    /// An attribute that is not allowed.
    StrangeAttribute(&'m str),
    /// Something else.
    Other,
}

impl<'e> Explainer<'e> {
    /// Returns the messages for some errors, without those that follow from others.
    pub fn explain(&self, errors: &[ValidationError]) -> Vec<String> {
        let line_starts: Vec<usize> = std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at.saturating_add(1))).collect();
        let elements = self.document.descendants(self.document.root()).into_iter().filter(|node| self.document.element(*node).is_some());
        let by_start: HashMap<usize, NodeId> = elements.filter_map(|node| Some((self.document.node_range(node)?.start, node))).collect();
        let place = |error: &ValidationError| {
            let line = line_starts.get(error.line?.checked_sub(1)?)?;
            by_start.get(&line.checked_add(error.column?.checked_sub(1)?)?).copied().or(self.document.document_element())
        };
        let placed: Vec<(Option<NodeId>, &str)> = errors.iter().map(|error| (place(error), error.message.as_str())).collect();
        let mut reported = HashSet::new();
        placed.iter().filter_map(|(node, message)| self.message((*node)?, message, &placed, &mut reported)).collect()
    }

    /// Returns the message of one error. `reported` has the elements whose children were reported, and reported values.
    fn message(
        &self,
        node: NodeId,
        message: &str,
        all: &[(Option<NodeId>, &str)],
        reported: &mut HashSet<(Option<NodeId>, String)>,
    ) -> Option<String> {
        let element = self.document.element(node)?;
        let name = shown(&element.name);
        let children = |parent: Option<NodeId>| (parent, String::from("children"));
        Some(match trouble(message) {
            Trouble::UnknownRoot => format!("Element '{name}': No matching global declaration available for the validation root."),
            Trouble::Unexpected => {
                let parent = self.document.parent(node);
                if !reported.insert(children(parent)) {
                    return None;
                }
                let expected = parent.map_or_else(String::new, |parent| self.expected(parent, Some(node)));
                format!("Element '{name}': This element is not expected.{expected}")
            }
            Trouble::Missing => {
                let is_child = |other: &Option<NodeId>| other.is_some_and(|other| self.document.parent(other) == Some(node));
                let unexpected =
                    |(other, message): &(Option<NodeId>, &str)| is_child(other) && matches!(trouble(message), Trouble::Unexpected);
                if all.iter().any(unexpected) || !reported.insert(children(Some(node))) {
                    return None;
                }
                format!("Element '{name}': Missing child element(s).{}", self.expected(node, None))
            }
            Trouble::Value(value) => {
                reported.insert((Some(node), value.to_owned()));
                let attribute = attribute_with(element, value);
                let kind = match attribute {
                    Some(attribute) => self.type_name("attribute", &attribute.local_name),
                    None => self.type_name("element", &element.name.local_name),
                };
                format!("{}: '{value}' is not a valid value of the {kind}.", subject(&name, attribute))
            }
            Trouble::Pattern(value, _) if reported.contains(&(Some(node), value.to_owned())) => return None,
            Trouble::Pattern(value, pattern) => {
                let subject = subject(&name, attribute_with(element, value));
                format!("{subject}: [facet 'pattern'] The value '{value}' is not accepted by the pattern '{pattern}'.")
            }
            Trouble::Enumeration(value, listed) => {
                let subject = subject(&name, attribute_with(element, value));
                let listed = listed.replace('"', "'");
                format!("{subject}: [facet 'enumeration'] The value '{value}' is not an element of the set {{{listed}}}.")
            }
            Trouble::Text => {
                let parent = if message.contains("empty content") { Some(node) } else { self.document.parent(node) };
                let name = parent.and_then(|parent| self.document.element(parent)).map_or(name, |parent| shown(&parent.name));
                format!(
                    "Element '{name}': Character content other than whitespace is not allowed because the content type is 'element-only'."
                )
            }
            Trouble::RequiredAttribute(attribute) => format!("Element '{name}': The attribute '{attribute}' is required but missing."),
            Trouble::StrangeAttribute(local_name) => {
                let attribute = element.attributes.iter().find(|attribute| attribute.name.local_name == local_name);
                let attribute = attribute.map_or_else(|| local_name.to_owned(), |attribute| shown(&attribute.name));
                format!("Element '{name}', attribute '{attribute}': The attribute '{attribute}' is not allowed.")
            }
            Trouble::Other => format!("Element '{name}': {message}."),
        })
    }

    /// Returns ` Expected is one of ( a, b ).`: the elements that are allowed instead of an element, or after the last child.
    fn expected(&self, parent: NodeId, before: Option<NodeId>) -> String {
        let Some(name) = self.document.element(parent).map(|parent| &parent.name.local_name) else { return String::new() };
        let Some(declared) = self.declaration("element", name).and_then(|declaration| self.content(declaration)) else {
            return String::new();
        };
        let parts = self.parts(declared);
        let elements = self.document.children_iter(parent).take_while(|child| Some(*child) != before);
        let last = elements.filter_map(|child| self.document.element(child)).last().map(|last| &last.name.local_name);
        let behind = last.and_then(|last| parts.iter().position(|part| part.local_name == **last));
        let start = match behind {
            Some(at) => parts.get(at).map_or(0, |part| if part.repeats { at } else { part.behind }),
            None => 0,
        };
        let mut expected: Vec<&str> = Vec::new();
        // All alternatives lead to the same part after them; if each of them is required, that part cannot be next.
        let mut alternatives: Option<(usize, bool)> = None;
        for part in parts.iter().skip(start) {
            let required = match alternatives {
                Some((behind, required)) if behind == part.behind => required && part.required,
                Some((_, true)) => break,
                _ => part.required,
            };
            alternatives = Some((part.behind, required));
            expected.push(&part.shown);
        }
        match expected.as_slice() {
            [] => String::new(),
            [one] => format!(" Expected is ( {one} )."),
            many => format!(" Expected is one of ( {} ).", many.join(", ")),
        }
    }

    /// Returns the elements of a content model in their order.
    fn parts(&self, content: NodeId) -> Vec<Part> {
        let mut parts = Vec::new();
        // Open groups: the group, the part after the alternatives of the innermost choice, and `true` if they are required.
        let mut open = vec![(content, None, true)];
        while let Some((node, choice, required)) = open.pop() {
            let Some(element) = self.schema.element(node) else { continue };
            let required = required && element.get_attribute("minOccurs") != Some("0");
            let repeats = element.get_attribute("maxOccurs").is_some_and(|max| max != "1");
            match element.name.local_name.as_ref() {
                "element" => {
                    let Some((local_name, shown)) = self.element_name(element) else { continue };
                    let behind = parts.len().saturating_add(1);
                    parts.push(Part { local_name, shown, required, repeats, behind, choice });
                }
                kind @ ("sequence" | "choice" | "all") => {
                    let choice = if kind == "sequence" { choice } else { choice.or(Some(node)) };
                    open.extend(self.schema.children_iter(node).rev().map(|child| (child, choice, required)));
                }
                _ => {}
            }
        }
        // After one alternative of a choice come the parts after all of them.
        let ends: HashMap<NodeId, usize> = parts.iter().filter_map(|part| Some((part.choice?, part.behind))).collect();
        for part in &mut parts {
            part.behind = part.choice.and_then(|choice| ends.get(&choice).copied()).unwrap_or(part.behind);
        }
        parts
    }

    /// Returns an element's name from a reference or a declaration: the local name, and the name in libxml2's notation.
    fn element_name(&self, element: &Element<'_>) -> Option<(String, String)> {
        let root = self.schema.element(self.schema.document_element()?)?;
        let (name, is_global) = match element.get_attribute("ref") {
            Some(reference) => (reference.rsplit(':').next()?, true),
            None => (element.get_attribute("name")?, false),
        };
        let qualified = is_global
            || element.get_attribute("form") == Some("qualified")
            || root.get_attribute("elementFormDefault") == Some("qualified");
        let namespace = root.get_attribute("targetNamespace").filter(|_| qualified);
        Some((name.to_owned(), namespace.map_or_else(|| name.to_owned(), |namespace| format!("{{{namespace}}}{name}"))))
    }

    /// Returns the group of an element's children.
    fn content(&self, declaration: NodeId) -> Option<NodeId> {
        let element = self.schema.element(declaration)?;
        let mut at = match element.get_attribute("type") {
            Some(name) => self.declaration("complexType", name.rsplit(':').next()?)?,
            None => self.child(declaration, &["complexType"])?,
        };
        while let Some(inner) = self.child(at, &["complexContent", "extension", "restriction"]) {
            at = inner;
        }
        self.child(at, &["sequence", "choice", "all"])
    }

    fn child(&self, node: NodeId, names: &[&str]) -> Option<NodeId> {
        self.schema.children_iter(node).find(|child| {
            let element = self.schema.element(*child);
            element.is_some_and(|element| is_schema_element(element) && names.contains(&element.name.local_name.as_ref()))
        })
    }

    /// Returns the first declaration of a kind with this name.
    fn declaration(&self, kind: &str, name: &str) -> Option<NodeId> {
        self.schema.descendants(self.schema.root()).into_iter().find(|node| {
            let element = self.schema.element(*node);
            element.is_some_and(|element| {
                is_schema_element(element) && element.name.local_name == kind && element.get_attribute("name") == Some(name)
            })
        })
    }

    /// Returns the type of an attribute or element, in libxml2's notation.
    fn type_name(&self, kind: &str, name: &str) -> String {
        let declared = self.declaration(kind, name).and_then(|node| self.schema.element(node)?.get_attribute("type"));
        match declared {
            None => String::from("local atomic type"),
            Some(name) => match self.user_type(name) {
                Some(name) => format!("atomic type '{name}'"),
                None => format!("atomic type 'xs:{}'", name.rsplit(':').next().unwrap_or(name)),
            },
        }
    }

    /// Returns the name of a type that the schema itself declares.
    fn user_type(&self, name: &str) -> Option<String> {
        let name = name.rsplit(':').next()?;
        self.declaration("simpleType", name).or_else(|| self.declaration("complexType", name))?;
        let root = self.schema.element(self.schema.document_element()?)?;
        Some(root.get_attribute("targetNamespace").map_or_else(|| name.to_owned(), |namespace| format!("{{{namespace}}}{name}")))
    }
}

/// An element of a content model.
struct Part {
    local_name: String,
    shown: String,
    required: bool,
    repeats: bool,
    /// Number of the part that follows this one.
    behind: usize,
    /// The outermost choice that has it as an alternative.
    choice: Option<NodeId>,
}

/// Parses an error of the validator.
fn trouble(message: &str) -> Trouble<'_> {
    let between = |before: &str, after: &str| message.strip_prefix(before)?.split_once(after).map(|(inside, _)| inside);
    if message.starts_with("No element declaration found") {
        Trouble::UnknownRoot
    } else if message.starts_with("Unexpected element")
        || message.starts_with("Duplicate element")
        || message.ends_with("does not match any choice alternative")
    {
        Trouble::Unexpected
    } else if message.starts_with("Expected at least")
        || message.starts_with("Expected one of")
        || message.starts_with("Sequence must occur")
        || message.ends_with("is missing in all group")
    {
        Trouble::Missing
    } else if message.starts_with("Non-whitespace text") || message.ends_with("contains text") {
        Trouble::Text
    } else if let Some(attribute) = between("Required attribute '", "' is missing") {
        Trouble::RequiredAttribute(attribute)
    } else if let Some(attribute) = between("Attribute '", "' ").filter(|_| message.contains("not allowed")) {
        Trouble::StrangeAttribute(attribute)
    } else if let Some(value) = between("'", "' is not a valid ") {
        Trouble::Value(value)
    } else if let Some((value, listed)) =
        message.strip_prefix('\'').and_then(|rest| rest.split_once("' is not one of the allowed values: ["))
    {
        Trouble::Enumeration(value, listed.strip_suffix(']').unwrap_or(listed))
    } else if let Some((value, pattern)) = message.strip_prefix("Value '").and_then(|rest| rest.split_once("' does not match pattern '")) {
        Trouble::Pattern(value, pattern.strip_suffix('\'').unwrap_or(pattern))
    } else {
        Trouble::Other
    }
}

/// Returns the attribute with a value, if there is one.
fn attribute_with<'a>(element: &'a Element<'_>, value: &str) -> Option<&'a QName<'a>> {
    element.attributes.iter().find(|attribute| attribute.value.trim() == value.trim()).map(|attribute| &attribute.name)
}

fn subject(element: &str, attribute: Option<&QName<'_>>) -> String {
    match attribute {
        Some(attribute) => format!("Element '{element}', attribute '{}'", shown(attribute)),
        None => format!("Element '{element}'"),
    }
}

/// Returns `{namespace}name`.
fn shown(name: &QName<'_>) -> String {
    match &name.namespace_uri {
        Some(namespace) => format!("{{{namespace}}}{}", name.local_name),
        None => name.local_name.to_string(),
    }
}

fn is_schema_element(element: &Element<'_>) -> bool {
    element.name.namespace_uri.as_deref() == Some(XS_NAMESPACE)
}
