//! The content models of a schema: order and number of children, for each complex type.

use super::documents::{Part, UNNAMED, is_xs};
use super::error::SchemaError;
use crate::body::xml::XmlLimits;
use crate::body::xml::content::{ContentModel, Label};
use crate::body::xml::particle::{Occurrence, Particle};
use std::collections::HashMap;
use uppsala::dom::{Element, NodeId};
use uppsala::xsd::XS_NAMESPACE;

/// Maximum nesting of groups, and length of a chain of derived types.
const DEEPEST: usize = 100;

/// Maximum number of particles of a schema; those of a group count at each reference.
const MAX_PARTICLES: usize = 1 << 18;

/// Declarations of a schema, by expanded name.
pub struct Models {
    pub elements: HashMap<String, Kind>,
    pub types: HashMap<String, usize>,
    pub complex: Vec<ComplexType>,
}

/// Content of an element.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Text.
    Simple,
    /// Any content.
    Any,
    /// The complex type with this number.
    Complex(usize),
}

/// A complex type.
pub struct ComplexType {
    pub content: Content,
    /// The elements that it names.
    pub children: HashMap<String, Kind>,
    /// The wildcards whose content is not checked.
    pub skipped: Vec<Wildcard>,
    /// The part with its declaration.
    pub part: usize,
    /// Elements and wildcards in the type itself: the part, and the node.
    pub own: Vec<(usize, NodeId)>,
}

pub enum Content {
    /// Text, or any content.
    Free,
    Ordered(ContentModel<Item>),
    /// Each at most once, in any order; `true` if it is required.
    All {
        items: Vec<(Item, bool)>,
        optional: bool,
    },
}

/// A label of a content model.
#[derive(Clone)]
pub enum Item {
    /// An element by its expanded name, and the elements that may substitute it.
    Elements(Vec<String>),
    Wildcard(Wildcard),
}

/// The namespaces of an `xs:any`.
#[derive(Clone)]
pub enum Wildcard {
    Any,
    /// All except for no namespace and this one.
    Other(String),
    /// These; the empty text is no namespace.
    OneOf(Vec<String>),
}

impl Label for Item {
    fn takes(&self, child: &str) -> bool {
        match self {
            Self::Elements(names) => names.iter().any(|name| name == child),
            Self::Wildcard(wildcard) => wildcard.takes(child),
        }
    }
}

impl Wildcard {
    /// Returns `true` if it allows an element with this expanded name.
    pub fn takes(&self, child: &str) -> bool {
        let namespace = child.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')).map_or("", |(namespace, _)| namespace);
        match self {
            Self::Any => true,
            Self::Other(target) => !namespace.is_empty() && namespace != target,
            Self::OneOf(namespaces) => namespaces.iter().any(|one| one == namespace),
        }
    }
}

/// Returns `{namespace}name`.
pub fn expanded(namespace: Option<&str>, name: &str) -> String {
    format!("{{{}}}{name}", namespace.unwrap_or_default())
}

/// Builds the content models of a schema.
pub fn build(parts: &[Part]) -> Result<Models, SchemaError> {
    let mut builder = Builder { parts, declared: HashMap::new(), numbers: HashMap::new(), members: HashMap::new(), particles: 0 };
    let places = builder.declare();
    builder.substitutions()?;
    let complex = places.iter().map(|(part, node)| builder.complex_type(*part, *node)).collect::<Result<_, _>>()?;
    let elements: Vec<(String, Place)> =
        builder.declared.iter().filter(|((kind, _), _)| *kind == "element").map(|((_, name), place)| (name.clone(), *place)).collect();
    let elements = elements.into_iter().map(|(name, place)| Ok((name, builder.kind(place, 0)?))).collect::<Result<_, SchemaError>>()?;
    Ok(Models { elements, types: builder.numbers, complex })
}

/// A part and a node of it.
type Place = (usize, NodeId);

struct Builder<'p> {
    parts: &'p [Part],
    /// Top-level declarations, by kind and expanded name.
    declared: HashMap<(&'static str, String), Place>,
    /// Numbers of complex types.
    numbers: HashMap<String, usize>,
    /// Elements that may substitute an element directly.
    members: HashMap<String, Vec<String>>,
    particles: usize,
}

/// The content of a type while it is collected.
#[derive(Default)]
struct Draft {
    particle: Option<Particle<Item>>,
    all: Option<(Vec<(Item, bool)>, bool)>,
    is_free: bool,
    children: HashMap<String, Kind>,
    /// Names of their types.
    types: HashMap<String, String>,
    skipped: Vec<Wildcard>,
    own: Vec<Place>,
}

const KINDS: [&str; 4] = ["element", "complexType", "simpleType", "group"];

