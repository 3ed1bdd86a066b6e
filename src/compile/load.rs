//! Reads inputs and their includes, and lists their directives in order.

use super::context::Context;
use super::files::{reason, unfetched};
use super::input::Input;
use crate::diagnostic::{Code, Diagnostic, MAX_ERRORS, Severity};
use crate::seclang::{Argument, Ast, Body, Directive, Item, parse};
use crate::source::{NotText, SourceId, Span};
use crate::vocabulary;
use std::io;
use std::path::{Path, PathBuf};

/// The remedy for bytes that are not text.
const CONVERT: &str = "convert it, for example with iconv -f ISO-8859-1 -t UTF-8";

/// Maximum nesting of includes.
const MAX_DEPTH: usize = 100;

/// Maximum number of files and texts of a rule set: files that include each other several times would take exponential time.
const MAX_TEXTS: usize = 10_000;

/// Maximum number of bytes of all of them. The OWASP CRS has one million.
const MAX_BYTES: usize = 64 << 20;

/// Returns the directives of one input, in the order in which they take effect, with includes resolved.
pub fn load(context: &mut Context<'_>, input: &Input) -> Vec<Directive> {
    let mut reader = Reader { context, directives: Vec::new(), open: Vec::new(), may_do_without: false, errors: 0, stopped: false };
    reader.input(input);
    reader.directives
}

struct Reader<'c, 'a> {
    context: &'c mut Context<'a>,
    directives: Vec<Directive>,
    /// The files and addresses that are being read, each included by the one before it.
    open: Vec<PathBuf>,
    /// `true` after `SecRemoteRulesFailAction Warn`.
    may_do_without: bool,
    errors: usize,
    /// `true` if nothing more is read.
    stopped: bool,
}

impl Reader<'_, '_> {
    fn input(&mut self, input: &Input) {
        match input {
            Input::File(path) => self.file(path, None),
            Input::Text { name, text } => self.text(name, text.as_bytes()),
            Input::Bytes { name, bytes } => self.text(name, bytes),
            Input::Remote { address, key } => self.remote(address, key, None),
            Input::Group(inputs) => inputs.iter().for_each(|input| self.input(input)),
        }
    }

    /// Reads rules that came as bytes.
    fn text(&mut self, name: &str, bytes: &[u8]) {
        let (text, replaced) = with_replacements(bytes);
        match self.context.sources.add_text(name, &text) {
            Ok(source) => self.source(source, None, &replaced),
            Err(NotText::Nul(offset) | NotText::InvalidUtf8(offset)) => self.holds_nul(name, offset, bytes),
        }
    }

    /// Reads a file; `included_at` is the place that includes it.
    fn file(&mut self, path: &Path, included_at: Option<Span>) {
        let name = path.display().to_string();
        if !self.may_open(path, included_at) {
            return;
        }
        match self.context.loader.read(path) {
            Ok(bytes) => self.bytes(&name, bytes, Some(path), included_at),
            Err(error) => {
                let message = format!("`{name}` cannot be read: {}", reason(&error));
                let hint = match error.kind() {
                    io::ErrorKind::IsADirectory => format!("to read all of its files, write {name}/*.conf"),
                    io::ErrorKind::InvalidInput => String::from("name a file; what a command prints can be given as /dev/stdin"),
                    _ => String::from("check the path and the permissions of the file"),
                };
                self.report(&name, included_at, Code::Unreadable, message, &hint);
            }
        }
    }

    /// Fetches from an address; `included_at` is the place that includes it.
    fn remote(&mut self, address: &str, key: &str, included_at: Option<Span>) {
        if !self.may_open(Path::new(address), included_at) {
            return;
        }
        match self.context.loader.fetch(address, Some(key)) {
            Ok(bytes) => self.bytes(address, bytes, None, included_at),
            Err(error) => {
                if let Some(span) = included_at.or_else(|| self.stand_in(address)) {
                    let problem = unfetched(address, &error, span);
                    let code = if self.may_do_without { Code::RemoteRulesMissing } else { problem.code };
                    self.push(Diagnostic { code, ..problem });
                }
            }
        }
    }

