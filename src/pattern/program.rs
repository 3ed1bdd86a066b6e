//! Compiles the syntax tree of a pattern into the program that [`backtrack`](super::backtrack) runs.
//!
//! Each part becomes the operations that match it, followed by those of the next part. At a choice, an [`Op::Split`] tries one way and remembers the
//! other. Counted repetitions of groups are written out; those of single bytes are one operation.

use super::byte_set::ByteSet;
use super::code_set::CodeSet;
use super::error::PatternError;
use super::tree::{Assertion, Condition, Conditional, EmptyMatches, Look, Node, Repeat, RepeatKind, Syntax, Target, Verb};
use regex_syntax::hir::ClassUnicode;

/// Maximum number of operations of a program, as PCRE bounds compiled patterns.
const MAX_OPERATIONS: usize = 65_536;

/// Maximum depth of groups that call each other in computing the length of a look-behind.
const MAX_CALLS: usize = 20;

/// A target in a program that is not known yet.
const UNKNOWN: usize = usize::MAX;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Program {
    pub ops: Vec<Op>,
    /// Number of capturing groups.
    pub groups: usize,
    /// Number of registers, which hold input positions.
    pub registers: usize,
    /// Number of [`Op::Span`] operations.
    pub spans: usize,
    pub utf: bool,
    pub empty_matches: EmptyMatches,
    /// `true` if it has verbs, which depend on where a search begins.
    pub has_verbs: bool,
}

/// An operation. Targets in the program are indexes of its operations.
#[derive(Debug)]
pub(super) enum Op {
    Byte(u8),
    Set(ByteSet),
    Char(Box<ClassUnicode>),
    /// Exactly this many bytes of a set.
    Take(ByteSet, usize),
    /// Up to this many bytes of a set.
    Span(Box<Span>),
    Assert(Assertion),
    /// Continues with the next operation, and then there; or the other way around.
    Split {
        other: usize,
        lazy: bool,
    },
    /// Continues with the next operation, and then there, where `(*THEN)` continues as well. Without a target the alternatives end here.
    Alternative {
        other: Option<usize>,
        scope: usize,
    },
    Jump(usize),
    /// Remembers that the rest failed at a position.
    Memo,
    /// Stores the current position in a register.
    Mark(usize),
    /// Jumps if the position has not changed since the mark: an iteration that matched nothing is the last.
    Progress {
        register: usize,
        exit: usize,
    },
    /// Returns to a position of the input.
    Rewind(usize),
    /// A group captured the bytes from the mark to here.
    Close {
        group: usize,
        register: usize,
    },
    /// Returns from a group that was called as a subroutine.
    Return(usize),
    /// The following operations, up to [`Op::Commit`], are an atomic group.
    Atomic,
    /// The following operations, up to [`Op::Commit`] or [`Op::Reject`], are look-around. If they fail, the match continues there, or fails.
    Look {
        on_failure: Option<usize>,
        end: usize,
    },
    /// Ends an atomic group or look-around; look-around returns to its start.
    Commit {
        rewinds: bool,
    },
    /// Ends negative look-around, whose content matched: the match continues there, or fails.
    Reject {
        to: Option<usize>,
    },
    StepBack(usize),
    BackReference {
        groups: Vec<usize>,
        ignores_case: bool,
    },
    Call {
        group: usize,
        to: usize,
    },
    /// Jumps unless one of the groups took part.
    IfGroup {
        groups: Vec<usize>,
        otherwise: usize,
    },
    /// Jumps unless this is a call, of one of the groups if any are named.
    IfRecursion {
        groups: Option<Vec<usize>>,
        otherwise: usize,
    },
    Keep,
    Accept,
    Fail,
    Verb(BacktrackingVerb),
    Match,
}

/// A run of bytes of a set.
#[derive(Debug)]
pub(super) struct Span {
    pub set: ByteSet,
    pub max: Option<usize>,
    pub kind: RepeatKind,
    /// Its index.
    pub number: usize,
    /// `true` if a failure after a byte of a run is final, so that it can be remembered.
    pub remembers: bool,
    /// The end of the enclosing look-around, if only its success matters.
    pub look_end: Option<usize>,
}

