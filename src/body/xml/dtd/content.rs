//! Content models: which children an element may have, in which order.

use std::collections::HashMap;
use std::fmt;

/// What stands for text among the children; no element can have this name where names are compared.
pub const TEXT: &str = "CDATA";

/// The most states that a content model may have.
const MOST_STATES: usize = 1 << 16;

/// The most sets of states and steps between them that are remembered for one document.
const MOST_REMEMBERED: usize = 1 << 14;

/// A part of a content model, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Particle {
    /// An element.
    Name(String, Occurrence),
    /// One after the other.
    Sequence(Vec<Particle>, Occurrence),
    /// One of several.
    Choice(Vec<Particle>, Occurrence),
}

/// How often a part may occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    Once,
    Optional,
    Any,
    Many,
}

/// A content model: a machine of states that is fed with the names of children.
#[derive(Debug)]
pub struct ContentModel {
    written: Particle,
    states: Vec<State>,
    start: usize,
}

#[derive(Debug)]
enum State {
    /// Takes a child of this name to another state.
    Take(String, usize),
    /// Goes on in each of these states.
    Split(Vec<usize>),
    /// The children may end here.
    End,
}

/// A content model with what was worked out of it so far: sets of states, numbered, and the steps from set to set.
pub struct Matcher<'m> {
    model: &'m ContentModel,
    sets: Vec<Box<[usize]>>,
    numbers: HashMap<Box<[usize]>, usize>,
    steps: HashMap<usize, HashMap<String, usize>>,
    remembered: usize,
}

impl ContentModel {
    /// Compiles a content model; `None` for one that is too large.
    pub fn new(written: Particle) -> Option<Self> {
        let mut states = vec![State::End];
        let start = compile(&written, 0, &mut states)?;
        Some(Self { written, states, start })
    }

    /// The states that take a child, or the end, reached from some states without taking one; sorted.
    fn reach(&self, from: impl Iterator<Item = usize>) -> Box<[usize]> {
        let mut seen = vec![false; self.states.len()];
        let mut open: Vec<usize> = from.collect();
        let mut reached = Vec::new();
        while let Some(state) = open.pop() {
            match seen.get_mut(state) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            match self.states.get(state) {
                Some(State::Split(next)) => open.extend_from_slice(next),
                Some(_) => reached.push(state),
                None => {}
            }
        }
        reached.sort_unstable();
        reached.into()
    }
}

/// Adds the states of a particle; `next` is where its end leads. Gives the state of its beginning. Particles are nested only as deeply as
/// the parser lets them be.
fn compile(particle: &Particle, next: usize, states: &mut Vec<State>) -> Option<usize> {
    if states.len() > MOST_STATES {
        return None;
    }
    let (Particle::Name(_, occurrence) | Particle::Sequence(_, occurrence) | Particle::Choice(_, occurrence)) = particle;
    let repeats = matches!(*occurrence, Occurrence::Any | Occurrence::Many);
    let turn = states.len();
    if repeats {
        states.push(State::Split(Vec::new()));
    }
    let behind = if repeats { turn } else { next };
    let start = match particle {
        Particle::Name(name, _) => {
            states.push(State::Take(name.clone(), behind));
            states.len().checked_sub(1)?
        }
        Particle::Sequence(parts, _) => parts.iter().rev().try_fold(behind, |next, part| compile(part, next, states))?,
        Particle::Choice(parts, _) => {
            let parts: Option<Vec<usize>> = parts.iter().map(|part| compile(part, behind, states)).collect();
            states.push(State::Split(parts?));
            states.len().checked_sub(1)?
        }
    };
    if let (true, Some(split)) = (repeats, states.get_mut(turn)) {
        *split = State::Split(vec![start, next]);
    }
    Some(match *occurrence {
        Occurrence::Once | Occurrence::Many => start,
        Occurrence::Any => turn,
        Occurrence::Optional => {
            states.push(State::Split(vec![start, next]));
            states.len().checked_sub(1)?
        }
    })
}

