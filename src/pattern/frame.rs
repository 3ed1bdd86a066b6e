//! An open group of a pattern that is being read.

use super::tree::{Condition, Conditional, Look, Node};

/// An open group, or the whole pattern.
pub(super) struct Frame {
    /// Its position in the source.
    pub position: usize,
    pub kind: Kind,
    /// The flags to restore at its end.
    pub flags: Flags,
    pub alternatives: Vec<Node>,
    pub parts: Vec<Node>,
    /// `(?|`: the number of groups before it, and the maximum after its alternatives.
    pub reset: Option<(usize, usize)>,
}

pub(super) enum Kind {
    Whole,
    Plain,
    Capture(usize),
    Atomic,
    Look(Look),
    /// A condition, after it was read.
    Conditional(Option<Condition>),
}

/// The inline options, `(?imsxxnUJ)`.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub case_insensitive: bool,
    pub multi_line: bool,
    pub dot_all: bool,
    pub extended: bool,
    /// Blanks in classes are ignored, too.
    pub extended_more: bool,
    pub no_auto_capture: bool,
    pub ungreedy: bool,
    pub duplicate_names: bool,
}

impl Frame {
    pub(super) const fn new(kind: Kind, position: usize, flags: Flags) -> Self {
        Self { position, kind, flags, alternatives: Vec::new(), parts: Vec::new(), reset: None }
    }

    pub(super) fn end_alternative(&mut self) {
        let parts = std::mem::take(&mut self.parts);
        self.alternatives.push(Node::concat(parts));
    }

    pub(super) fn into_node(mut self) -> Node {
        self.end_alternative();
        let alternatives = self.alternatives;
        match self.kind {
            Kind::Whole | Kind::Plain => Node::alternation(alternatives),
            Kind::Capture(number) => Node::Capture(number, Box::new(Node::alternation(alternatives))),
            Kind::Atomic => Node::Atomic(Box::new(Node::alternation(alternatives))),
            Kind::Look(look) => Node::Look(look, Box::new(Node::alternation(alternatives))),
            Kind::Conditional(condition) => {
                let mut alternatives = alternatives.into_iter();
                let (yes, no) = (alternatives.next().unwrap_or(Node::Empty), alternatives.next().unwrap_or(Node::Empty));
                let condition = condition.unwrap_or(Condition::Known(true));
                Node::Conditional(Box::new(Conditional { condition, yes, no }))
            }
        }
    }
}
