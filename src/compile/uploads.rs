//! The folder of uploaded files.

use super::directives::Builder;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use std::fs;
use std::path::Path;

impl Builder<'_> {
    /// Notes where a directive about uploaded files stands; the one that names the folder is shown in a warning.
    pub fn note_upload_directive(&mut self, span: Span, names_folder: bool) {
        if names_folder || self.upload_place.is_none() {
            self.upload_place = Some(span);
        }
    }

    /// Warns where uploaded files are to be written and cannot be: each body with a file would be an error then.
    pub fn check_upload_folder(&mut self) {
        let settings = &self.graph.settings;
        let Some(place) = self.upload_place.filter(|_| settings.writes_uploads()) else { return };
        let folder = settings.upload_folder();
        let Some(problem) = problem(&folder) else { return };
        let message = format!("uploaded files cannot be written to `{}`: {problem}", folder.display());
        let hint = "make the folder, let the server's user write to it, or name another with SecUploadDir";
        self.report(Diagnostic::new(Code::UploadFolder, place, message).hint(hint));
    }
}

/// Why nothing can be written to a folder, as far as that can be told without writing to it.
fn problem(folder: &Path) -> Option<&'static str> {
    match fs::metadata(folder) {
        Err(_) => Some("there is no such folder"),
        Ok(about) if !about.is_dir() => Some("it is not a folder"),
        Ok(about) if about.permissions().readonly() => Some("nobody may write to it"),
        Ok(_) => None,
    }
}
