//! The file of patterns, in the folder of `SecDataDir`: a load learns from it what an earlier process learned of the same patterns.
//!
//! Without it a load is the same, and takes longer. So whatever is wrong with the file is a warning.

use super::context::Context;
use crate::diagnostic::{Code, Diagnostic};
use crate::prefilter::{FilteredPattern, StoredPatterns};
use crate::seclang::{Body, Directive};
use crate::source::Span;
use crate::vocabulary;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the file, before the number of its user.
const NAME: &str = concat!("secrule-patterns-", env!("CARGO_PKG_VERSION"));

/// The file of patterns of a rule set.
pub struct PatternFile {
    path: PathBuf,
    /// The directive that names the folder.
    place: Span,
    /// The content of the file, once a load has enough patterns; nothing for a file that is missing, or of no use.
    stored: Option<StoredPatterns>,
    /// `false` for a file that may not be replaced, because it may be another's.
    is_own: bool,
    /// The patterns of the load so far.
    used: Vec<Arc<FilteredPattern>>,
}

impl PatternFile {
    /// Returns the file that these directives name; `None` if they name none, or the loader keeps nothing.
    pub fn of(context: &Context<'_>, directives: &[Directive]) -> Option<Self> {
        let (folder, place) = directives.iter().rev().find_map(folder)?;
        let path = context.loader.cache_file(folder, NAME)?;
        Some(Self { path, place, stored: None, is_own: true, used: Vec::new() })
    }

    /// Returns the patterns of earlier processes. The first call reads the file.
    pub fn stored(&mut self, context: &mut Context<'_>) -> &StoredPatterns {
        self.stored.get_or_insert_with(|| match context.loader.read_cache(&self.path) {
            Ok(None) => StoredPatterns::default(),
            // That of other code is replaced, as a damaged one is.
            Ok(Some(bytes)) => StoredPatterns::read(bytes).unwrap_or_default(),
            Err(error) => {
                let message = format!("the cache of patterns `{}` is not used: {error}", self.path.display());
                let hint = "remove the file; the next load writes it again";
                context.report(Diagnostic::new(Code::PatternCache, self.place, message).hint(hint));
                self.is_own = false;
                StoredPatterns::default()
            }
        })
    }

    /// Adds patterns that the load has.
    pub fn add(&mut self, patterns: &[Arc<FilteredPattern>]) {
        self.used.extend_from_slice(patterns);
    }

    /// Writes the file, if the load has patterns that it lacks.
    pub fn save(self, context: &mut Context<'_>) {
        let Some(stored) = self.stored.filter(|stored| self.is_own && !stored.has_all(&self.used)) else { return };
        if let Err(error) = context.loader.write_cache(&self.path, &stored.write(&self.used)) {
            let folder = self.path.parent().unwrap_or(&self.path).display();
            let problem = match error.kind() {
                io::ErrorKind::NotFound => String::from("there is no such folder"),
                io::ErrorKind::PermissionDenied => String::from("this process may not write to it"),
                _ => error.to_string(),
            };
            let message = format!("the cache of patterns cannot be written to `{folder}`: {problem}");
            let hint = "create the folder and let the user who loads rules write to it, or remove the line: loads then take longer";
            context.report(Diagnostic::new(Code::PatternCache, self.place, message).hint(hint));
        }
    }
}

/// Returns the folder that a directive names, with the place of the name.
fn folder(directive: &Directive) -> Option<(&Path, Span)> {
    let Body::Arguments(arguments) = &directive.body else { return None };
    let [argument] = arguments.as_slice() else { return None };
    let known = vocabulary::Directive::find(&directive.name.node)?.directive?;
    (known == vocabulary::Directive::SecDataDir).then(|| (Path::new(argument.text.as_str()), argument.span))
}