/// Action when a match backtracks to a verb.
#[derive(Clone, Debug)]
pub(super) enum BacktrackingVerb {
    Commit,
    Prune,
    /// Continues at the mark of this name, or after here.
    Skip(Option<Box<[u8]>>),
    /// Continues with the next of these alternatives.
    Then(Option<usize>),
    Mark(Box<[u8]>),
}

/// Compiles a pattern.
///
/// # Errors
/// If it is too large, or a look-behind has no fixed length.
pub(super) fn compile(syntax: &Syntax) -> Result<Program, PatternError> {
    let mut compiler = Compiler {
        syntax,
        ops: Vec::new(),
        registers: 0,
        spans: 0,
        group_starts: vec![UNKNOWN; syntax.groups.saturating_add(1)],
        open_groups: Vec::new(),
        scopes: 0,
        scope: None,
        look_ends: Vec::new(),
        in_empty_loop: false,
        is_pure: is_pure(syntax),
    };
    if let Some(start) = compiler.group_starts.first_mut() {
        *start = 0;
    }
    compiler.node(&syntax.root)?;
    compiler.push(Op::Match)?;
    compiler.resolve_calls();
    Ok(Program {
        has_verbs: syntax.root.any(&|node| matches!(node, Node::Verb(verb) if *verb != Verb::Fail)),
        ops: compiler.ops,
        groups: syntax.groups,
        registers: compiler.registers,
        spans: compiler.spans,
        utf: syntax.utf,
        empty_matches: syntax.empty_matches,
    })
}

fn is_pure(syntax: &Syntax) -> bool {
    let remembers = |node: &Node| match node {
        Node::BackReference { .. } | Node::Call(_) => true,
        Node::Verb(verb) => *verb != Verb::Fail,
        Node::Conditional(conditional) => matches!(conditional.condition, Condition::Group(_) | Condition::Recursion(_)),
        _ => false,
    };
    syntax.empty_matches == EmptyMatches::All && !syntax.root.any(&remembers)
}

struct Compiler<'s> {
    syntax: &'s Syntax,
    ops: Vec<Op>,
    registers: usize,
    spans: usize,
    /// Operation at which each group starts.
    group_starts: Vec<usize>,
    /// The groups around the part being compiled, with the registers of their starts.
    open_groups: Vec<(usize, usize)>,
    scopes: usize,
    /// The alternatives that `(*THEN)` continues with.
    scope: Option<usize>,
    /// For each look-around around the part: the operations that need its end, if they can use it.
    look_ends: Vec<Option<Vec<usize>>>,
    /// `true` if an iteration of an enclosing repetition may be empty.
    in_empty_loop: bool,
    /// `true` if the rest of a match depends only on the operation and the position, so that a failure can be remembered.
    is_pure: bool,
}

