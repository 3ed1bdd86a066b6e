//! The folder of uploaded files.

use super::directives::Builder;
use crate::diagnostic::{Code, Diagnostic};
use std::fs;
use std::path::Path;

impl Builder<'_> {
    /// Warns where uploaded files are to be written and cannot be: each body with a file would be an error then.
    pub fn check_upload_folder(&mut self) {
        let settings = &self.context.settings.merged;
        let Some(place) = self.context.settings.upload_place.filter(|_| settings.writes_uploads()) else { return };
        let folder = settings.upload_folder();
        let Some(problem) = problem(&folder) else { return };
        let message = format!("uploaded files cannot be written to `{}`: {problem}", folder.display());
        let hint = "make the folder, let the server's user write to it, or name another with SecUploadDir";
        self.context.report(Diagnostic::new(Code::UploadFolder, place, message).hint(hint));
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
