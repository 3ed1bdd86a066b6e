//! The declarations of a document type definition.

use crate::body::xml::content::ContentModel;
use crate::body::xml::declaration::AttributeDeclaration;
use std::collections::{HashMap, HashSet};

/// A document type definition.
#[derive(Debug, Default)]
pub struct Dtd {
    pub(super) elements: HashMap<String, Content>,
    /// Declarations by element.
    pub(super) attributes: HashMap<String, Vec<AttributeDeclaration>>,
    /// Names of entities that are not XML.
    pub(super) unparsed_entities: HashSet<String>,
    pub(super) parsed_entities: HashSet<String>,
    pub(super) notations: HashSet<String>,
}

/// Content of an element.
#[derive(Debug)]
pub(super) enum Content {
    /// `EMPTY`
    Empty,
    /// `ANY`
    Any,
    /// `(#PCDATA)`
    Text,
    /// `(#PCDATA|a|b)*`
    Mixed(HashSet<String>),
    /// `(a,b?)`
    Children(ContentModel<String>),
}