impl<'p> Builder<'p> {
    /// Collects every declaration; returns the complex types in the order of their numbers.
    fn declare(&mut self) -> Vec<Place> {
        let mut types = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            let Some(root) = part.tree.document_element() else { continue };
            for node in part.tree.children_iter(root) {
                let Some(element) = part.tree.element(node) else { continue };
                let kind = KINDS.into_iter().find(|kind| *kind == element.name.local_name);
                let (Some(kind), Some(name)) = (kind, element.get_attribute("name")) else { continue };
                let name = expanded(part.namespace.as_deref(), name);
                if kind == "complexType" {
                    self.numbers.insert(name.clone(), types.len());
                    types.push((number, node));
                }
                self.declared.insert((kind, name), (number, node));
            }
        }
        types
    }

    fn substitutions(&mut self) -> Result<(), SchemaError> {
        for ((kind, name), place) in &self.declared {
            let head = self.element(*place)?.get_attribute("substitutionGroup");
            if let Some(head) = head.filter(|_| *kind == "element") {
                let head = self.resolve(*place, head)?;
                self.members.entry(head).or_default().push(name.clone());
            }
        }
        Ok(())
    }

    fn element(&self, (part, node): Place) -> Result<&'p Element<'static>, SchemaError> {
        let element = self.parts.get(part).and_then(|part| part.tree.element(node));
        element.ok_or_else(|| SchemaError::Wrong(String::from("a part of it is not an element")))
    }

    fn namespace(&self, (part, _): Place) -> Option<&'p str> {
        self.parts.get(part).and_then(|part| part.namespace.as_deref())
    }

    fn children(&self, (part, node): Place) -> impl Iterator<Item = (Place, &'p str)> + use<'p> {
        let tree = self.parts.get(part).map(|part| &part.tree);
        tree.into_iter().flat_map(move |tree| {
            tree.children_iter(node).filter_map(move |child| {
                let element = tree.element(child).filter(|element| is_xs(&element.name))?;
                Some(((part, child), element.name.local_name.as_ref()))
            })
        })
    }

    fn child(&self, place: Place, names: &[&str]) -> Option<(Place, &'p str)> {
        self.children(place).find(|(_, name)| names.contains(name))
    }

    /// Returns the expanded name of a name in the schema. As in the library, a name without a prefix is in the schema's own namespace, unless a
    /// default namespace is declared.
    fn resolve(&self, place: Place, name: &str) -> Result<String, SchemaError> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let own = || expanded(self.namespace(place), local);
        if local.starts_with(UNNAMED) {
            return Ok(own());
        }
        let Some(part) = self.parts.get(place.0) else { return Ok(own()) };
        let around = std::iter::once(place.1).chain(part.tree.ancestors(place.1));
        let mut declarations = around.filter_map(|node| part.tree.element(node)).flat_map(|element| &element.namespace_declarations);
        match declarations.find(|(declared, _)| declared == prefix) {
            Some((_, uri)) => Ok(expanded(Some(uri), local)),
            None if prefix.is_empty() => Ok(own()),
            None => Err(SchemaError::Wrong(format!("the prefix of `{name}` is not declared"))),
        }
    }

    fn find(&self, kind: &'static str, place: Place, name: &str) -> Result<(String, Place), SchemaError> {
        let name = self.resolve(place, name)?;
        match self.declared.get(&(kind, name.clone())) {
            Some(found) => Ok((name, *found)),
            None => Err(SchemaError::Wrong(format!("it declares no {kind} `{name}`"))),
        }
    }

    /// Returns the content of an element from its declaration.
    fn kind(&self, place: Place, depth: usize) -> Result<Kind, SchemaError> {
        let element = self.element(place)?;
        if let Some(name) = element.get_attribute("type") {
            return self.kind_of_type(place, name);
        }
        if self.child(place, &["simpleType"]).is_some() {
            return Ok(Kind::Simple);
        }
        match element.get_attribute("substitutionGroup").filter(|_| depth < DEEPEST) {
            Some(head) => self.kind(self.find("element", place, head)?.1, depth.saturating_add(1)),
            None => Ok(Kind::Any),
        }
    }

    fn kind_of_type(&self, place: Place, name: &str) -> Result<Kind, SchemaError> {
        let name = self.resolve(place, name)?;
        if let Some(number) = self.numbers.get(&name) {
            return Ok(Kind::Complex(*number));
        }
        let built_in = name.strip_prefix('{').and_then(|rest| rest.strip_prefix(XS_NAMESPACE));
        match built_in {
            Some("}anyType") => Ok(Kind::Any),
            Some(_) => Ok(Kind::Simple),
            None if self.declared.contains_key(&("simpleType", name.clone())) => Ok(Kind::Simple),
            None => Err(SchemaError::Wrong(format!("it declares no type `{name}`"))),
        }
    }

    fn complex_type(&mut self, part: usize, node: NodeId) -> Result<ComplexType, SchemaError> {
        let Draft { particle, all, is_free, children, skipped, own, .. } = self.draft((part, node), 0)?;
        let content = match (is_free, all) {
            (true, _) => Content::Free,
            (false, Some((items, optional))) => Content::All { items, optional },
            (false, None) => {
                let particle = particle.unwrap_or_else(|| Particle::Sequence(Vec::new(), Occurrence::ONCE));
                let model = ContentModel::new(particle);
                Content::Ordered(model.ok_or_else(|| SchemaError::Wrong(String::from("the content model of a type is too large")))?)
            }
        };
        Ok(ComplexType { content, children, skipped, part, own })
    }

    /// Returns the content of a type, including what it inherits from another.
    fn draft(&mut self, place: Place, depth: usize) -> Result<Draft, SchemaError> {
        if depth > DEEPEST {
            return Err(SchemaError::Wrong(String::from("types are derived from each other in a circle, or too deeply")));
        }
        if self.child(place, &["simpleContent"]).is_some() {
            return Ok(Draft { is_free: true, ..Draft::default() });
        }
        let derivation = self.child(place, &["complexContent"]).and_then(|(content, _)| self.child(content, &["extension", "restriction"]));
        let mut draft = Draft::default();
        let Some((derivation, how)) = derivation else {
            self.add_content(place, &mut draft)?;
            return Ok(draft);
        };
        if how == "extension" {
            let base = self.element(derivation)?.get_attribute("base").unwrap_or_default();
            match self.kind_of_type(derivation, base)? {
                Kind::Complex(_) => {
                    let (_, base) = self.find("complexType", derivation, base)?;
                    draft = Draft { own: Vec::new(), ..self.draft(base, depth.saturating_add(1))? };
                }
                _ => draft.is_free = true,
            }
        }
        self.add_content(derivation, &mut draft)?;
        Ok(draft)
    }

    /// Appends the group in a type or in a derivation.
    fn add_content(&mut self, holder: Place, draft: &mut Draft) -> Result<(), SchemaError> {
        let Some((mut group, mut kind)) = self.child(holder, &["sequence", "choice", "all", "group"]) else { return Ok(()) };
        let outer = occurrence(self.element(group)?)?;
        if let ("group", Some(name)) = (kind, self.element(group)?.get_attribute("ref")) {
            let (_, definition) = self.find("group", group, name)?;
            if let Some((inner, "all")) = self.child(definition, &["all"]) {
                (group, kind) = (inner, "all");
            }
        }
        if kind == "all" {
            if draft.particle.is_some() || draft.all.is_some() {
                return Err(SchemaError::Wrong(String::from("an xs:all follows other content")));
            }
            let items: Vec<Place> = self.children(group).filter(|(_, kind)| *kind == "element").map(|(place, _)| place).collect();
            let mut all = Vec::new();
            for place in items {
                let Occurrence { min, max } = occurrence(self.element(place)?)?;
                if max.is_none_or(|max| max > 1) {
                    return Err(SchemaError::Wrong(String::from("an element of an xs:all may occur more than once")));
                }
                if max != Some(0) {
                    all.push((self.item(place, draft)?, min > 0));
                }
            }
            let optional = outer.min == 0 || occurrence(self.element(group)?)?.min == 0;
            draft.all = Some((all, optional));
            return Ok(());
        }
        let Some(own) = self.particle(group, kind, draft, 0)? else { return Ok(()) };
        if draft.all.is_some() {
            return Err(SchemaError::Wrong(String::from("other content follows an xs:all")));
        }
        draft.particle = Some(match draft.particle.take() {
            Some(base) => Particle::Sequence(vec![base, own], Occurrence::ONCE),
            None => own,
        });
        Ok(())
    }

    /// Builds a particle; `None` for an empty one.
    fn particle(&mut self, place: Place, kind: &str, draft: &mut Draft, depth: usize) -> Result<Option<Particle<Item>>, SchemaError> {
        self.particles = self.particles.saturating_add(1);
        if self.particles > MAX_PARTICLES || depth > DEEPEST {
            return Err(SchemaError::Wrong(String::from("its groups are nested in a circle, or there are too many particles in them")));
        }
        let occurrence = occurrence(self.element(place)?)?;
        if occurrence.max == Some(0) {
            return Ok(None);
        }
        let deeper = depth.saturating_add(1);
        Ok(match kind {
            "element" | "any" => Some(Particle::Name(self.item(place, draft)?, occurrence)),
            "group" => {
                let name = self.element(place)?.get_attribute("ref").unwrap_or_default();
                let (_, definition) = self.find("group", place, name)?;
                let Some((inner, kind)) = self.child(definition, &["sequence", "choice", "all"]) else { return Ok(None) };
                self.particle(inner, kind, draft, deeper)?.map(|inner| Particle::Sequence(vec![inner], occurrence))
            }
            "sequence" | "choice" => {
                let mut parts = Vec::new();
                let mut can_be_empty = false;
                for (child, inner) in self.children(place) {
                    match self.particle(child, inner, draft, deeper)? {
                        Some(part) => parts.push(part),
                        None => can_be_empty |= matches!(inner, "sequence" | "group"),
                    }
                }
                match kind {
                    "sequence" if parts.is_empty() => None,
                    "sequence" => Some(Particle::Sequence(parts, occurrence)),
                    _ if can_be_empty => Some(Particle::Choice(parts, Occurrence { min: 0, ..occurrence })),
                    _ => Some(Particle::Choice(parts, occurrence)),
                }
            }
            "all" => return Err(SchemaError::Wrong(String::from("an xs:all is within another group"))),
            _ => None,
        })
    }

    /// Returns the label of an element or a wildcard.
    fn item(&mut self, place: Place, draft: &mut Draft) -> Result<Item, SchemaError> {
        let element = self.element(place)?;
        draft.own.push(place);
        if element.name.local_name == "any" {
            let wildcard = wildcard(element, self.namespace(place).unwrap_or_default());
            if element.get_attribute("processContents") == Some("skip") {
                draft.skipped.push(wildcard.clone());
            }
            return Ok(Item::Wildcard(wildcard));
        }
        let Some(name) = element.get_attribute("ref") else {
            let namespace = self.namespace(place).filter(|_| element.get_attribute("form") == Some("qualified"));
            let name = expanded(namespace, element.get_attribute("name").unwrap_or_default());
            self.add_child(draft, &name, place)?;
            return Ok(Item::Elements(vec![name]));
        };
        let (name, declaration) = self.find("element", place, name)?;
        self.add_child(draft, &name, declaration)?;
        let mut names = vec![name];
        let mut at = 0;
        while let Some(name) = names.get(at) {
            let members = self.members.get(name).map_or(&[][..], |members| members);
            let more: Vec<String> = members.iter().filter(|member| !names.contains(member)).cloned().collect();
            names.extend(more);
            at = at.saturating_add(1);
        }
        Ok(Item::Elements(names))
    }
}