impl<'m> Matcher<'m> {
    pub fn new(model: &'m ContentModel) -> Self {
        Self { model, sets: Vec::new(), numbers: HashMap::new(), steps: HashMap::new(), remembered: 0 }
    }

    /// Whether an element may have these children.
    pub fn accepts<T: AsRef<str>>(&mut self, children: &[T]) -> bool {
        let mut at = self.number(self.model.reach(std::iter::once(self.model.start)));
        for child in children {
            let child = child.as_ref();
            at = match self.steps.get(&at).and_then(|steps| steps.get(child)) {
                Some(known) => *known,
                None => {
                    let next = self.step(at, child);
                    if next.is_empty() {
                        return false;
                    }
                    self.remember(at, child, next)
                }
            };
        }
        let end = |state: &usize| matches!(self.model.states.get(*state), Some(State::End));
        self.sets.get(at).is_some_and(|states| states.iter().any(end))
    }

    fn step(&self, at: usize, child: &str) -> Box<[usize]> {
        let states = self.sets.get(at).map_or(&[][..], |states| states);
        self.model.reach(states.iter().filter_map(|state| match self.model.states.get(*state) {
            Some(State::Take(name, next)) if name == child => Some(*next),
            _ => None,
        }))
    }

    fn remember(&mut self, at: usize, child: &str, next: Box<[usize]>) -> usize {
        if self.remembered >= MOST_REMEMBERED {
            self.steps.clear();
            self.numbers.clear();
            self.sets.clear();
            self.remembered = 0;
            return self.number(next);
        }
        self.remembered = self.remembered.saturating_add(1);
        let next = self.number(next);
        self.steps.entry(at).or_default().insert(child.to_owned(), next);
        next
    }

    fn number(&mut self, states: Box<[usize]>) -> usize {
        if let Some(known) = self.numbers.get(&states) {
            return *known;
        }
        let number = self.sets.len();
        self.numbers.insert(states.clone(), number);
        self.sets.push(states);
        number
    }
}

/// As libxml2 shows it: `(a* , (b | c)+ , d?)`.
impl fmt::Display for ContentModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.written {
            Particle::Name(name, occurrence) => write!(f, "({name}){}", occurrence.mark()),
            group => group.fmt(f),
        }
    }
}

impl Particle {
    /// Alternatives, in libxml2's simplest form: `(a? | b*)+` is `(a | b)*`.
    pub fn choice(mut parts: Vec<Self>, occurrence: Occurrence) -> Self {
        let mut can_be_empty = occurrence == Occurrence::Any;
        if matches!(occurrence, Occurrence::Any | Occurrence::Many) {
            for part in &mut parts {
                let (Self::Name(_, inner) | Self::Sequence(_, inner) | Self::Choice(_, inner)) = part;
                if matches!(inner, Occurrence::Optional | Occurrence::Any) {
                    *inner = Occurrence::Once;
                    can_be_empty = true;
                }
            }
        }
        Self::Choice(parts, if can_be_empty { Occurrence::Any } else { occurrence })
    }

    /// The same part within parentheses that have an occurrence of their own.
    pub fn repeated(mut self, outer: Occurrence) -> Self {
        let (Self::Name(_, occurrence) | Self::Sequence(_, occurrence) | Self::Choice(_, occurrence)) = &mut self;
        *occurrence = match (*occurrence, outer) {
            (one, Occurrence::Once) | (Occurrence::Once, one) => one,
            (one, other) if one == other => one,
            _ => Occurrence::Any,
        };
        self
    }
}

impl fmt::Display for Particle {
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
    fn mark(self) -> &'static str {
        match self {
            Occurrence::Once => "",
            Occurrence::Optional => "?",
            Occurrence::Any => "*",
            Occurrence::Many => "+",
        }
    }
}
