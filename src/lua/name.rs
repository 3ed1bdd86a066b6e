//! Names of variables and transformations in scripts, parsed once: a script uses the same ones in each call.

use crate::graph::{Key, Selector, Target};
use crate::transform::Transformation;
use crate::vocabulary::{Shape, Variable};

/// A variable in a script: `ARGS`, `ARGS:key`, `TX.key`, `XML:/path`.
#[derive(Clone, Debug)]
pub struct VariableName {
    text: Box<[u8]>,
    target: Option<Target>,
}

/// Transformations in a script, separated by commas.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    steps: Vec<Step>,
}

/// A transformation of the chain.
#[derive(Clone, Debug)]
pub enum Step {
    /// A known transformation.
    Known(Transformation),
    /// An unknown name.
    Unknown(Box<[u8]>),
}

/// Can be parsed from a text.
pub trait Read {
    /// Parses a text.
    fn read(text: &[u8]) -> Self;
}

impl VariableName {
    /// Returns the text as the script wrote it.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns the part before the key.
    pub fn variable(&self) -> &[u8] {
        split(&self.text).0
    }

    /// Returns the key, if there is one.
    pub fn key(&self) -> Option<&[u8]> {
        split(&self.text).1
    }

    /// Returns the target; `None` if there is no such variable.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }
}

impl Chain {
    /// Returns the transformations, in order. `none` is not among them: as in ModSecurity v3 it has no effect.
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

/// TX keys have no number here: a name is used with every graph.
fn selector(variable: Variable, key: Option<&[u8]>) -> Option<Selector> {
    Some(match key {
        None => Selector::All,
        Some(path) if variable == Variable::Xml => Selector::XPath(std::str::from_utf8(path).ok()?.into()),
        Some(key) => Selector::Key(Key { text: key.into(), tx: None }),
    })
}