impl Compiler<'_> {
    fn push(&mut self, op: Op) -> Result<usize, PatternError> {
        if self.ops.len() >= MAX_OPERATIONS {
            return Err(PatternError::too_large());
        }
        self.ops.push(op);
        Ok(self.ops.len() - 1)
    }

    /// Sets the target of the operation at `index` to the next one.
    fn lead_here(&mut self, index: usize) {
        let here = self.ops.len();
        match self.ops.get_mut(index) {
            Some(Op::Split { other, .. } | Op::Jump(other) | Op::Progress { exit: other, .. }) => *other = here,
            Some(Op::IfGroup { otherwise, .. } | Op::IfRecursion { otherwise, .. }) => *otherwise = here,
            Some(Op::Alternative { other, .. } | Op::Look { on_failure: other, .. } | Op::Reject { to: other }) => *other = Some(here),
            _ => {}
        }
    }

    fn register(&mut self) -> usize {
        self.registers += 1;
        self.registers - 1
    }

    /// The depth of the recursion is bounded by the nesting limit of the parser.
    fn node(&mut self, node: &Node) -> Result<(), PatternError> {
        match node {
            Node::Empty => {}
            Node::Byte(byte) => {
                self.push(Op::Byte(*byte))?;
            }
            Node::Set(set) => self.set(set)?,
            Node::Assert(assertion) => {
                self.push(Op::Assert(*assertion))?;
            }
            Node::Concat(parts) => parts.iter().try_for_each(|part| self.node(part))?,
            Node::Alternation(parts) => self.alternation(parts, &[])?,
            Node::Capture(group, inner) => self.capture(*group, inner)?,
            Node::Atomic(inner) => {
                self.push(Op::Atomic)?;
                self.node(inner)?;
                self.push(Op::Commit { rewinds: false })?;
            }
            Node::Look(look, inner) => {
                self.look(*look, inner, false)?;
            }
            Node::Repeat(repeat) => self.repeat(repeat)?,
            Node::BackReference { group, ignores_case } => {
                let groups = self.syntax.groups_of(group);
                self.push(Op::BackReference { groups, ignores_case: *ignores_case })?;
            }
            Node::Call(target) => {
                let group = self.syntax.groups_of(target).into_iter().next().unwrap_or_default();
                self.push(Op::Call { group, to: UNKNOWN })?;
            }
            Node::Conditional(conditional) => self.conditional(conditional)?,
            Node::Keep => {
                self.push(Op::Keep)?;
            }
            Node::Verb(verb) => self.verb(verb)?,
        }
        Ok(())
    }

    fn set(&mut self, set: &CodeSet) -> Result<(), PatternError> {
        let op = match (set.single_bytes(), set) {
            (Some(bytes), _) => Op::Set(bytes),
            (None, CodeSet::Bytes(bytes)) => Op::Set(*bytes),
            (None, CodeSet::Chars(chars)) => Op::Char(Box::new(chars.clone())),
        };
        self.push(op).map(|_| ())
    }

    /// Compiles alternatives. With `steps`, each first goes back that many bytes or characters.
    fn alternation(&mut self, parts: &[Node], steps: &[usize]) -> Result<(), PatternError> {
        let outer = self.scope;
        // Scopes are needed only if there is a `(*THEN)`.
        let scope = parts.iter().any(|part| part.any(&|node| matches!(node, Node::Verb(Verb::Then)))).then(|| {
            self.scopes += 1;
            self.scopes
        });
        self.scope = scope.or(outer);
        let mut ends = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let is_last = index + 1 == parts.len();
            let choice = match scope {
                Some(scope) => Some(self.push(Op::Alternative { other: None, scope })?),
                None if is_last => None,
                None => Some(self.push(Op::Split { other: UNKNOWN, lazy: false })?),
            };
            if let Some(steps) = steps.get(index).filter(|steps| **steps > 0) {
                self.push(Op::StepBack(*steps))?;
            }
            self.node(part)?;
            if !is_last {
                ends.push(self.push(Op::Jump(UNKNOWN))?);
                choice.into_iter().for_each(|choice| self.lead_here(choice));
            }
        }
        ends.into_iter().for_each(|end| self.lead_here(end));
        self.scope = outer;
        Ok(())
    }

    fn capture(&mut self, group: usize, inner: &Node) -> Result<(), PatternError> {
        let register = self.register();
        let start = self.push(Op::Mark(register))?;
        if let Some(known) = self.group_starts.get_mut(group).filter(|known| **known == UNKNOWN) {
            *known = start;
        }
        self.open_groups.push((group, register));
        self.node(inner)?;
        self.open_groups.pop();
        self.push(Op::Close { group, register })?;
        self.push(Op::Return(group)).map(|_| ())
    }

    /// Compiles look-around. As a condition it continues if it holds, and the operation that leads to the other branch is returned.
    fn look(&mut self, look: Look, inner: &Node, is_condition: bool) -> Result<Option<usize>, PatternError> {
        let steps = if look.behind { self.steps_back(look, inner)? } else { Vec::new() };
        let register = (!look.atomic).then(|| self.register());
        let start = match register {
            Some(register) => self.push(Op::Mark(register))?,
            None => self.push(Op::Look { on_failure: None, end: UNKNOWN })?,
        };
        let is_plain = self.is_pure && !inner.any(&|node| matches!(node, Node::Capture(..)));
        self.look_ends.push(is_plain.then(Vec::new));
        let (scope, in_empty_loop) = (self.scope.take(), std::mem::take(&mut self.in_empty_loop));
        match inner {
            Node::Alternation(parts) => self.alternation(parts, &steps)?,
            other => self.alternation(std::slice::from_ref(other), &steps)?,
        }
        (self.scope, self.in_empty_loop) = (scope, in_empty_loop);
        let end = match register {
            Some(register) => self.push(Op::Rewind(register))?,
            None if look.negative => self.push(Op::Reject { to: None })?,
            None => self.push(Op::Commit { rewinds: true })?,
        };
        for span in self.look_ends.pop().flatten().unwrap_or_default() {
            if let Some(Op::Span(span)) = self.ops.get_mut(span) {
                span.look_end = Some(end);
            }
        }
        if let Some(Op::Look { end: known, .. }) = self.ops.get_mut(start) {
            *known = end;
        }
        if look.negative {
            self.lead_here(start);
        }
        // A failed condition leads to the other branch.
        Ok(is_condition.then_some(if look.negative { end } else { start }))
    }

    /// Returns the number of bytes or characters that each alternative of a look-behind goes back.
    fn steps_back(&self, look: Look, inner: &Node) -> Result<Vec<usize>, PatternError> {
        let alternatives = match inner {
            Node::Alternation(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let lengths = alternatives.iter().map(|part| part.fixed_length(self.syntax, MAX_CALLS)).collect::<Option<_>>();
        lengths.ok_or_else(|| PatternError::new("each alternative of a look-behind must have a fixed length", look.position))
    }

    fn repeat(&mut self, repeat: &Repeat) -> Result<(), PatternError> {
        let Repeat { node, min, max, kind } = repeat;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(set) = single(node) {
            if *min > 0 {
                self.push(Op::Take(set, count(*min)))?;
            }
            let rest = max.map(|max| count(max.saturating_sub(*min)));
            return if rest == Some(0) { Ok(()) } else { self.span(set, rest, *kind) };
        }
        if *kind == RepeatKind::Possessive {
            self.push(Op::Atomic)?;
            self.repeat(&Repeat { kind: RepeatKind::Greedy, ..repeat.clone() })?;
            return self.push(Op::Commit { rewinds: false }).map(|_| ());
        }
        let lazy = *kind == RepeatKind::Lazy;
        if *max == Some(0) {
            // It is only called.
            let over = self.push(Op::Jump(UNKNOWN))?;
            self.node(node)?;
            self.lead_here(over);
            return Ok(());
        }
        let copies = if max.is_none() { min.saturating_sub(1) } else { *min };
        (0..copies).try_for_each(|_| self.node(node))?;
        match max {
            None => self.endless(node, *min == 0, lazy),
            Some(max) => {
                let mut exits = Vec::new();
                for _ in *min..*max {
                    exits.push(self.choice(lazy)?);
                    self.node(node)?;
                }
                exits.into_iter().for_each(|exit| self.lead_here(exit));
                Ok(())
            }
        }
    }

    /// Compiles an unbounded repetition; the first iteration may be skipped if `optional`.
    fn endless(&mut self, node: &Node, optional: bool, lazy: bool) -> Result<(), PatternError> {
        let skip = if optional { Some(self.choice(lazy)?) } else { None };
        let start = self.ops.len();
        let register = may_be_empty(node).then(|| self.register());
        let outer = self.in_empty_loop;
        self.in_empty_loop |= register.is_some();
        let mut progress = None;
        if let Some(register) = register {
            self.push(Op::Mark(register))?;
            self.node(node)?;
            progress = Some(self.push(Op::Progress { register, exit: UNKNOWN })?);
        } else {
            self.node(node)?;
        }
        self.in_empty_loop = outer;
        // Another iteration is tried first, or last if lazy.
        let exit = self.choice(lazy)?;
        self.push(Op::Jump(start))?;
        [skip, progress, Some(exit)].into_iter().flatten().for_each(|place| self.lead_here(place));
        Ok(())
    }

    /// Adds a choice between the next operation and a target that is not known yet.
    fn choice(&mut self, lazy: bool) -> Result<usize, PatternError> {
        if self.is_pure && !self.in_empty_loop {
            self.push(Op::Memo)?;
        }
        self.push(Op::Split { other: UNKNOWN, lazy })
    }

    fn span(&mut self, set: ByteSet, max: Option<usize>, kind: RepeatKind) -> Result<(), PatternError> {
        let remembers = self.is_pure && !self.in_empty_loop && max.is_none() && kind != RepeatKind::Possessive;
        let span = Span { set, max, kind, number: self.spans, remembers, look_end: None };
        self.spans += 1;
        let at = self.push(Op::Span(Box::new(span)))?;
        if let Some(Some(spans)) = self.look_ends.last_mut().filter(|_| remembers) {
            spans.push(at);
        }
        Ok(())
    }

    fn conditional(&mut self, conditional: &Conditional) -> Result<(), PatternError> {
        let Conditional { condition, yes, no } = conditional;
        let groups_of = |target: &Target| self.syntax.groups_of(target);
        let test = match condition {
            Condition::Known(holds) => return self.node(if *holds { yes } else { no }),
            Condition::Define => Some(self.push(Op::Jump(UNKNOWN))?),
            Condition::Group(target) => Some(self.push(Op::IfGroup { groups: groups_of(target), otherwise: UNKNOWN })?),
            Condition::Recursion(target) => {
                let groups = target.as_ref().map(groups_of);
                Some(self.push(Op::IfRecursion { groups, otherwise: UNKNOWN })?)
            }
            Condition::Look(node) => match node.as_ref() {
                Node::Look(look, inner) => self.look(Look { atomic: true, ..*look }, inner, true)?,
                other => {
                    self.node(other)?;
                    None
                }
            },
        };
        self.node(yes)?;
        let over = if matches!(condition, Condition::Define) { None } else { Some(self.push(Op::Jump(UNKNOWN))?) };
        test.into_iter().for_each(|test| self.lead_here(test));
        self.node(no)?;
        over.into_iter().for_each(|over| self.lead_here(over));
        Ok(())
    }

    fn verb(&mut self, verb: &Verb) -> Result<(), PatternError> {
        let op = match verb {
            Verb::Accept => {
                // Open groups capture up to here.
                for (group, register) in self.open_groups.clone().into_iter().rev() {
                    self.push(Op::Close { group, register })?;
                }
                Op::Accept
            }
            Verb::Fail => Op::Fail,
            Verb::Commit => Op::Verb(BacktrackingVerb::Commit),
            Verb::Prune => Op::Verb(BacktrackingVerb::Prune),
            Verb::Skip(name) => Op::Verb(BacktrackingVerb::Skip(name.clone())),
            Verb::Then => Op::Verb(BacktrackingVerb::Then(self.scope)),
            Verb::Mark(name) => Op::Verb(BacktrackingVerb::Mark(name.clone())),
        };
        self.push(op).map(|_| ())
    }

    fn resolve_calls(&mut self) {
        for op in &mut self.ops {
            if let Op::Call { group, to } = op {
                *to = self.group_starts.get(*group).copied().unwrap_or(UNKNOWN);
            }
        }
    }
}

/// Returns the set of a part that is one byte.
fn single(node: &Node) -> Option<ByteSet> {
    match node {
        Node::Byte(byte) => Some(ByteSet::EMPTY.with(*byte)),
        Node::Set(set) => set.single_bytes(),
        _ => None,
    }
}

/// Returns `true` if a part may match nothing.
fn may_be_empty(node: &Node) -> bool {
    match node {
        Node::Byte(_) | Node::Set(_) => false,
        Node::Concat(parts) => parts.iter().all(may_be_empty),
        Node::Alternation(parts) => parts.iter().any(may_be_empty),
        Node::Capture(_, inner) | Node::Atomic(inner) => may_be_empty(inner),
        Node::Repeat(repeat) => repeat.min == 0 || may_be_empty(&repeat.node),
        Node::Conditional(conditional) => may_be_empty(&conditional.yes) || may_be_empty(&conditional.no),
        _ => true,
    }
}
