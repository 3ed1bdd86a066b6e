//! Cycles within rooms: files that import each other, and types whose methods are in many files.
//!
//! `cargo test --test layering rings -- --nocapture` prints the measurements.

use super::{File, assert_none, files, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Maximum number of files with inherent `impl` blocks of one type.
const MAX_FILES_OF_A_TYPE: usize = 3;

/// Rooms whose files import each other in a cycle, with the reason.
const ROOMS_WITH_CIRCLES: &[(&str, &str)] =
    &[("transaction", "observers take the handle, and the handle calls observers: `Transaction` and `Observer` know each other")];

/// Types whose methods are in more than three files, with the reason.
const SCATTERED_TYPES: &[(&str, &str)] =
    &[("state::Collections", "the variables of an exchange: what selects them stands apart from what keeps them")];

/// Numbered nodes and their edges.
type Edges<T> = BTreeMap<T, BTreeSet<T>>;

/// A type with its inherent `impl` blocks.
#[derive(Default)]
struct Methods {
    /// The methods in each file.
    by_file: BTreeMap<PathBuf, BTreeSet<String>>,
    /// The methods that each file calls on `self`.
    called: BTreeMap<PathBuf, BTreeSet<String>>,
}

#[test]
fn files_of_a_room_import_each_other_in_no_circle() {
    let house = House::new();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ring in rings(&house.imports()) {
        let shown: Vec<String> = ring.iter().map(|path| path.display().to_string()).collect();
        let room = shown[0].split('/').next().unwrap_or_default().to_owned();
        println!("imports: {} files of {room} in a circle: {}", shown.len(), shown.join(" "));
        found.entry(room).or_default().push(shown.join(" "));
    }
    assert_exempt("circles of imports", &found, ROOMS_WITH_CIRCLES);
}

#[test]
fn methods_of_a_type_stand_in_three_files_at_most() {
    let house = House::new();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((file, name), methods) in house.methods() {
        let calls = methods.calls();
        let rings = rings(&calls);
        if methods.by_file.len() <= MAX_FILES_OF_A_TYPE && rings.is_empty() {
            continue;
        }
        let count: usize = methods.by_file.values().map(BTreeSet::len).sum();
        let edges: usize = calls.values().map(BTreeSet::len).sum();
        let name = format!("{}::{name}", file.components().next().unwrap().as_os_str().to_string_lossy());
        println!("methods: {name}: {count} methods in {} files, {edges} calls between files", methods.by_file.len());
        for ring in rings {
            let stems: Vec<_> = ring.iter().map(|path| path.with_extension("").display().to_string()).collect();
            println!("  a ring of {}: {}", stems.len(), stems.join(" "));
        }
        if methods.by_file.len() > MAX_FILES_OF_A_TYPE {
            found.entry(name).or_default().push(format!("methods in {} files", methods.by_file.len()));
        }
    }
    assert_exempt("types in more than three files", &found, SCATTERED_TYPES);
}

#[test]
fn rings_are_found() {
    let house = House::of(&[
        ("room/mod.rs", "mod a;\nmod b;\nmod c;\npub use b::B;\nuse c::start;\npub struct Own;"),
        ("room/a.rs", "use super::{B, c::{C, other}};\nimpl<'x> C<'x> { fn one(&self) { self.two('{') } }"),
        ("room/b.rs", "use crate::room::a::A;\n#[cfg(test)]\nmod tests { use super::super::c::C; }"),
        (
            "room/c.rs",
            "use crate::elsewhere::a;\npub struct C<'x>(&'x str);\nimpl C<'_> { fn two(&self) { Self::one(self) } }\nimpl Clone for C<'_> {}",
        ),
    ]);
    let imports: Vec<String> =
        house.imports().iter().flat_map(|(from, to)| to.iter().map(move |to| format!("{} → {}", from.display(), to.display()))).collect();
    assert_eq!(imports, ["room/a.rs → room/b.rs", "room/a.rs → room/c.rs", "room/b.rs → room/a.rs", "room/mod.rs → room/c.rs"]);
    assert_eq!(rings(&house.imports()), [[PathBuf::from("room/a.rs"), PathBuf::from("room/b.rs")]]);
    let methods = house.methods();
    let found = &methods[&(PathBuf::from("room/c.rs"), String::from("C"))];
    assert_eq!(rings(&found.calls()), [[PathBuf::from("room/a.rs"), PathBuf::from("room/c.rs")]]);
    assert_eq!(methods.len(), 1);
}

/// Fails for findings without an exemption, and for exemptions without a finding.
fn assert_exempt(what: &str, found: &BTreeMap<String, Vec<String>>, exempt: &[(&str, &str)]) {
    let new = found.iter().filter(|(name, _)| !exempt.iter().any(|(exempt, _)| exempt == name));
    assert_none(what, new.map(|(name, shown)| format!("{name}: {}", shown.join("; "))));
    let needless = exempt.iter().filter(|(name, reason)| !found.contains_key(*name) || reason.is_empty());
    assert_none(&format!("{what}: exemptions without need"), needless.map(|(name, _)| (*name).to_owned()));
}

/// Returns all files of `src/`, by the path of their module.
struct House {
    modules: BTreeMap<Vec<String>, (PathBuf, String)>,
}

impl House {
    fn new() -> Self {
        Self::from(files().into_iter().filter(|file| file.member.is_empty()).collect())
    }

    fn of(texts: &[(&str, &str)]) -> Self {
        Self::from(texts.iter().map(|(path, text)| File { member: "", path: PathBuf::from(path), text: (*text).to_owned() }).collect())
    }

    fn from(files: Vec<File>) -> Self {
        let modules = files.into_iter().filter(|file| !is_test(&file.path)).map(|file| {
            let code = without_tests(&without_characters(&file.code()));
            (module_of(&file.path), (file.path, code))
        });
        Self { modules: modules.collect() }
    }

    /// Returns the files of its own room that each file imports. A re-export in `mod.rs` is not an import; an import of a re-exported name counts for
    /// the file that defines it.
    fn imports(&self) -> Edges<PathBuf> {
        let mut imports = Edges::new();
        for (module, (path, code)) in self.modules.iter().filter(|(module, _)| !module.is_empty()) {
            for imported in self.paths(module, &without_reexports(code)) {
                if let Some(file) = self.file_of(&imported).filter(|file| imported[0] == module[0] && *file != path) {
                    imports.entry(path.clone()).or_insert_with(BTreeSet::new).insert(file.clone());
                }
            }
        }
        imports
    }

    /// Returns the inherent methods of each type, by the file and the name of the type.
    fn methods(&self) -> BTreeMap<(PathBuf, String), Methods> {
        let mut types: BTreeMap<(PathBuf, String), Methods> = BTreeMap::new();
        for (module, (path, code)) in &self.modules {
            for (name, block) in inherent_blocks(code) {
                let is_own = |keyword: &str| code.contains(&format!("{keyword} {name}"));
                let owner = match ["struct", "enum", "union"].into_iter().any(is_own) {
                    true => path,
                    false => self.imported(module, &name).unwrap_or(path),
                };
                let methods = types.entry((owner.clone(), name)).or_default();
                methods.by_file.entry(path.clone()).or_default().extend(names_after(block, &["fn "]));
                methods.called.entry(path.clone()).or_default().extend(names_after(block, &["self.", "Self::"]));
            }
        }
        types
    }

    /// Returns the file from which a module imports a name.
    fn imported(&self, module: &[String], name: &str) -> Option<&PathBuf> {
        let (_, code) = self.modules.get(module)?;
        let found = self.paths(module, code).into_iter().find(|path| path.last().is_some_and(|last| last == name))?;
        self.file_of(&found)
    }

    /// Returns the file of a path, following re-exports.
    fn file_of(&self, path: &[String]) -> Option<&PathBuf> {
        let depth = (1..=path.len()).rev().find(|depth| self.modules.contains_key(&path[..*depth]))?;
        let (module, rest) = path.split_at(depth);
        let (file, code) = &self.modules[module];
        let Some(name) = rest.first() else { return Some(file) };
        let handed_on = self.paths(module, code).into_iter().find(|path| path.last() == Some(name) && path[..] != *module);
        match handed_on.filter(|found| found.len() > module.len() + 1 && found.starts_with(module)) {
            Some(found) => self.file_of(&found),
            None => Some(file),
        }
    }

    /// Returns every path in a module's code that begins with `crate::`, `super::`, `self::` or one of its own modules, from the root.
    fn paths(&self, module: &[String], code: &str) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let mut at = 0;
        while let Some(found) = code[at..].find("::") {
            let end = at + found;
            let start = code[..end].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |before| before + 1);
            at = end + 2;
            if code[..start].ends_with("::") {
                continue;
            }
            let head = &code[start..end];
            let own = [module, &[head.to_owned()]].concat();
            let (mut base, skipped) = match head {
                "crate" => (Vec::new(), 2),
                "self" => (module.to_vec(), 2),
                "super" => (module[..module.len().saturating_sub(1)].to_vec(), 2),
                _ if self.modules.contains_key(&own) => (own, 2),
                _ => continue,
            };
            let mut rest = &code[end + skipped..];
            while let Some(behind) = rest.strip_prefix("super::") {
                base.pop();
                rest = behind;
            }
            paths.extend(leaves(rest).into_iter().map(|leaf| [base.clone(), leaf].concat()));
        }
        paths
    }
}