impl Builder<'_> {
    /// Records the content of an element in a type; as the recommendation requires, elements with the same name have the same type there.
    fn add_child(&self, draft: &mut Draft, name: &str, declaration: Place) -> Result<(), SchemaError> {
        let kind = self.kind(declaration, 0)?;
        let named = match self.element(declaration)?.get_attribute("type") {
            Some(name) => self.resolve(declaration, name)?,
            None => format!("{declaration:?}"),
        };
        draft.children.insert(name.to_owned(), kind);
        match draft.types.insert(name.to_owned(), named.clone()) {
            Some(other) if other != named => Err(SchemaError::Wrong(format!("a type has elements `{name}` of different types"))),
            _ => Ok(()),
        }
    }
}

fn wildcard(element: &Element<'_>, target: &str) -> Wildcard {
    match element.get_attribute("namespace").unwrap_or("##any") {
        "##any" => Wildcard::Any,
        "##other" => Wildcard::Other(target.to_owned()),
        list => Wildcard::OneOf(
            list.split_ascii_whitespace()
                .map(|one| match one {
                    "##targetNamespace" => target.to_owned(),
                    "##local" => String::new(),
                    uri => uri.to_owned(),
                })
                .collect(),
        ),
    }
}

/// Reads `minOccurs` and `maxOccurs`. A number as large as the document's nodes counts as unlimited.
fn occurrence(element: &Element<'_>) -> Result<Occurrence, SchemaError> {
    let number = |name: &str| match element.get_attribute(name).map(str::trim) {
        None => Ok(Some(1)),
        Some("unbounded") => Ok(None),
        Some(number) if !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()) => Ok(number.parse::<usize>().ok()),
        Some(other) => Err(SchemaError::Wrong(format!("`{other}` is not a number for {name}"))),
    };
    let endless = XmlLimits::default().nodes;
    let occurrence = Occurrence { min: number("minOccurs")?.unwrap_or(usize::MAX), max: number("maxOccurs")?.filter(|max| *max < endless) };
    match occurrence.max {
        Some(0) => Ok(Occurrence { min: 0, max: Some(0) }),
        Some(max) if max < occurrence.min => Err(SchemaError::Wrong(String::from("a minOccurs is greater than its maxOccurs"))),
        _ => Ok(occurrence),
    }
}
