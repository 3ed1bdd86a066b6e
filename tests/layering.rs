//! Checks the architecture of `ARCHITECTURE.md`: no room of `src/` imports a room above it, and each member of the workspace uses only what it may.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "layering/rings.rs"]
mod rings;

/// The floors, from the ground up. A room may import the rooms of lower floors, and earlier ones on its own floor.
///
/// `store` is before `state`, because the selection of values reads persistent ones from the store.
const FLOORS: [&[&str]; 6] = [
    &["source", "diagnostic", "random", "once_per_process", "encoding"],
    &["escape", "transform", "pattern", "prefilter", "operator", "script", "http", "body", "mask"],
    &["seclang"],
    &["vocabulary", "graph", "compile"],
    &["store", "resolver", "metrics", "state", "lua", "engine", "exchange", "transaction", "record"],
    &["starter", "core_rule_set", "waf"],
];

/// The file that assembles the engine, and so belongs to no room.
const ROOT: &str = "lib.rs";

/// The members beside the engine, and the members that each may use outside of its tests.
const MEMBERS: [(&str, &[&str]); 13] = [
    (
        "command",
        &[
            "secrule",
            "secrule-envoy-grpc",
            "secrule-extensions",
            "secrule-host",
            "secrule-lmdb",
            "secrule-plugins",
            "secrule-redis",
            "secrule-serve",
        ],
    ),
    ("capi", &["secrule", "secrule-lmdb", "secrule-redis"]),
    ("stores/lmdb", &["secrule"]),
    ("stores/redis", &["secrule"]),
    ("worlds/host", &["secrule"]),
    ("worlds/plugins", &["secrule", "secrule-host"]),
    ("worlds/extensions", &["secrule", "secrule-host"]),
    ("hosts/metrics", &["secrule"]),
    ("hosts/tower", &["secrule"]),
    ("hosts/serve", &["secrule", "secrule-metrics", "secrule-tower"]),
    ("hosts/envoy_grpc", &["secrule", "secrule-serve"]),
    ("hosts/pingora", &["secrule", "secrule-tower"]),
    ("testkit", &["secrule"]),
];

/// The members at the borders to C: the C ABI, and LMDB, which is opened by one unsafe call.
const UNSAFE: [&str; 2] = ["capi", "stores/lmdb"];

/// Names of rooms for things without a place.
const DRAWERS: [&str; 6] = ["util", "utils", "helpers", "misc", "common", "shared"];

const LONGEST_FILE: usize = 650;

struct File {
    /// The folder of its member, empty for the engine.
    member: &'static str,
    /// Path within `src/`.
    path: PathBuf,
    text: String,
}

#[test]
fn no_room_imports_a_room_above_it() {
    let mut steps = BTreeSet::new();
    for file in files_of_the_engine() {
        let Some(room) = file.room() else { continue };
        for imported in file.imports() {
            match (rank(&room), rank(&imported)) {
                (_, None) => steps.insert(format!("{}: `crate::{imported}` is no room: import it from the room it lives in", file.shown())),
                (Some(here), Some(there)) if there > here => {
                    steps.insert(format!("{}: `{room}` imports `{imported}`, which is above it", file.shown()))
                }
                _ => false,
            };
        }
        if file.reaches_the_root() {
            steps.insert(format!("{}: `super::` leads out of the room: write `crate::`", file.shown()));
        }
    }
    assert_none("steps upwards", steps);
}

#[test]
fn every_room_has_its_floor() {
    let rooms = files_of_the_engine().into_iter().filter_map(|file| file.room());
    assert_none("rooms on no floor", rooms.filter(|room| rank(room).is_none()));
}

#[test]
fn the_map_of_the_house_shows_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rooms = files_of_the_engine().into_iter().filter_map(|file| file.room());
    let members = MEMBERS.map(|(member, _)| member.to_owned());
    let rooms: BTreeSet<String> = rooms.chain(members).collect();
    let is_shown = |room: &String| map.contains(&format!("| `{room}/` |")) || map.contains(&format!("| `{room}.rs` |"));
    assert_none("rooms that ARCHITECTURE.md lacks", rooms.into_iter().filter(|room| !is_shown(room)));
}

#[test]
fn every_room_says_what_it_is_for() {
    let doors = files().into_iter().filter(|file| file.path.ends_with("mod.rs") || file.path.components().count() == 1);
    assert_none("files that do not open with //!", doors.filter(|file| !file.text.starts_with("//!")).map(|file| file.shown()));
}

#[test]
fn no_file_is_too_long_to_read() {
    let long = files().into_iter().filter(|file| file.text.lines().count() > LONGEST_FILE);
    assert_none("files of more than 650 lines", long.map(|file| file.shown()));
}