impl Methods {
    /// Returns the files whose methods the methods of each file call.
    fn calls(&self) -> Edges<PathBuf> {
        let mut calls = Edges::new();
        for (file, called) in &self.called {
            for (other, held) in &self.by_file {
                if other != file && !called.is_disjoint(held) {
                    calls.entry(file.clone()).or_insert_with(BTreeSet::new).insert(other.clone());
                }
            }
        }
        calls
    }
}

/// Returns strongly connected sets of nodes.
fn rings(edges: &Edges<PathBuf>) -> Vec<Vec<PathBuf>> {
    let reach = |start: &PathBuf| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![start.clone()]);
        while let Some(node) = open.pop() {
            open.extend(edges.get(&node).into_iter().flatten().filter(|next| reached.insert((*next).clone())).cloned());
        }
        reached
    };
    let reached: Edges<PathBuf> = edges.keys().map(|node| (node.clone(), reach(node))).collect();
    let is_reached = |from: &PathBuf, to: &PathBuf| reached.get(from).is_some_and(|reached| reached.contains(to));
    let of_node = |node: &PathBuf| edges.keys().filter(|other| is_reached(node, other) && is_reached(other, node)).cloned().collect();
    let rings: BTreeSet<Vec<PathBuf>> = edges.keys().map(of_node).filter(|ring: &Vec<PathBuf>| ring.len() > 1).collect();
    rings.into_iter().collect()
}

