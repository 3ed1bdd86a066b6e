//! Content models: the children of an element and their order.

use super::particle::{Occurrence, Particle};
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

/// The name of text among the children; no element can have it if names are compared.
pub const TEXT: &str = "CDATA";

/// Maximum number of states of a content model.
const MAX_STATES: usize = 1 << 16;

/// Maximum number of states in all the sets that are cached for one document.
const MAX_REMEMBERED: usize = 1 << 18;

/// A child in a content model: a name, or the wildcard of a grammar's language.
pub trait Label {
    /// Returns `true` if it allows a child with this name.
    fn takes(&self, child: &str) -> bool;
}

impl Label for String {
    fn takes(&self, child: &str) -> bool {
        self == child
    }
}

/// A content model: an automaton on the names of children.
#[derive(Debug)]
pub struct ContentModel<L> {
    written: Particle<L>,
    states: Vec<State<L>>,
    start: usize,
}

#[derive(Debug)]
enum State<L> {
    /// Consumes a child and enters another state.
    Take(L, usize),
    /// Continues in each of these states.
    Split(Vec<usize>),
    /// The children may end here.
    End,
}

/// A content model and its cache: sets of states, numbered, and the steps between them.
pub struct Matcher<'m, L> {
    model: &'m ContentModel<L>,
    sets: Vec<Box<[usize]>>,
    numbers: HashMap<Box<[usize]>, usize>,
    known: HashMap<usize, HashMap<String, usize>>,
    /// Total number of states in all the sets.
    remembered: usize,
    /// For each state the last search that visited it, and the number of the search.
    seen: (Vec<usize>, usize),
    /// Number of states that may still be visited: an ambiguous model is in many at a time.
    steps: &'m Cell<usize>,
}

impl<L: Label + Clone> ContentModel<L> {
    /// Compiles a content model; `None` if it is too large.
    pub fn new(written: Particle<L>) -> Option<Self> {
        let mut states = vec![State::End];
        let start = compile(&written, 0, &mut states)?;
        Some(Self { written, states, start })
    }
}

/// Adds the states of a particle, and returns its first state; `next` is the state after it. The parser limits the nesting of particles.
fn compile<L: Clone>(particle: &Particle<L>, next: usize, states: &mut Vec<State<L>>) -> Option<usize> {
    let (Particle::Name(_, occurrence) | Particle::Sequence(_, occurrence) | Particle::Choice(_, occurrence)) = *particle;
    let before = states.len();
    let Some(max) = occurrence.max else {
        states.push(State::Split(Vec::new()));
        let mut start = once(particle, before, states)?;
        if let Some(turn) = states.get_mut(before) {
            *turn = State::Split(vec![start, next]);
        }
        if occurrence.min == 0 {
            return Some(before);
        }
        for _ in 1..occurrence.min {
            start = match once(particle, start, states)? {
                same if same == start => break,
                begin => begin,
            };
        }
        return Some(start);
    };
    let mut start = next;
    for place in (0..max).rev() {
        let begin = once(particle, start, states)?;
        if states.len() == before {
            // It is empty, however often it occurs.
            return Some(next);
        }
        start = if place < occurrence.min { begin } else { push(State::Split(vec![begin, next]), states)? };
    }
    Some(start)
}

/// Compiles a particle that occurs once.
fn once<L: Clone>(particle: &Particle<L>, next: usize, states: &mut Vec<State<L>>) -> Option<usize> {
    match particle {
        Particle::Name(label, _) => push(State::Take(label.clone(), next), states),
        Particle::Sequence(parts, _) => parts.iter().rev().try_fold(next, |next, part| compile(part, next, states)),
        Particle::Choice(parts, _) => {
            let parts: Option<Vec<usize>> = parts.iter().map(|part| compile(part, next, states)).collect();
            push(State::Split(parts?), states)
        }
    }
}

fn push<L>(state: State<L>, states: &mut Vec<State<L>>) -> Option<usize> {
    let number = states.len();
    if number > MAX_STATES {
        return None;
    }
    states.push(state);
    Some(number)
}

