//! Texts with macros into templates.

use super::directives::Builder;
use super::targets::key_pattern;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Key, Part, Selector, Target, Template};
use crate::seclang::{MacroPart, macro_parts};
use crate::source::Span;
use crate::vocabulary::{Shape, Support, Variable, did_you_mean};

impl Builder<'_> {
    /// Resolves the macros of a text. A macro that names no variable is an error, as in ModSecurity v3.
    pub fn template(&mut self, text: &str, span: Span) -> Template {
        let mut parts = Vec::new();
        for part in macro_parts(text) {
            match part {
                MacroPart::Text(text) => parts.push(Part::Text(text.as_bytes().into())),
                MacroPart::Variable { name, key } => match self.reference(name, key) {
                    Ok(target) => parts.push(Part::Value(target)),
                    Err((message, hint)) => {
                        let place = macro_span(text, name, span);
                        self.report(Diagnostic::new(Code::UnknownMacro, place, message).maybe_hint(hint));
                    }
                },
            }
        }
        Template::new(parts, text)
    }

    /// The text of an action. As in ModSecurity v3 a `%` right behind a macro is part of the macro: old rules write `%{variable}%`.
    pub fn action_template(&mut self, text: &str, span: Span) -> Template {
        let mut pieces = text.split("}%");
        let mut written = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            // In front of `{` it begins the next macro.
            written.push_str(if piece.starts_with('{') { "}%" } else { "}" });
            written.push_str(piece);
        }
        self.template(&written, span)
    }

    fn reference(&mut self, name: &str, key: Option<&str>) -> Result<Target, (String, Option<String>)> {
        let unknown = || format!("the macro `%{{{name}}}` names no variable");
        let entry = Variable::find(name).ok_or_else(|| {
            let names = Variable::table().filter(|entry| entry.variable.is_some()).map(|entry| entry.name);
            (unknown(), did_you_mean(name, names, ""))
        })?;
        if let Support::Refused(why) = entry.support {
            return Err((format!("`{name}` is not supported"), Some(why.to_owned())));
        }
        let variable = entry.variable.ok_or_else(|| (unknown(), None))?;
        match (variable.shape(), key) {
            (Shape::Scalar, Some(key)) => Err((format!("`{name}` holds one value, so that `{key}` cannot be taken from it"), None)),
            (_, None) => Ok(Target::new(variable, Selector::All)),
            (Shape::Collection, Some(key)) => match key.strip_prefix('/').and_then(|pattern| pattern.strip_suffix('/')) {
                Some(pattern) => {
                    let selector =
                        key_pattern(pattern).map_err(|error| (format!("`{pattern}` is no regular expression: {error}"), None))?;
                    Ok(Target::new(variable, selector))
                }
                None => Ok(Target::new(variable, Selector::Key(self.key(variable, key)))),
            },
        }
    }

    /// A key of a collection; keys of TX get their number.
    pub fn key(&mut self, variable: Variable, text: &str) -> Key {
        let tx = (variable == Variable::Tx).then(|| self.graph.tx_names.intern(text.as_bytes()));
        Key { text: text.as_bytes().into(), tx }
    }
}

/// The place of the name in the first macro that has it; the whole text where escapes or further parts make the way back unsure.
fn macro_span(text: &str, name: &str, span: Span) -> Span {
    let opening = text.find(&format!("%{{{name}")).filter(|_| span.end.saturating_sub(span.start) == text.len());
    opening.map_or(span, |at| {
        let start = span.start + at + "%{".len();
        Span { start, end: start + name.len(), ..span }
    })
}