/// Returns the paths after a `::`: one, or those of a group such as `{a, b::{c, d}}`.
fn leaves(text: &str) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut found = Vec::new();
        let (mut depth, mut start) = (0usize, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                ',' | '}' if depth == 0 => {
                    found.extend(leaves(&group[start..at]));
                    start = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
        return found;
    }
    let Some(name) = words(text).next().filter(|name| text.starts_with(name)) else { return Vec::new() };
    match text[name.len()..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{') => {
            leaves(rest).into_iter().map(|leaf| [vec![name.to_owned()], leaf].concat()).collect()
        }
        _ => vec![vec![name.to_owned()]],
    }
}

/// Returns the type and the text of each inherent `impl` block.
fn inherent_blocks(code: &str) -> Vec<(String, &str)> {
    let mut blocks = Vec::new();
    for (at, _) in code.match_indices("\nimpl") {
        let rest = &code[at + "\nimpl".len()..];
        let Some(opening) = rest.find('{').filter(|_| rest.starts_with([' ', '<'])) else { continue };
        let header = without_parameters(&rest[..opening]);
        if words(&header).any(|word| word == "for") {
            continue;
        }
        let path = header.split_whitespace().next().unwrap_or_default();
        if let Some(name) = words(path).last() {
            blocks.push((name.to_owned(), &rest[opening..opening + block_length(&rest[opening..])]));
        }
    }
    blocks
}

/// Returns a text without the contents of angle brackets.
fn without_parameters(text: &str) -> String {
    let mut depth = 0usize;
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// Returns the length of the block in braces that a text begins with.
fn block_length(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the names of functions after one of these marks: `fn name(`, `self.name(`.
fn names_after(code: &str, marks: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for mark in marks {
        for (at, _) in code.match_indices(mark) {
            let rest = &code[at + mark.len()..];
            if let Some(name) = words(rest).next().filter(|name| rest.starts_with(name) && rest[name.len()..].starts_with(['(', '<', ':']))
            {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// Returns code without the blocks for tests only.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        let (block, end) = (rest.find('{').unwrap_or(rest.len()), rest.find(';').unwrap_or(rest.len()));
        rest = match block < end {
            true => &rest[block + block_length(&rest[block..])..],
            false => &rest[(end + 1).min(rest.len())..],
        };
    }
    kept + rest
}

/// Returns code without literals of one character, which may be braces.
fn without_characters(code: &str) -> String {
    let characters: Vec<char> = code.chars().collect();
    let mut kept = String::with_capacity(code.len());
    let mut at = 0;
    while at < characters.len() {
        match characters[at..] {
            ['\'', '\\', _, '\'', ..] => at += 4,
            ['\'', _, '\'', ..] => at += 3,
            [c, ..] => {
                kept.push(c);
                at += 1;
            }
            [] => break,
        }
    }
    kept
}

/// Returns code without `pub use …;`.
fn without_reexports(code: &str) -> String {
    let is_reexport = |statement: &str| {
        let statement = statement.trim_start();
        let statement =
            statement.rsplit_once(']').filter(|(before, _)| before.starts_with("#[")).map_or(statement, |(_, behind)| behind.trim_start());
        statement.starts_with("pub")
            && statement.split_once("use ").is_some_and(|(before, _)| before.starts_with("pub") && !before.contains(['{', '\n']))
    };
    code.split_inclusive(';').filter(|statement| !is_reexport(statement)).collect()
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| Path::new(part.as_os_str()).file_stem().is_some_and(|stem| stem == "tests"))
}

fn module_of(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> = path.with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
        parts.pop();
    }
    parts
}