impl<'m, L: Label> Matcher<'m, L> {
    /// Makes a matcher that charges its work to `steps`, which several matchers may share.
    pub fn new(model: &'m ContentModel<L>, steps: &'m Cell<usize>) -> Self {
        let seen = (vec![0; model.states.len()], 0);
        Self { model, sets: Vec::new(), numbers: HashMap::new(), known: HashMap::new(), remembered: 0, seen, steps }
    }

    /// Checks the children of an element. The error is the number of the first misplaced child, or the number of all children if some are missing at
    /// the end. If no steps are left, the next child counts as misplaced.
    pub fn judge<T: AsRef<str>>(&mut self, children: &[T]) -> Result<(), usize> {
        let start = self.reach(vec![self.model.start]);
        let mut at = self.number(start);
        for (place, child) in children.iter().enumerate() {
            let child = child.as_ref();
            if self.steps.get() == 0 {
                return Err(place);
            }
            at = match self.known.get(&at).and_then(|known| known.get(child)) {
                Some(known) => *known,
                None => {
                    let next = self.step(at, child);
                    if next.is_empty() {
                        return Err(place);
                    }
                    self.remember(at, child, next)
                }
            };
        }
        let end = |state: &usize| matches!(self.model.states.get(*state), Some(State::End));
        if self.sets.get(at).is_some_and(|states| states.iter().any(end)) { Ok(()) } else { Err(children.len()) }
    }

    fn step(&mut self, at: usize, child: &str) -> Box<[usize]> {
        let states = self.sets.get(at).map_or(&[][..], |states| states);
        let next = states.iter().filter_map(|state| match self.model.states.get(*state) {
            Some(State::Take(label, next)) if label.takes(child) => Some(*next),
            _ => None,
        });
        self.reach(next.collect())
    }

    /// Returns the states that consume a child or accept, reached from some states without consuming a child; sorted.
    fn reach(&mut self, mut open: Vec<usize>) -> Box<[usize]> {
        let (seen, search) = &mut self.seen;
        *search = search.saturating_add(1);
        let mut reached = Vec::new();
        let mut looks = 1usize;
        while let Some(state) = open.pop() {
            looks = looks.saturating_add(1);
            match seen.get_mut(state) {
                Some(seen) if *seen != *search => *seen = *search,
                _ => continue,
            }
            match self.model.states.get(state) {
                Some(State::Split(next)) => open.extend_from_slice(next),
                Some(_) => reached.push(state),
                None => {}
            }
        }
        self.steps.set(self.steps.get().saturating_sub(looks));
        reached.sort_unstable();
        reached.into()
    }

    fn remember(&mut self, at: usize, child: &str, next: Box<[usize]>) -> usize {
        if self.remembered >= MAX_REMEMBERED {
            self.known.clear();
            self.numbers.clear();
            self.sets.clear();
            self.remembered = 0;
            return self.number(next);
        }
        let next = self.number(next);
        self.known.entry(at).or_default().insert(child.to_owned(), next);
        next
    }

    fn number(&mut self, states: Box<[usize]>) -> usize {
        if let Some(known) = self.numbers.get(&states) {
            return *known;
        }
        let number = self.sets.len();
        self.remembered = self.remembered.saturating_add(states.len());
        self.numbers.insert(states.clone(), number);
        self.sets.push(states);
        number
    }
}

/// Writes it as libxml2 does: `(a* , (b | c)+ , d?)`.
impl fmt::Display for ContentModel<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.written {
            Particle::Name(name, occurrence) => write!(f, "({name}){}", occurrence.mark()),
            group => group.fmt(f),
        }
    }
}

impl fmt::Display for Particle<String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, separator, occurrence) = match self {
            Particle::Name(name, occurrence) => {
                f.write_str(name)?;
                return f.write_str(occurrence.mark());
            }
            Particle::Sequence(parts, occurrence) => (parts, " , ", occurrence),
            Particle::Choice(parts, occurrence) => (parts, " | ", occurrence),
        };
        f.write_str("(")?;
        for (place, part) in parts.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { separator })?;
            part.fmt(f)?;
        }
        f.write_str(")")?;
        f.write_str(occurrence.mark())
    }
}

impl Occurrence {
    /// Returns the sign for it in a DTD.
    fn mark(self) -> &'static str {
        match self {
            Self::OPTIONAL => "?",
            Self::ANY => "*",
            Self::MANY => "+",
            _ => "",
        }
    }
}
