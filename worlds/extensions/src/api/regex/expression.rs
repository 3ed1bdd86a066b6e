//! Compiled expressions of a run, and searches with them.

use super::{Found, Groups, kind};
use mlua::{Lua, Value};
use secrule::internals::lua::Budget;
use secrule::internals::pattern::{Effort, Pattern, PatternOptions};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// Maximum number of expressions that are kept; beyond it they are compiled anew.
const MAX_KEPT: usize = 100;

/// Maximum number of states of an expression with its repetitions written out.
const MAX_SIZE: usize = 50_000;

/// Maximum number of states of all expressions that are in use: they take memory outside of Lua.
const MAX_IN_USE: usize = 500_000;

/// Maximum work of one search, in units of [`Effort`]: it takes a fraction of a second.
const MAX_EFFORT: usize = 50_000_000;

/// Maximum number of functions that give replacements, one called by the other.
const MAX_DEPTH: usize = 10;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    pattern: Pattern,
    /// Names of groups by their numbers.
    names: HashMap<usize, String>,
    /// Number of states of all expressions that are in use.
    in_use: Rc<Cell<usize>>,
}

/// A pattern, and its options.
type Key = (Vec<u8>, Vec<u8>);

/// The expressions of a run.
#[derive(Debug)]
pub struct Expressions {
    kept: RefCell<HashMap<Key, Rc<Expression>>>,
    in_use: Rc<Cell<usize>>,
    budget: Rc<Budget>,
    depth: Cell<usize>,
}

impl Expressions {
    pub fn new(budget: Rc<Budget>) -> Self {
        Self { kept: RefCell::default(), in_use: Rc::default(), budget, depth: Cell::new(0) }
    }

    /// Returns a compiled expression.
    ///
    /// # Errors
    /// If it is not one, there is no such option, or those in use are too large.
    pub fn of(&self, lua: &Lua, pattern: &Value, options: &Value) -> Found<Rc<Expression>> {
        let source = pattern.as_string().ok_or_else(|| format!("the pattern is not a text, but {}", kind(pattern)))?.as_bytes().to_vec();
        let options = match options {
            Value::Nil => Vec::new(),
            Value::String(options) => options.as_bytes().to_vec(),
            other => return Err(format!("the options are not a text, but {}", kind(other))),
        };
        let key = (source, options);
        if let Some(known) = self.kept.borrow().get(&key) {
            return Ok(Rc::clone(known));
        }
        let expression = Rc::new(Expression::compile(&key.0, &key.1, &self.in_use)?);
        // Compiling takes time in proportion. What is over is seen by the caller of the function.
        let _ = self.budget.spend(u64::try_from(expression.size() + key.0.len()).unwrap_or(u64::MAX));
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= MAX_KEPT || self.in_use.get() > MAX_IN_USE {
            kept.clear();
        }
        if self.in_use.get() > MAX_IN_USE {
            // Some are held by functions of `gmatch` that nobody has any more.
            let _ = lua.gc_collect();
        }
        if self.in_use.get() > MAX_IN_USE {
            return Err("the patterns that are in use are too large together".to_owned());
        }
        kept.insert(key, Rc::clone(&expression));
        Ok(expression)
    }

    /// Searches from a place on. Returns the ranges of the match and of its groups.
    ///
    /// # Errors
    /// If the search takes too much work.
    pub fn search(&self, expression: &Expression, subject: &[u8], start: usize) -> Found<Option<Groups>> {
        let mut effort = Effort { used: 0, limit: MAX_EFFORT };
        let mut groups = Vec::new();
        let is_match = expression.pattern.captures(subject, start, &mut groups, &mut effort);
        let read = subject.len().saturating_sub(start).saturating_add(effort.used);
        let _ = self.budget.spend_on(read);
        let _ = self.budget.spend(1);
        match is_match {
            Ok(is_match) => Ok(is_match.then_some(groups)),
            Err(_) => Err("the search takes too much work: write a pattern with fewer ways to match".to_owned()),
        }
    }

    /// Ends a call whose budget is over.
    pub fn check(&self) -> mlua::Result<()> {
        self.budget.check().map_err(|excess| mlua::Error::runtime(excess.to_string()))
    }

    /// Calls a function of the script, which may call this again: each call takes some of the stack of the thread.
    pub fn nested<T>(&self, call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        if self.depth.get() >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} replacements are nested"));
        }
        self.depth.set(self.depth.get() + 1);
        let result = call();
        self.depth.set(self.depth.get() - 1);
        result
    }
}

