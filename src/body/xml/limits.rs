//! Limits of XML bodies.

/// What an XML body, and a search in it, may not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmlLimits {
    /// Nesting of elements; libxml2 stops at about the same.
    pub depth: u32,
    /// Attributes of one element (the tree's parser takes time quadratic in them).
    pub attributes_per_element: usize,
    /// Tags, comments and the like in the whole body.
    pub nodes: usize,
    /// Bytes that entities may expand to, and that attributes may have which only the DOCTYPE gives, together.
    pub entity_bytes: usize,
    /// Nodes that one XPath expression may visit.
    pub xpath_visits: usize,
    /// Bytes of all values that one XPath expression may select.
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
