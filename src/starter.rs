//! The starter rules of `crs/starter/`, built into the library.

use crate::compile::Input;

macro_rules! starter_files {
    ($($name:literal),+ $(,)?) => {
        [$((concat!("starter/", $name), include_str!(concat!("../crs/starter/", $name)))),+]
    };
}

const FILES: [(&str, &str); 13] = starter_files![
    "00-setup.conf",
    "10-protocol.conf",
    "20-scanner.conf",
    "30-path-traversal.conf",
    "31-command-injection.conf",
    "32-sql-injection.conf",
    "33-cross-site-scripting.conf",
    "34-server-side.conf",
    "35-remote-file-inclusion.conf",
    "36-platform.conf",
    "50-blocking.conf",
    "80-response.conf",
    "90-blocking-response.conf",
];

/// Returns all files in their order, as one load.
pub fn rules() -> Input {
    Input::Group(FILES.iter().map(|(name, text)| Input::Text { name: (*name).to_owned(), text: (*text).to_owned() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/crs/starter");
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, FILES.map(|(name, _)| name.trim_start_matches("starter/").to_owned()));
    }
}
