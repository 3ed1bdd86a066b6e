//! The links of a page, and if they lead somewhere.

use crate::project;
use std::path::{Component, Path, PathBuf};

/// Returns the links of a page that lead nowhere, each with the reason: a file that does not exist, a heading that its file does not have.
pub fn broken_links(page: &Path) -> Vec<String> {
    let text = read(page);
    let mut broken = Vec::new();
    for target in targets(&text) {
        let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
        let file = if path.is_empty() { page.to_owned() } else { resolve(page, path) };
        if !project().join(&file).exists() {
            broken.push(format!("{}: {target} does not exist", page.display()));
        } else if heading.is_some_and(|heading| !headings(&file).iter().any(|known| known == heading)) {
            broken.push(format!("{}: {target} has no such heading", page.display()));
        }
    }
    for included in includes(&text) {
        if !project().join(resolve(page, included)).exists() {
            broken.push(format!("{}: {included} is included and does not exist", page.display()));
        }
    }
    broken
}

/// Returns the files of the project that a page links to, and those that it includes.
pub fn linked(page: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let text = read(page);
    let paths = targets(&text).into_iter().filter_map(|target| target.split('#').next()).filter(|path| !path.is_empty());
    (paths.map(|path| resolve(page, path)).collect(), includes(&text).into_iter().map(|path| resolve(page, path)).collect())
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(project().join(page)).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

/// Returns the path in the project of a path as a page writes it.
fn resolve(page: &Path, path: &str) -> PathBuf {
    let mut resolved = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved
}

/// Returns the targets of links within the project.
fn targets(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for line in prose(text) {
        for (at, _) in line.match_indices("](") {
            let is_code = line[..at].matches('`').count() % 2 == 1;
            let Some((target, _)) = line[at + 2..].split_once(')').filter(|_| !is_code) else { continue };
            if !target.contains("://") && !target.starts_with("mailto:") {
                targets.push(target);
            }
        }
        targets.extend(line.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|target| !target.contains("://")));
    }
    targets
}

/// Returns the paths of the files that mdBook puts into a page.
fn includes(text: &str) -> Vec<&str> {
    text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()).collect()
}

/// Returns the lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Returns the names of the headings of a file, and of the files that it includes, as they are in links.
fn headings(file: &Path) -> Vec<String> {
    let text = read(file);
    let included = includes(&text).into_iter().flat_map(|path| headings(&resolve(file, path)));
    let own = prose(&text).filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#')));
    own.chain(included).collect()
}

fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase();
    letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_of_code() {
        let text =
            "See [a](a.md#x), [b](../b) and [c](https://c.example/).\n`[d](d)` is code.\n```text\n[e](e)\n```\n<a href=\"f.md\">f</a>\n";
        assert_eq!(targets(text), ["a.md#x", "../b", "f.md"]);
        assert_eq!(includes("{{#include ../LIMITS.md}}\n"), ["../LIMITS.md"]);
        assert_eq!(resolve(Path::new("docs/start/a.md"), "../../README.md"), Path::new("README.md"));
    }

    #[test]
    fn headings_are_named_as_in_links() {
        assert_eq!(anchor(" Look into it"), "look-into-it");
        assert_eq!(anchor("The Tower layer and `secrule serve`"), "the-tower-layer-and-secrule-serve");
    }
}
