//! What is printed of a tree is read as the same tree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use secrule::internals::seclang::{Ast, parse, print};
use secrule::internals::source::Sources;

fuzz_target!(|text: &str| {
    let Some((first, errors)) = read(text) else { return };
    let printed = print(&first);
    if errors > 0 {
        return;
    }
    let (second, errors) = read(&printed).expect("printed text is text");
    assert_eq!(errors, 0, "{printed} is refused");
    assert_eq!(meaning(&second), meaning(&first), "{printed} means something else");
    assert_eq!(print(&second), printed, "printing is no fixpoint");
});

/// The tree of a text and the number of its errors.
fn read(text: &str) -> Option<(Ast, usize)> {
    let mut sources = Sources::new();
    let id = sources.add_text("rules", text).ok()?;
    let (ast, errors) = parse(id, sources.find(id)?);
    Some((ast, errors.len()))
}

/// The directives without their places and the lists of targets as they were written.
fn meaning(ast: &Ast) -> Vec<String> {
    let shown: Vec<String> = ast.directives().map(|directive| format!("{directive:#?}")).collect();
    let places = ["source: SourceId(", "0,", "start: ", "end: ", "written: "];
    let lines = shown.iter().flat_map(|shown| shown.lines()).map(str::trim);
    lines.filter(|line| !places.iter().any(|place| line.starts_with(place))).map(str::to_owned).collect()
}
