//! Lowers the syntax tree of a pattern to a [`Hir`], from which automata are built and prefilters are extracted.
//!
//! Look-around, back-references and the like have no `Hir`. A pattern with such parts gets a *relaxed* form, which matches wherever the pattern does,
//! and possibly elsewhere: look-around is left out, atomic groups and possessive quantifiers may backtrack, and a back-reference or a call matches
//! anything. It is searched for first, in linear time, so that most inputs never reach the backtracking engine.

use super::code_set::CodeSet;
use super::tree::{Assertion, Condition, EmptyMatches, Node, RepeatKind, Syntax, Verb};
use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

/// Lowers a pattern that the linear engine can run; `None` for all others.
pub(super) fn exact(syntax: &Syntax) -> Option<Hir> {
    if syntax.empty_matches != EmptyMatches::All {
        return None;
    }
    Lowering { relaxed: false }.node(&syntax.root)
}

/// Lowers the relaxed form of a pattern; `None` if it could match anything.
pub(super) fn relaxed(syntax: &Syntax) -> Option<Hir> {
    // After `(*ACCEPT)` the rest of the pattern is not required.
    let accepts = syntax.root.any(&|node| matches!(node, Node::Verb(Verb::Accept)));
    if accepts { None } else { Lowering { relaxed: true }.node(&syntax.root) }
}

struct Lowering {
    relaxed: bool,
}

impl Lowering {
    /// The depth of the recursion is bounded by the nesting limit of the parser.
    fn node(&self, node: &Node) -> Option<Hir> {
        Some(match node {
            Node::Empty => Hir::empty(),
            Node::Byte(byte) => Hir::literal([*byte]),
            Node::Set(set) => class(set),
            Node::Assert(assertion) => self.assertion(*assertion)?,
            Node::Concat(parts) => self.concat(parts)?,
            Node::Alternation(parts) => Hir::alternation(parts.iter().map(|part| self.node(part)).collect::<Option<_>>()?),
            Node::Capture(_, node) | Node::Atomic(node) if self.relaxed => self.node(node)?,
            Node::Capture(number, node) => {
                Hir::capture(Capture { index: u32::try_from(*number).ok()?, name: None, sub: Box::new(self.node(node)?) })
            }
            Node::Repeat(repeat) => {
                let greedy = match repeat.kind {
                    RepeatKind::Greedy => true,
                    RepeatKind::Lazy => false,
                    RepeatKind::Possessive if self.relaxed => true,
                    RepeatKind::Possessive => return None,
                };
                Hir::repetition(Repetition { min: repeat.min, max: repeat.max, greedy, sub: Box::new(self.node(&repeat.node)?) })
            }
            _ if !self.relaxed => return None,
            Node::BackReference { .. } | Node::Call(_) => anything(),
            Node::Conditional(conditional) => match conditional.condition {
                Condition::Define => Hir::empty(),
                _ => Hir::alternation(vec![self.node(&conditional.yes)?, self.node(&conditional.no)?]),
            },
            Node::Atomic(_) | Node::Look(..) | Node::Keep | Node::Verb(_) => Hir::empty(),
        })
    }

    fn concat(&self, parts: &[Node]) -> Option<Hir> {
        let mut lowered = Vec::with_capacity(parts.len());
        let mut literal = Vec::new();
        for part in parts {
            match part {
                Node::Byte(byte) => literal.push(*byte),
                Node::Empty => {}
                _ => {
                    if !literal.is_empty() {
                        lowered.push(Hir::literal(std::mem::take(&mut literal)));
                    }
                    lowered.push(self.node(part)?);
                }
            }
        }
        if !literal.is_empty() {
            lowered.push(Hir::literal(literal));
        }
        Some(Hir::concat(lowered))
    }

    fn assertion(&self, assertion: Assertion) -> Option<Hir> {
        Some(Hir::look(match assertion {
            Assertion::LineStart => Look::StartLF,
            Assertion::LineEnd => Look::EndLF,
            Assertion::TextStart => Look::Start,
            Assertion::TextEnd => Look::End,
            Assertion::WordBoundary => Look::WordAscii,
            Assertion::NotWordBoundary => Look::WordAsciiNegate,
            Assertion::FinalEnd | Assertion::SearchStart => return self.relaxed.then(Hir::empty),
        }))
    }
}

fn class(set: &CodeSet) -> Hir {
    match set {
        CodeSet::Bytes(bytes) => {
            let ranges = bytes.ranges().map(|range| ClassBytesRange::new(*range.start(), *range.end()));
            Hir::class(Class::Bytes(ClassBytes::new(ranges)))
        }
        CodeSet::Chars(chars) => Hir::class(Class::Unicode(chars.clone())),
    }
}

/// Returns a `Hir` that matches any number of any bytes.
fn anything() -> Hir {
    let any = Hir::class(Class::Bytes(ClassBytes::new([ClassBytesRange::new(0, u8::MAX)])));
    Hir::repetition(Repetition { min: 0, max: None, greedy: true, sub: Box::new(any) })
}