#[test]
fn a_member_uses_what_it_may() {
    let used = |member: &str| {
        let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(member).join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
        let dependencies = dependencies.lines().take_while(|line| !line.starts_with('['));
        let names = dependencies.filter_map(|line| line.split(['.', ' ']).next()).filter(|name| name.starts_with("secrule"));
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(used("").is_empty(), "the engine uses {:?}", used(""));
    for (member, allowed) in MEMBERS {
        assert_eq!(used(member), allowed, "{member}");
    }
}

#[test]
fn unsafe_code_stands_in_the_c_interface_only() {
    let outside = files().into_iter().filter(|file| !UNSAFE.contains(&file.member));
    assert_none("files with unsafe code", outside.filter(|file| words(&file.code()).any(|word| word == "unsafe")).map(|file| file.shown()));
}

#[test]
fn there_is_no_drawer_for_odds_and_ends() {
    let drawers = files().into_iter().filter(|file| {
        let parts = file.path.with_extension("");
        parts.components().any(|part| DRAWERS.iter().any(|drawer| part.as_os_str() == *drawer))
    });
    assert_none("drawers", drawers.map(|file| file.shown()));
}

#[test]
fn imports_are_found_in_every_form() {
    let file = |text: &str| File { member: "", path: PathBuf::from("graph/rule.rs"), text: text.to_owned() };
    let imports = |text: &str| file(text).imports().into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(imports("use crate::waf::Waf;"), "waf");
    assert_eq!(imports("pub(in crate::graph) use crate::{\n  source::{Span, Spanned},\n  waf,\n};"), "graph source waf");
    assert_eq!(imports("let a = crate::waf::b(\"crate::record\"); // crate::lua"), "waf");
    assert_eq!(imports("/// See [`crate::record`].\nstruct A;"), "");
    assert_eq!(imports("let url = \"https://a\"; crate::waf::b();"), "waf");
    assert!(file("use super::super::waf::Waf;").reaches_the_root());
    assert!(!file("use super::rule::Rule;").reaches_the_root());
}

impl File {
    /// Returns the room of the file.
    fn room(&self) -> Option<String> {
        let first = self.path.components().next()?.as_os_str().to_str()?;
        (first != ROOT).then(|| first.trim_end_matches(".rs").to_owned())
    }

    /// Returns the rooms that the file names, including its own.
    fn imports(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut rooms = BTreeSet::new();
        for (at, _) in code.match_indices("crate::") {
            let behind = &code[at + "crate::".len()..];
            match behind.strip_prefix('{') {
                Some(group) => rooms.extend(heads_of_group(group)),
                None => rooms.extend(words(behind).next().map(str::to_owned)),
            }
        }
        // `pub(in crate)` and `pub(crate)` name no room, and do not match `crate::`.
        rooms
    }

    /// Returns `true` if a `use super::…` outside of inline modules leaves the room.
    fn reaches_the_root(&self) -> bool {
        let names = self.path.components().count();
        let depth = if self.path.ends_with("mod.rs") { names - 1 } else { names };
        let climb = format!("use {}", "super::".repeat(depth));
        self.code().lines().any(|line| line.trim_start_matches("pub ").starts_with(&climb))
    }

    /// Returns the text without comments and without the contents of string literals.
    fn code(&self) -> String {
        let mut code = String::with_capacity(self.text.len());
        let mut rest = self.text.as_str();
        while let Some(c) = rest.chars().next() {
            let skipped = match c {
                '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                'r' if !code.ends_with(|c: char| c.is_alphanumeric() || c == '_') => raw_string(rest),
                'b' if rest.starts_with("br") => match raw_string(&rest[1..]) {
                    0 => 0,
                    length => length + 1,
                },
                '"' => string(rest),
                // A quotation mark as a character literal opens no string.
                '\'' if rest.starts_with("'\"'") => 3,
                '\'' if rest.starts_with("'\\\"'") => 4,
                _ => 0,
            };
            if skipped == 0 {
                code.push(c);
            }
            rest = &rest[if skipped == 0 { c.len_utf8() } else { skipped }..];
        }
        code
    }

    fn shown(&self) -> String {
        Path::new(self.member).join("src").join(&self.path).display().to_string()
    }
}

/// Returns the length of the string literal that a text begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// Returns the length of the raw string literal that a text begins with; 0 if there is none.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    let opening = 1 + hashes;
    if !text[opening..].starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    text[opening + 1..].find(&closing).map_or(text.len(), |end| opening + 1 + end + closing.len())
}

/// Returns the first names of the paths in `{a::b, c::{d, e}}`, after its opening brace.
fn heads_of_group(group: &str) -> Vec<String> {
    let mut depth = 0usize;
    let mut paths = vec![String::new()];
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => paths.push(String::new()),
            _ => paths.last_mut().unwrap().push(c),
        }
    }
    paths.iter().filter_map(|path| words(path).next().map(str::to_owned)).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn rank(room: &str) -> Option<usize> {
    FLOORS.iter().flat_map(|floor| floor.iter()).position(|known| *known == room)
}

fn assert_none(what: &str, found: impl IntoIterator<Item = String>) {
    let found: BTreeSet<String> = found.into_iter().collect();
    let list: Vec<String> = found.into_iter().collect();
    assert!(list.is_empty(), "{what}:\n  {}", list.join("\n  "));
}

/// Returns every Rust file of the engine and of the members, except separate test files.
fn files() -> Vec<File> {
    let beside = MEMBERS.into_iter().flat_map(|(member, _)| files_of(member));
    files_of_the_engine().into_iter().chain(beside).collect()
}

fn files_of_the_engine() -> Vec<File> {
    files_of("")
}

fn files_of(member: &'static str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(member).join("src");
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(File { member, text: fs::read_to_string(&path).unwrap(), path: path.strip_prefix(&root).unwrap().to_owned() });
            }
        }
    }
    assert!(!files.is_empty());
    files
}
