//! The plugins of `examples/plugins`.

use std::fs;
use std::path::PathBuf;

/// Returns the folder of the examples.
pub fn folder() -> PathBuf {
    secrule_testkit::project().join("examples/plugins")
}

/// Returns an example, with other values in the line that operators adapt.
pub fn example(name: &str, adapted: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    adapted.iter().fold(text, |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
        text.replace(from, to)
    })
}