impl Expression {
    fn compile(source: &[u8], options: &[u8], in_use: &Rc<Cell<usize>>) -> Found<Self> {
        let (verbs, rest) = source.split_at(length_of_verbs(source));
        let (mut is_utf, mut is_anchored) = (false, false);
        let is_on = |flag: u8| options.contains(&flag);
        // The engine's own flags are others, so that these are stated both ways.
        let on: String = ['s', 'm', 'i', 'x'].into_iter().filter(|flag| is_on(*flag as u8)).collect();
        let off: String = ['s', 'm'].into_iter().filter(|flag| !is_on(*flag as u8)).collect();
        for option in options {
            match option {
                b'i' | b's' | b'm' | b'x' | b'd' | b'D' | b'j' | b'o' | b'U' => {}
                b'a' => is_anchored = true,
                b'u' => is_utf = true,
                other => return Err(format!("unknown flag \"{}\" (flags \"{}\")", other.escape_ascii(), options.escape_ascii())),
            }
        }
        let utf = if is_utf { "(*UTF)" } else { "" };
        let anchor = if is_anchored { "\\G" } else { "" };
        let minus = if off.is_empty() { "" } else { "-" };
        let full = [utf.as_bytes(), verbs, format!("{anchor}(?{on}{minus}{off})").as_bytes(), rest].concat();
        let limits = PatternOptions { max_size: MAX_SIZE, ..PatternOptions::default() };
        let pattern = Pattern::compile(&full, limits).map_err(|error| format!("the pattern cannot be compiled: {error}"))?;
        let expression = Self { pattern, names: group_names(rest, is_on(b'x')), in_use: Rc::clone(in_use) };
        in_use.set(in_use.get().saturating_add(expression.size()));
        Ok(expression)
    }

    fn size(&self) -> usize {
        self.pattern.size()
    }

    /// Returns the name of a group.
    pub fn name(&self, group: usize) -> Option<&str> {
        self.names.get(&group).map(String::as_str)
    }
}

impl Drop for Expression {
    fn drop(&mut self) {
        self.in_use.set(self.in_use.get().saturating_sub(self.size()));
    }
}

/// Returns the length of the settings at the start of a pattern, such as `(*UTF)`: nothing may come before them.
fn length_of_verbs(source: &[u8]) -> usize {
    let mut length = 0;
    while let Some(rest) = source.get(length..)
        && rest.starts_with(b"(*")
        && let Some(end) = rest.iter().position(|byte| *byte == b')')
        && rest
            .get(2..end)
            .is_some_and(|verb| verb.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_=".contains(byte)))
    {
        length += end + 1;
    }
    length
}

/// Returns the names of groups by their numbers, counted by their opening brackets.
fn group_names(source: &[u8], has_comments: bool) -> HashMap<usize, String> {
    let (mut names, mut count, mut at) = (HashMap::new(), 0, 0);
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let skipped = match rest {
            [b'\\', b'Q', ..] => rest.windows(2).position(|pair| pair == b"\\E").map_or(rest.len(), |end| end + 2),
            [b'\\', ..] => 2,
            [b'[', ..] => length_of_class(rest),
            [b'#', ..] if has_comments => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
            [b'(', b'?', more @ ..] => {
                let name = match more {
                    [b'P', b'<', name @ ..] => Some((name, b'>')),
                    [b'<', mark, ..] if !b"=!".contains(mark) => more.get(1..).map(|name| (name, b'>')),
                    [b'\'', name @ ..] => Some((name, b'\'')),
                    _ => None,
                };
                if let Some((name, end)) = name {
                    count += 1;
                    let end = name.iter().position(|byte| *byte == end).unwrap_or(0);
                    names.insert(count, String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned());
                }
                2
            }
            [b'(', b'*', ..] => 2,
            [b'(', ..] => {
                count += 1;
                1
            }
            _ => 1,
        };
        at += skipped;
    }
    names
}

/// Returns the length of a class in brackets.
fn length_of_class(source: &[u8]) -> usize {
    let negated = usize::from(source.get(1) == Some(&b'^'));
    // A closing bracket that comes first is a member.
    let mut at = 1 + negated + usize::from(source.get(1 + negated) == Some(&b']'));
    while let Some(byte) = source.get(at) {
        match byte {
            b'\\' => at += 2,
            b']' => return at + 1,
            b'[' if source.get(at + 1) == Some(&b':') => {
                let rest = source.get(at..).unwrap_or_default();
                at += rest.windows(2).position(|pair| pair == b":]").map_or(1, |end| end + 2);
            }
            _ => at += 1,
        }
    }
    source.len()
}
