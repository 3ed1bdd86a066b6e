//! What scripts call variables and transformations, read once: a script asks for the same ones in each call.

use crate::graph::{Key, Selector, Target};
use crate::transform::Transformation;
use crate::vocabulary::{Shape, Variable};

/// A variable as a script names it: `ARGS`, `ARGS:key`, `TX.key`, `XML:/path`.
#[derive(Clone, Debug)]
pub struct VariableName {
    text: Box<[u8]>,
    target: Option<Target>,
}

/// Transformations as a script names them, with commas between.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    steps: Vec<Step>,
}

/// One of them.
#[derive(Clone, Debug)]
pub enum Step {
    /// A transformation.
    Known(Transformation),
    /// A name that none has.
    Unknown(Box<[u8]>),
}

/// What is read from a text.
pub trait Read {
    /// Reads it.
    fn read(text: &[u8]) -> Self;
}

impl VariableName {
    /// As the script wrote it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The part before the key.
    pub fn variable(&self) -> &[u8] {
        split(&self.text).0
    }

    /// The key, where it has one.
    pub fn key(&self) -> Option<&[u8]> {
        split(&self.text).1
    }

    /// What it selects; nothing where there is no such variable.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }
}

impl Chain {
    /// The transformations, in order. `none` is not among them: as in ModSecurity v3 it changes nothing.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl Read for VariableName {
    fn read(text: &[u8]) -> Self {
        let (variable, key) = split(text);
        let found = std::str::from_utf8(variable).ok().and_then(Variable::find).and_then(|entry| entry.variable);
        let variable = found.filter(|variable| key.is_none() || variable.shape() == Shape::Collection);
        let target = variable.and_then(|variable| Some(Target::new(variable, selector(variable, key)?)));
        Self { text: text.into(), target }
    }
}

impl Read for Chain {
    fn read(text: &[u8]) -> Self {
        let names = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let steps = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"none")).map(|name| {
            let known = std::str::from_utf8(name).ok().and_then(Transformation::from_name);
            known.map_or_else(|| Step::Unknown(name.into()), Step::Known)
        });
        Self { steps: steps.collect() }
    }
}

fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let separator = text.iter().position(|byte| matches!(byte, b'.' | b':'));
    separator.and_then(|at| text.split_at_checked(at)).map_or((text, None), |(variable, key)| (variable, key.get(1..)))
}

/// Keys of TX have no number here: a name serves every graph.
fn selector(variable: Variable, key: Option<&[u8]>) -> Option<Selector> {
    Some(match key {
        None => Selector::All,
        Some(path) if variable == Variable::Xml => Selector::XPath(std::str::from_utf8(path).ok()?.into()),
        Some(key) => Selector::Key(Key { text: key.into(), tx: None }),
    })
}
