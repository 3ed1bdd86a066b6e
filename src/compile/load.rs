//! Reads inputs and what they include, and puts their directives in one row.

use super::Input;
use crate::diagnostic::{Code, Diagnostic};
use crate::seclang::{Argument, Body, Directive, parse};
use crate::source::{Loader, NotText, SourceId, Sources, Span};
use std::path::{Path, PathBuf};

/// How many files may include each other in a row.
const DEEPEST_INCLUDE: usize = 100;

/// The directives of one input, in the order in which they take effect, `Include` already followed.
pub fn load(input: &Input, loader: &dyn Loader, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Directive> {
    let mut reader = Reader { loader, sources, diagnostics, directives: Vec::new(), open: Vec::new() };
    match input {
        Input::File(path) => reader.file(path, None),
        Input::Text { name, text } => match reader.sources.add_text(name, text) {
            Ok(source) => reader.source(source, None),
            Err(problem) => reader.not_text(name, problem, None),
        },
    }
    reader.directives
}

struct Reader<'a> {
    loader: &'a dyn Loader,
    sources: &'a mut Sources,
    diagnostics: &'a mut Vec<Diagnostic>,
    directives: Vec<Directive>,
    /// The files that are being read, each included by the one before.
    open: Vec<PathBuf>,
}

impl Reader<'_> {
    /// Reads a file; `included_at` is the place that named it.
    fn file(&mut self, path: &Path, included_at: Option<Span>) {
        let name = path.display().to_string();
        if self.open.iter().any(|open| open == path) {
            return self.report(included_at, Code::IncludeDepth, format!("`{name}` includes itself"), "take away one of the Includes");
        }
        if self.open.len() >= DEEPEST_INCLUDE {
            let message = format!("more than {DEEPEST_INCLUDE} files include each other");
            return self.report(included_at, Code::IncludeDepth, message, "look for a loop of Includes");
        }
        let bytes = match self.loader.read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("`{name}` cannot be read: {error}");
                return self.report(included_at, Code::Unreadable, message, "look at the path and at who may read the file");
            }
        };
        match self.sources.add_file(&name, bytes) {
            Ok(source) => {
                self.open.push(path.to_owned());
                self.source(source, Some(path));
                self.open.pop();
            }
            Err(problem) => self.not_text(&name, problem, included_at),
        }
    }

    fn source(&mut self, id: SourceId, path: Option<&Path>) {
        let Some(source) = self.sources.find(id) else { return };
        let (ast, errors) = parse(id, source);
        self.diagnostics.extend(errors);
        for directive in ast.items.into_iter().filter_map(|item| match item {
            crate::seclang::Item::Directive(directive) => Some(*directive),
            _ => None,
        }) {
            let name = &directive.name.node;
            match &directive.body {
                Body::Arguments(arguments) if name.eq_ignore_ascii_case("Include") => self.include(&directive, arguments, path, true),
                Body::Arguments(arguments) if name.eq_ignore_ascii_case("IncludeOptional") => {
                    self.include(&directive, arguments, path, false)
                }
                _ => self.directives.push(directive),
            }
        }
    }

    fn include(&mut self, directive: &Directive, arguments: &[Argument], including_file: Option<&Path>, required: bool) {
        let [argument] = arguments else {
            let message = format!("`{}` takes one path", directive.name.node);
            return self.report(Some(directive.span), Code::MissingArgument, message, "put a path that holds blanks in double quotes");
        };
        let candidates = self.loader.candidates(&argument.text, including_file);
        let mut problem = None;
        for candidate in &candidates {
            match self.loader.expand(&candidate.to_string_lossy()) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return found.iter().for_each(|path| self.file(path, Some(argument.span))),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        if required {
            let looked: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
            let message = match problem {
                Some(error) => format!("`{}` cannot be read: {error}", argument.text),
                None => format!("no file is named `{}`", argument.text),
            };
            let hint = format!("looked at {}; IncludeOptional takes files that may be absent", looked.join(" and "));
            self.diagnostics.push(Diagnostic::new(Code::IncludeNothing, argument.span, message).hint(hint));
        }
    }

    fn not_text(&mut self, name: &str, problem: NotText, included_at: Option<Span>) {
        let message = match problem {
            NotText::InvalidUtf8(offset) => format!("`{name}` is not UTF-8 text: byte {offset} is not part of a character"),
            NotText::Nul(offset) => format!("`{name}` is not text: byte {offset} is NUL"),
        };
        self.report(included_at, Code::NotText, message, "convert the file, for example with iconv -t UTF-8");
    }

    /// Reports a problem of a whole file at the place that named it; the first files are named by nobody, so they stand for themselves.
    fn report(&mut self, included_at: Option<Span>, code: Code, message: String, hint: &str) {
        let span = included_at.or_else(|| {
            let source = self.sources.add_text("", "").ok()?;
            Some(Span { source, start: 0, end: 0 })
        });
        if let Some(span) = span {
            self.diagnostics.push(Diagnostic::new(code, span, message).hint(hint));
        }
    }
}
