//! The syntax tree of a pattern: its meaning in PCRE, with flags, quoting, comments and options resolved.

use super::code_set::CodeSet;

/// A parsed pattern.
#[derive(Debug)]
pub(super) struct Syntax {
    pub root: Node,
    /// Number of capturing groups.
    pub groups: usize,
    /// Names of groups with their numbers; several groups may have one name.
    pub names: Vec<(Box<[u8]>, usize)>,
    /// `true` if the input is UTF-8 characters.
    pub utf: bool,
    pub empty_matches: EmptyMatches,
    /// `(*NO_START_OPT)`: a match is tried at every position, so that verbs take effect.
    pub tries_everywhere: bool,
    /// The limit that the pattern sets: `(*LIMIT_MATCH=…)`.
    pub step_limit: Option<usize>,
}

/// Which empty matches count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmptyMatches {
    All,
    /// `(*NOTEMPTY_ATSTART)`: those after the start of the search.
    NotAtStart,
    /// `(*NOTEMPTY)`.
    None,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    Byte(u8),
    /// One byte or character of a set.
    Set(CodeSet),
    Assert(Assertion),
    Concat(Vec<Node>),
    Alternation(Vec<Node>),
    Capture(usize, Box<Node>),
    Atomic(Box<Node>),
    Look(Look, Box<Node>),
    Repeat(Box<Repeat>),
    /// The capture of the first of these groups that took part.
    BackReference {
        group: Target,
        ignores_case: bool,
    },
    /// A group as a subroutine; group 0 is the whole pattern.
    Call(Target),
    Conditional(Box<Conditional>),
    /// `\K`.
    Keep,
    Verb(Verb),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    /// `\Z`: at the end, or before the newline that ends the input.
    FinalEnd,
    /// `\G`: the start of the search.
    SearchStart,
    WordBoundary,
    NotWordBoundary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub behind: bool,
    pub negative: bool,
    /// Does not backtrack after it has matched.
    pub atomic: bool,
    /// Position in the source.
    pub position: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Repeat {
    pub node: Node,
    pub min: u32,
    pub max: Option<u32>,
    pub kind: RepeatKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RepeatKind {
    Greedy,
    Lazy,
    Possessive,
}

#[derive(Clone, Debug)]
pub(super) struct Conditional {
    pub condition: Condition,
    pub yes: Node,
    pub no: Node,
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// `true` if the group took part.
    Group(Target),
    /// `true` in a subroutine call of the pattern, or of the named group.
    Recursion(Option<Target>),
    /// `(?(DEFINE)…)`: the content is only called.
    Define,
    /// A look-around.
    Look(Box<Node>),
    Known(bool),
}

/// The group of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Number(usize),
    Name(Box<[u8]>),
}

/// Verbs that act during a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Accept,
    Fail,
    Commit,
    Prune,
    /// Continues after here, or at the mark of this name.
    Skip(Option<Box<[u8]>>),
    Then,
    Mark(Box<[u8]>),
}

impl Syntax {
    /// Returns the groups of a reference.
    pub(super) fn groups_of(&self, target: &Target) -> Vec<usize> {
        match target {
            Target::Number(number) => vec![*number],
            Target::Name(wanted) => self.names.iter().filter(|(name, _)| name == wanted).map(|(_, number)| *number).collect(),
        }
    }
}

impl Node {
    /// Returns the concatenation of parts.
    pub(super) fn concat(mut parts: Vec<Self>) -> Self {
        if parts.len() > 1 { Self::Concat(parts) } else { parts.pop().unwrap_or(Self::Empty) }
    }

    /// Returns the alternation of parts, which are tried in order.
    pub(super) fn alternation(mut parts: Vec<Self>) -> Self {
        if parts.len() > 1 { Self::Alternation(parts) } else { parts.pop().unwrap_or(Self::Empty) }
    }

    pub(super) fn look(behind: bool, negative: bool, node: Self) -> Self {
        Self::Look(Look { behind, negative, atomic: true, position: 0 }, Box::new(node))
    }

    /// Returns `true` if this node or a part of it satisfies `is_so`.
    ///
    /// The depth of the recursion is bounded by the nesting limit of the parser.
    pub(super) fn any(&self, is_so: &impl Fn(&Self) -> bool) -> bool {
        is_so(self) || self.parts().into_iter().any(|part| part.any(is_so))
    }

    /// Returns the children of this node.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Concat(parts) | Self::Alternation(parts) => parts.iter().collect(),
            Self::Capture(_, node) | Self::Atomic(node) | Self::Look(_, node) => vec![node],
            Self::Repeat(repeat) => vec![&repeat.node],
            Self::Conditional(conditional) => {
                let look = match &conditional.condition {
                    Condition::Look(look) => Some(look.as_ref()),
                    _ => None,
                };
                look.into_iter().chain([&conditional.yes, &conditional.no]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the length of every match in bytes or characters, if all have the same, as PCRE requires of a look-behind.
    pub(super) fn fixed_length(&self, syntax: &Syntax, depth: usize) -> Option<usize> {
        let of = |node: &Self| node.fixed_length(syntax, depth);
        match self {
            Self::Empty | Self::Assert(_) | Self::Look(..) | Self::Verb(_) => Some(0),
            Self::Byte(_) | Self::Set(_) => Some(1),
            Self::Concat(parts) => parts.iter().map(of).try_fold(0usize, |sum, length| sum.checked_add(length?)),
            Self::Alternation(parts) => all_equal(parts.iter().map(of)),
            Self::Capture(_, node) | Self::Atomic(node) => of(node),
            Self::Repeat(repeat) => {
                let times = usize::try_from(repeat.min).ok().filter(|_| repeat.max == Some(repeat.min))?;
                if times == 0 { Some(0) } else { of(&repeat.node)?.checked_mul(times) }
            }
            Self::Conditional(conditional) => match conditional.condition {
                Condition::Define => Some(0),
                _ => all_equal([of(&conditional.yes), of(&conditional.no)].into_iter()),
            },
            Self::BackReference { group, .. } | Self::Call(group) => {
                // A group that calls itself has no length.
                let depth = depth.checked_sub(1)?;
                let groups = syntax.groups_of(group);
                all_equal(groups.into_iter().map(|number| syntax.group(number)?.fixed_length(syntax, depth)))
            }
            Self::Keep => None,
        }
    }
}

impl Syntax {
    /// Returns the first group of this number; group 0 is the whole pattern.
    pub(super) fn group(&self, number: usize) -> Option<&Node> {
        fn find(node: &Node, wanted: usize) -> Option<&Node> {
            match node {
                Node::Capture(number, inner) if *number == wanted => Some(inner),
                _ => node.parts().into_iter().find_map(|part| find(part, wanted)),
            }
        }
        if number == 0 { Some(&self.root) } else { find(&self.root, number) }
    }
}

fn all_equal(mut lengths: impl Iterator<Item = Option<usize>>) -> Option<usize> {
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}
