//! Files and addresses that directives name.

use super::context::Context;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, is_remote};
use std::io;
use std::path::{Path, PathBuf};

/// Reads data that rules name by a path or an https address; reports a failure.
pub fn read_data(context: &mut Context<'_>, name: &str, span: Span) -> Option<Vec<u8>> {
    if !is_remote(name) {
        return read_file(context, name, span).map(|(_, bytes)| bytes);
    }
    let fetched = context.loader.fetch(name, None);
    fetched.map_err(|error| context.report(unfetched(name, &error, span))).ok()
}

/// Returns the first existing file for a path, and its bytes; reports a failure.
pub fn read_file(context: &mut Context<'_>, name: &str, span: Span) -> Option<(PathBuf, Vec<u8>)> {
    let candidates = candidates(context, name, span);
    match context.loader.find_first(&candidates) {
        Ok(found) => Some(found),
        Err(error) => {
            let message = format!("`{name}` cannot be read: {}", reason(&error));
            context.report(Diagnostic::new(Code::Unreadable, span, message).hint(looked_at(&candidates)));
            None
        }
    }
}

/// Returns the files that a path may mean: relative to the file that names it, and as written.
pub fn candidates(context: &Context<'_>, name: &str, span: Span) -> Vec<PathBuf> {
    let source = context.sources.find(span.source).filter(|source| source.is_file());
    context.loader.candidates(name, source.map(|source| Path::new(source.name().as_ref())))
}

/// Lists the paths that were tried.
pub fn looked_at(candidates: &[PathBuf]) -> String {
    let looked: Vec<String> = candidates.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("looked at {}", looked.join(" and "))
}

/// Returns the reason of a failure, in the same words on all machines where possible.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => String::from("there is no such file"),
        io::ErrorKind::PermissionDenied => String::from("this process may not read it"),
        _ => error.to_string(),
    }
}

/// Returns the error of an address that cannot be fetched.
pub fn unfetched(address: &str, error: &io::Error, span: Span) -> Diagnostic {
    let message = format!("`{address}` cannot be fetched: {error}");
    Diagnostic::new(Code::Unfetched, span, message).hint("check the address, or fetch the file yourself and name it by its path")
}
