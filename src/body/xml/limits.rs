//! Limits of XML bodies.

/// Limits of an XML body, and of a search in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmlLimits {
    /// Maximum nesting of elements; about that of libxml2.
    pub depth: u32,
    /// Maximum number of attributes of one element (the tree's parser takes time quadratic in them).
    pub attributes_per_element: usize,
    /// Maximum number of tags, comments and the like in the whole body.
    pub nodes: usize,
    /// Maximum number of bytes of expanded entities and default attributes of the DOCTYPE, together.
    pub entity_bytes: usize,
    /// Maximum number of nodes that one XPath expression may visit.
    pub xpath_visits: usize,
    /// Maximum number of bytes of all values that one XPath expression may select.
    pub xpath_bytes: usize,
}

impl Default for XmlLimits {
    fn default() -> Self {
        XmlLimits {
            depth: 256,
            attributes_per_element: 512,
            nodes: 250_000,
            entity_bytes: 64 << 10,
            xpath_visits: 2_000_000,
            xpath_bytes: 64 << 20,
        }
    }
}
