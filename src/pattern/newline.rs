//! Line endings: `\n`, or those of `(*CRLF)` and similar options.

use super::byte_set::ByteSet;
use super::code_set::{CodeSet, Mode};
use super::tree::{Assertion, Node};

/// The line ending of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newline {
    Lf,
    Cr,
    CrLf,
    AnyCrLf,
    Any,
    Nul,
}

impl Newline {
    /// Returns `^`: at the start, or after a newline that does not end the input.
    pub(super) fn line_start(self) -> Node {
        match self.node() {
            None => Node::Assert(Assertion::LineStart),
            Some(newlines) => Node::Alternation(vec![
                Node::Assert(Assertion::TextStart),
                Node::Concat(vec![Node::look(true, false, newlines), Node::look(false, true, Node::Assert(Assertion::TextEnd))]),
            ]),
        }
    }

    /// Returns `$`: at the end, or before a newline.
    pub(super) fn line_end(self) -> Node {
        match self.node() {
            None => Node::Assert(Assertion::LineEnd),
            Some(newlines) => Node::Alternation(vec![Node::Assert(Assertion::TextEnd), Node::look(false, false, newlines)]),
        }
    }

    /// Returns `\Z`: at the end, or before a newline that ends the input.
    pub(super) fn final_end(self) -> Node {
        match self.node() {
            None => Node::Assert(Assertion::FinalEnd),
            Some(newlines) => {
                let last = Node::Concat(vec![newlines, Node::Assert(Assertion::TextEnd)]);
                Node::Alternation(vec![Node::Assert(Assertion::TextEnd), Node::look(false, false, last)])
            }
        }
    }

    /// Returns `\N`: anything that does not begin a newline.
    pub(super) fn other(self, mode: Mode) -> Node {
        let all = Node::Set(CodeSet::all(mode));
        match self.node() {
            None => Node::Set(CodeSet::of(mode, ByteSet::of(b"\n")).complement()),
            Some(newlines) => Node::Concat(vec![Node::look(false, true, newlines), all]),
        }
    }

    /// Returns every newline as alternatives; `None` for the one that the engines implement.
    fn node(self) -> Option<Node> {
        let crlf = || Node::Concat(vec![Node::Byte(b'\r'), Node::Byte(b'\n')]);
        let crlf_or = |set: ByteSet| Node::Alternation(vec![crlf(), Node::Set(CodeSet::Bytes(set))]);
        Some(match self {
            Self::Lf => return None,
            Self::Cr => Node::Byte(b'\r'),
            Self::Nul => Node::Byte(0),
            Self::CrLf => crlf(),
            Self::AnyCrLf => crlf_or(ByteSet::of(b"\r\n")),
            Self::Any => crlf_or(ByteSet::range(b'\n'..=b'\r').with(0x85)),
        })
    }
}
