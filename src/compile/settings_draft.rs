//! Settings while the files are read: of several loads the first that sets a value wins, and within a load the last.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Settings;
use crate::seclang::Argument;
use crate::source::Span;
use crate::transform::UnicodeMap;
use crate::vocabulary::{Directive, Limit};
use std::collections::HashMap;

/// The settings so far.
#[derive(Default)]
pub struct SettingsDraft {
    /// Those of the current load.
    pub load: Settings,
    /// Those of the loads before it, merged.
    pub merged: Settings,
    /// The code page of `t:urlDecodeUni`: the last one named, whichever load names it.
    pub unicode_map: Option<UnicodeMap>,
    /// The directive that uploaded files are written for.
    pub upload_place: Option<Span>,
    /// Limits of bodies, and where they are set.
    pub body_limits: Vec<(Directive, Span)>,
    /// Where settings of the current load are, and what is written there.
    written: HashMap<Directive, Written>,
    /// The same for the loads before it, which count.
    written_before: HashMap<Directive, Written>,
}

/// A setting as it is written.
struct Written {
    span: Span,
    values: Vec<String>,
}

impl SettingsDraft {
    /// A limit as far as directives set it until here.
    pub fn limit(&self, limit: Limit) -> usize {
        let loads = [&self.merged, &self.load];
        loads.into_iter().find_map(|settings| settings.limits.set_to(limit)).or(limit.default()).unwrap_or(usize::MAX)
    }

    /// Notes where a directive is and what it says, to name it if an earlier load has set the same.
    pub fn note(&mut self, directive: Directive, span: Span, arguments: &[Argument]) {
        let values = arguments.iter().map(|argument| argument.text.to_string()).collect();
        self.written.insert(directive, Written { span, values });
    }

    /// Notes a directive about uploaded files; a warning shows the one that names the folder.
    pub fn note_upload(&mut self, span: Span, names_folder: bool) {
        if names_folder || self.upload_place.is_none() {
            self.upload_place = Some(span);
        }
    }

    /// Ends a load. Returns `true` if it sets the engine's mode, and warnings about settings that have no effect because an earlier load set
    /// another value.
    pub fn end_load(&mut self) -> (bool, Vec<Diagnostic>) {
        let settings = std::mem::take(&mut self.load);
        let sets_engine = settings.engine.is_some();
        let warnings = self.overruled(&settings);
        self.merged.merge(settings);
        (sets_engine, warnings)
    }

    fn overruled(&mut self, settings: &Settings) -> Vec<Diagnostic> {
        let mut written = std::mem::take(&mut self.written);
        let mut warnings = Vec::new();
        let overruled = self.merged.overruled(settings);
        for (directive, written) in overruled.into_iter().filter_map(|directive| Some((directive, written.remove(&directive)?))) {
            let Some(before) = self.written_before.get(&directive).filter(|before| before.values != written.values) else { continue };
            let message =
                format!("`{}` has no effect: rules that were loaded before set it to {}", directive.name(), before.values.join(" "));
            let hint = "load these rules first, or load all as one: within a load the last value counts";
            warnings.push(Diagnostic::new(Code::Overruled, written.span, message).hint(hint));
        }
        for (directive, written) in written {
            self.written_before.entry(directive).or_insert(written);
        }
        warnings
    }
}
