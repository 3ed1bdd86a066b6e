//! Checks `grammar/seclang.ebnf`: its samples are accepted, or refused at the places that they name.
//!
//! Samples are named after productions. `accepted/` has texts that are parsed, printed and parsed again without a change; `refused/` has texts whose
//! comments list their errors: `# expect: E102 3:14`.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use secrule::internals::compile::{CompileOptions, Input, compile};
use secrule::internals::seclang::{Ast, parse, print};
use secrule::internals::source::{Memory, Sources};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Productions of single characters, which samples of other productions cover.
const CHARACTERS: [&str; 6] = ["blank", "line-end", "character", "quotable", "letter", "digit"];

/// Productions that accept any text, with the reason.
const NEVER_REFUSED: [(&str, &str); 4] = [
    ("blank-line", "it has no content that could be wrong"),
    ("comment", "it may hold anything"),
    ("dead-directive", "it is a comment"),
    ("trailing-comment", "it may hold anything"),
];

#[test]
fn what_the_grammar_accepts_is_read_and_printed_and_read_again() {
    for (name, text) in samples("accepted") {
        let (first, printed) = read_and_print(&name, &text);
        let (second, printed_again) = read_and_print(&format!("{name}, printed"), &printed);
        assert_eq!(printed_again, printed, "{name}: printing is no fixpoint");
        assert_eq!(meaning(&second), meaning(&first), "{name}: the printed text means something else:\n{printed}");
    }
}

#[test]
fn what_the_grammar_accepts_has_a_meaning() {
    let compiled = samples("accepted").into_iter();
    let errors: Vec<_> = compiled.map(|(name, text)| (name, errors(&text))).filter(|(_, errors)| !errors.is_empty()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn what_the_grammar_refuses_is_refused_at_its_place() {
    let mut surprises = Vec::new();
    for (name, text) in samples("refused") {
        let expected: Vec<String> = text.lines().filter_map(|line| line.strip_prefix("# expect: ")).map(str::to_owned).collect();
        let found = errors(&text);
        if found != expected || expected.is_empty() {
            surprises.push(format!("{name} expects {expected:?} and finds {found:?}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
}

#[test]
fn every_production_has_its_samples() {
    let (accepted, refused) = (samples("accepted"), samples("refused"));
    let never_refused = |name: &str| NEVER_REFUSED.iter().any(|(known, _)| *known == name);
    let mut missing = Vec::new();
    let productions = productions();
    for name in productions.iter().filter(|name| !CHARACTERS.contains(&name.as_str())) {
        if !accepted.contains_key(name) {
            missing.push(format!("accepted/{name}.conf"));
        }
        if !refused.contains_key(name) && !never_refused(name) {
            missing.push(format!("refused/{name}.conf"));
        }
    }
    assert!(missing.is_empty(), "no samples: {missing:?}");
    let strangers: Vec<_> = accepted.keys().chain(refused.keys()).filter(|name| !productions.contains(name)).collect();
    assert!(strangers.is_empty(), "samples of no production: {strangers:?}");
}

#[test]
fn every_name_of_the_grammar_is_defined_once() {
    let productions = productions();
    let mut defined = productions.clone();
    defined.sort();
    defined.dedup();
    assert_eq!(defined.len(), productions.len(), "a production is defined twice");
    let grammar = grammar();
    let used = grammar.split_whitespace().filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
    let undefined: Vec<_> = used.filter(|word| !productions.iter().any(|name| name == word)).collect();
    assert!(undefined.is_empty(), "used and not defined: {undefined:?}");
}

#[test]
fn every_sample_says_what_it_shows() {
    for (name, text) in samples("accepted").into_iter().chain(samples("refused")) {
        assert!(text.starts_with("# ") && !text.starts_with("# expect:"), "{name}");
    }
}

/// Parses a text without errors, and prints it.
fn read_and_print(name: &str, text: &str) -> (Ast, String) {
    let mut sources = Sources::new();
    let id = sources.add_text(name, text).unwrap();
    let (ast, diagnostics) = parse(id, sources.find(id).unwrap());
    let faults: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.render(&sources)).collect();
    assert!(faults.is_empty(), "{}\n{text}", faults.join("\n"));
    let printed = print(&ast);
    (ast, printed)
}

/// Returns the directives without places, with target lists as written.
fn meaning(ast: &Ast) -> String {
    let shown: Vec<String> = ast.directives().map(|directive| format!("{directive:#?}")).collect();
    let places = ["source: SourceId(", "0,", "start: ", "end: ", "written: "];
    let lines = shown.iter().flat_map(|shown| shown.lines()).map(str::trim);
    lines.filter(|line| !places.iter().any(|place| line.starts_with(place))).collect::<Vec<_>>().join("\n")
}

/// Returns the errors of loading a text as a file, as `E102 3:14`.
fn errors(text: &str) -> Vec<String> {
    let files = Memory::new().with("sample.conf", text).with("rules/first.conf", "SecMarker FIRST\n");
    let files = ["inspect.lua", "/etc/waf/inspect body.lua"].into_iter().fold(files, |files, name| files.with(name, "function main() end"));
    match compile(&[Input::File(PathBuf::from("sample.conf"))], &files, &CompileOptions::default()) {
        Ok(_) => Vec::new(),
        Err(error) => {
            let place = |at| error.sources().locate(at).1;
            error.errors().map(|found| format!("{} {}", found.code.as_str(), place(found.span))).collect()
        }
    }
}

/// Returns the samples of one kind, by name.
fn samples(kind: &str) -> BTreeMap<String, String> {
    let folder = folder().join("samples").join(kind);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())).collect()
}

/// Returns the left-hand sides of the grammar, in its order.
fn productions() -> Vec<String> {
    let text = grammar();
    let heads = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    heads.filter_map(|line| line.split_once(" =")).map(|(name, _)| name.trim_end().to_owned()).collect()
}

/// Returns the grammar without comments, terminals and special sequences.
fn grammar() -> String {
    let text = fs::read_to_string(folder().join("seclang.ebnf")).unwrap();
    let mut rules = String::new();
    let mut rest = text.as_str();
    while let Some(c) = rest.chars().next() {
        let end = match c {
            '(' if rest.starts_with("(*") => rest.find("*)").map(|end| end + 2),
            '"' | '\'' | '?' => rest[1..].find(c).map(|end| end + 2),
            _ => None,
        };
        match end {
            Some(end) => rest = &rest[end..],
            None => {
                rules.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    rules
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar")
}
