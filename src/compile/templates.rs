//! Compiles texts with macros into templates.

use super::context::Context;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Key, Part, Selector, Target, Template};
use crate::pattern::{Pattern, PatternError, PatternOptions};
use crate::seclang::{MacroPart, macro_parts, unclosed_macro};
use crate::source::Span;
use crate::vocabulary::{Shape, Support, Variable, did_you_mean};

/// Resolves the macros of a text. As in ModSecurity v3, a macro that names no variable is an error, and so is one that is never closed.
pub fn template(context: &mut Context<'_>, text: &str, span: Span) -> Template {
    if has_percent(text)
        && let Some(unclosed) = unclosed_macro(text)
    {
        report_unclosed_macro(context, text, unclosed, span);
    }
    argument_template(context, text, span)
}

/// Returns `false` for a text without macros, as most are.
fn has_percent(text: &str) -> bool {
    memchr::memchr(b'%', text.as_bytes()).is_some()
}

/// Resolves an operator's argument, in which a `%{` without its `}` may be text.
pub fn argument_template(context: &mut Context<'_>, text: &str, span: Span) -> Template {
    if let Some(known) = context.templates.get(text) {
        return known.clone();
    }
    let (mut parts, mut is_valid) = (Vec::new(), true);
    for part in macro_parts(text) {
        match part {
            MacroPart::Text(text) => parts.push(Part::Text(text.as_bytes().into())),
            MacroPart::Variable { name, key } => match reference(context, name, key) {
                Ok(target) => parts.push(Part::Value(target)),
                Err((message, hint)) => {
                    let place = macro_span(text, name, span);
                    context.report(Diagnostic::new(Code::UnknownMacro, place, message).maybe_hint(hint));
                    is_valid = false;
                }
            },
        }
    }
    let template = Template::new(parts, text);
    if is_valid {
        context.templates.insert(text.into(), template.clone());
    }
    template
}

/// Resolves the text of an action. As in ModSecurity v3, a `%` right after a macro is part of the macro: old rules write `%{variable}%`.
pub fn action_template(context: &mut Context<'_>, text: &str, span: Span) -> Template {
    if !has_percent(text) {
        return argument_template(context, text, span);
    }
    let mut pieces = text.split("}%");
    let mut written = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // A `%` before `{` begins the next macro.
        written.push_str(if piece.starts_with('{') { "}%" } else { "}" });
        written.push_str(piece);
    }
    template(context, &written, span)
}

/// Reports a `%{` without its `}`; what follows it would be text, and its value would be missing.
pub fn report_unclosed_macro(context: &mut Context<'_>, text: &str, unclosed: &str, span: Span) {
    let offset = text.len().saturating_sub(unclosed.len());
    let place = part_of(text, offset, "%{".len(), span);
    let name = unclosed.trim_start_matches("%{").split(|c: char| !c.is_ascii_alphanumeric() && !"_.:-".contains(c)).next();
    let hint = match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("write %{{{name}}}"),
        None => String::from("write } after the variable name, as in %{tx.score}"),
    };
    context.report(Diagnostic::new(Code::UnknownMacro, place, "this macro is never closed").hint(hint));
}

fn reference(context: &mut Context<'_>, name: &str, key: Option<&str>) -> Result<Target, (String, Option<String>)> {
    if name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace) || key.is_some_and(|key| key.trim() != key) {
        let plain = key.map_or_else(|| name.trim().to_owned(), |key| format!("{}.{}", name.trim(), key.trim()));
        return Err((String::from("this macro contains a blank"), Some(format!("write %{{{plain}}}"))));
    }
    if key.is_some_and(str::is_empty) {
        let hint = format!("write the key, as in %{{{name}.score}}");
        return Err((format!("the macro `%{{{name}.}}` needs a key"), Some(hint)));
    }
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
        (Shape::Scalar, Some(key)) => Err((format!("`{name}` has one value, so `{key}` cannot be selected from it"), None)),
        (_, None) => Ok(Target::new(variable, Selector::All)),
        (Shape::Collection, Some(key)) => match key.strip_prefix('/').and_then(|pattern| pattern.strip_suffix('/')) {
            Some(pattern) => {
                let selector = key_pattern(pattern).map_err(|error| (format!("`{pattern}` is not a regular expression: {error}"), None))?;
                Ok(Target::new(variable, selector))
            }
            None => Ok(Target::new(variable, Selector::Key(collection_key(context, variable, key)))),
        },
    }
}

/// Returns a key of a collection, with its number for TX.
pub fn collection_key(context: &mut Context<'_>, variable: Variable, text: &str) -> Key {
    let tx = (variable == Variable::Tx).then(|| context.names.tx.intern(text.as_bytes()));
    Key { text: text.as_bytes().into(), tx }
}

/// Returns the selector of keys with a match of the pattern, ignoring case.
pub fn key_pattern(source: &str) -> Result<Selector, PatternError> {
    let options = PatternOptions { case_insensitive: true, ..PatternOptions::default() };
    Pattern::shared(source.as_bytes(), options).map(Selector::Pattern)
}

/// Returns the place of the name in the first macro that has it, or of the whole text if escapes or further parts make that uncertain.
fn macro_span(text: &str, name: &str, span: Span) -> Span {
    let opening = text.find(&format!("%{{{name}"));
    opening.map_or(span, |at| part_of(text, at + "%{".len(), name.len(), span))
}

/// Returns the place of a part that was cut out of a text with the place `span`.
pub fn place_of(text: &str, part: &str, span: Span) -> Span {
    let offset = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    offset.filter(|offset| *offset <= text.len()).map_or(span, |offset| part_of(text, offset, part.len(), span))
}

/// Returns the place of a part of a text with the place `span`, or of the whole text if escapes or further parts make that uncertain.
pub fn part_of(text: &str, offset: usize, length: usize, span: Span) -> Span {
    if span.end.saturating_sub(span.start) != text.len() {
        return span;
    }
    let start = span.start.saturating_add(offset).min(span.end);
    Span { start, end: start.saturating_add(length).min(span.end), ..span }
}