    /// Returns `true` if one more file or address can be read; otherwise reports it.
    fn may_open(&mut self, path: &Path, included_at: Option<Span>) -> bool {
        if self.stopped {
            return false;
        }
        let name = path.display().to_string();
        if self.context.sources.len() >= MAX_TEXTS {
            self.stopped = true;
            let message = format!("more than {MAX_TEXTS} files are included");
            self.report(&name, included_at, Code::IncludeDepth, message, "look for files that include each other");
            return false;
        }
        if let Some(first) = self.open.iter().position(|open| open == path) {
            let ring = self.open.iter().skip(first).map(PathBuf::as_path).chain([path]);
            let ring: Vec<String> = ring.map(|path| format!("`{}`", path.display())).collect();
            let message = format!("these files include each other: {}", ring.join(" → "));
            self.report(&name, included_at, Code::IncludeDepth, message, "remove one of the Includes");
            return false;
        }
        if self.open.len() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} files include each other in a row");
            self.report(&name, included_at, Code::IncludeDepth, message, "look for a loop of Includes");
            return false;
        }
        true
    }

    /// Adds the bytes that were read; `path` is that of a file.
    fn bytes(&mut self, name: &str, bytes: Vec<u8>, path: Option<&Path>, included_at: Option<Span>) {
        if self.context.sources.size().saturating_add(bytes.len()) > MAX_BYTES {
            self.stopped = true;
            let message = format!("with `{name}` the rules have more than {} MB", MAX_BYTES >> 20);
            return self.report(
                name,
                included_at,
                Code::Unreadable,
                message,
                "check that it is a rule file; lists belong in files of @pmFromFile",
            );
        }
        // Bytes in comments that are not UTF-8 have no effect; they are shown as replacement characters.
        let (text, replaced) = with_replacements(&bytes);
        let text = text.into_bytes();
        let added = if path.is_some() { self.context.sources.add_file(name, text) } else { self.context.sources.add_fetched(name, text) };
        match added {
            Ok(source) => {
                if let Some(place) = included_at {
                    self.context.sources.note_include(source, place);
                }
                self.open.push(path.map_or_else(|| PathBuf::from(name), Path::to_owned));
                self.source(source, path, &replaced);
                self.open.pop();
            }
            Err(NotText::Nul(offset) | NotText::InvalidUtf8(offset)) => self.holds_nul(name, offset, &bytes),
        }
    }

    /// Reads a text; `replaced` are the offsets of bytes in it that were not UTF-8.
    fn source(&mut self, id: SourceId, path: Option<&Path>, replaced: &[usize]) {
        let Some(source) = self.context.sources.find(id) else { return };
        let (ast, errors) = parse(id, source);
        if let Some(first) = replaced.first() {
            let name = source.name().clone();
            let at = |start: usize| Span { source: id, start, end: start.saturating_add(char::REPLACEMENT_CHARACTER.len_utf8()) };
            match first_outside_comments(&ast, !errors.is_empty(), replaced) {
                Some(decides) => {
                    return self.push(Diagnostic::new(Code::NotText, at(decides), format!("`{name}` is not UTF-8 text")).hint(CONVERT));
                }
                None => {
                    let message = "this comment holds bytes that are not UTF-8; a rule with such bytes would be refused";
                    self.push(Diagnostic::new(Code::CommentNotText, at(*first), message).hint(CONVERT));
                }
            }
        }
        errors.into_iter().for_each(|error| self.push(error));
        for directive in ast.items.into_iter().filter_map(|item| match item {
            Item::Directive(directive) => Some(*directive),
            _ => None,
        }) {
            if self.stopped {
                break;
            }
            let Body::Arguments(arguments) = &directive.body else {
                self.directives.push(directive);
                continue;
            };
            match vocabulary::Directive::find(&directive.name.node).and_then(|entry| entry.directive) {
                Some(vocabulary::Directive::Include) => self.include(&directive, arguments, path, true),
                Some(vocabulary::Directive::IncludeOptional) => self.include(&directive, arguments, path, false),
                Some(vocabulary::Directive::SecRemoteRules) => self.remote_rules(&directive, arguments),
                known => {
                    if let (Some(vocabulary::Directive::SecRemoteRulesFailAction), [argument]) = (known, arguments.as_slice()) {
                        self.may_do_without = argument.text.eq_ignore_ascii_case("Warn");
                    }
                    self.directives.push(directive);
                }
            }
        }
    }

    fn include(&mut self, directive: &Directive, arguments: &[Argument], including_file: Option<&Path>, required: bool) {
        let [argument] = arguments else {
            let name = &directive.name.node;
            return self.push(match arguments.get(1) {
                Some(surplus) => Diagnostic::new(Code::SurplusArgument, surplus.span, format!("`{name}` takes one path"))
                    .hint("put a path that holds blanks in double quotes"),
                None => Diagnostic::new(Code::MissingArgument, directive.span, format!("`{name}` needs a path"))
                    .hint("write the path of a file, or a pattern such as rules/*.conf"),
            });
        };
        let candidates = self.context.loader.candidates(&argument.text, including_file);
        let mut problem = None;
        for candidate in &candidates {
            match self.context.loader.expand(&candidate.to_string_lossy()) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return found.iter().for_each(|path| self.file(path, Some(argument.span))),
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        if required {
            let looked: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
            let message = match problem {
                Some(error) => format!("`{}` cannot be read: {}", argument.text, reason(&error)),
                None => format!("no file is named `{}`", argument.text),
            };
            let hint = format!("looked at {}; IncludeOptional takes files that may be absent", looked.join(" and "));
            self.push(Diagnostic::new(Code::IncludeNothing, argument.span, message).hint(hint));
        }
    }

    fn remote_rules(&mut self, directive: &Directive, arguments: &[Argument]) {
        let name = &directive.name.node;
        match arguments {
            [key, address] => self.remote(&address.text, &key.text, Some(address.span)),
            [_, _, surplus, ..] => {
                let surplus = Diagnostic::new(Code::SurplusArgument, surplus.span, format!("`{name}` takes a key and an address"));
                self.push(surplus.hint("put a value that holds blanks in double quotes"));
            }
            _ => {
                let missing = Diagnostic::new(Code::MissingArgument, directive.span, format!("`{name}` needs a key and an address"));
                self.push(missing.hint("write the key for the server, then an https address"));
            }
        }
    }

    /// Reports a NUL byte; `offset` is its place in the text with replacements.
    fn holds_nul(&mut self, name: &str, offset: usize, bytes: &[u8]) {
        let message = format!("`{name}` is not text: it holds a NUL byte");
        let (text, _) = with_replacements(bytes);
        let shown = text.replace('\0', "\u{fffd}");
        if let Ok(source) = self.context.sources.add_text(name, &shown) {
            let span = Span { source, start: offset, end: offset + char::REPLACEMENT_CHARACTER.len_utf8() };
            self.push(Diagnostic::new(Code::NotText, span, message).hint(CONVERT));
        }
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity() == Severity::Error);
        self.stopped |= self.errors >= MAX_ERRORS;
        self.context.report_unread(diagnostic);
    }

    /// Reports a problem with a whole file at the place that includes it, or, for an input, at its own start.
    fn report(&mut self, name: &str, included_at: Option<Span>, code: Code, message: String, hint: &str) {
        if let Some(span) = included_at.or_else(|| self.stand_in(name)) {
            self.push(Diagnostic::new(code, span, message).hint(hint));
        }
    }

    /// Returns a place for problems of an input.
    fn stand_in(&mut self, name: &str) -> Option<Span> {
        let source = self.context.sources.add_text(name, "").ok()?;
        Some(Span { source, start: 0, end: 0 })
    }
}

/// Returns the bytes as text, with a replacement character for each run of bytes that are not UTF-8, and the offsets of these.
fn with_replacements(bytes: &[u8]) -> (String, Vec<usize>) {
    if let Ok(text) = str::from_utf8(bytes) {
        return (text.to_owned(), Vec::new());
    }
    let (mut text, mut replaced) = (String::with_capacity(bytes.len()), Vec::new());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            replaced.push(text.len());
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (text, replaced)
}

/// Returns the first of these offsets that is not in a comment. If a directive cannot be read, its end is not known.
fn first_outside_comments(ast: &Ast, has_errors: bool, places: &[usize]) -> Option<usize> {
    let within = |span: Span, place: usize| span.start <= place && place < span.end;
    let in_comment = |place: usize| {
        let comments = ast.items.iter().filter_map(|item| if let Item::Comment(comment) = item { Some(comment.span) } else { None });
        comments.into_iter().any(|span| within(span, place))
    };
    let in_directive = |place: usize| ast.directives().any(|directive| within(directive.span, place));
    places.iter().copied().find(|place| if has_errors { !in_comment(*place) } else { in_directive(*place) })
}
