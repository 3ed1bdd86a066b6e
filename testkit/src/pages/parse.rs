//! Markdown → the blocks of a page.

use super::{Page, Run, Step, Work};
use std::path::Path;

const FENCE: &str = "```";

impl Page {
    /// Reads a page of the project.
    pub fn read(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let text = std::fs::read_to_string(crate::project().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (needs, steps) = parse(&text).unwrap_or_else(|problem| panic!("{}:{problem}", path.display()));
        Self { path: path.to_owned(), needs, steps }
    }

    /// Returns `true` if a reader would do something on it.
    pub fn has_work(&self) -> bool {
        self.steps.iter().any(|step| !matches!(step.work, Work::Leave | Work::Compile))
    }

    /// Returns `true` if it has blocks of Rust.
    pub fn has_rust(&self) -> bool {
        self.steps.iter().any(|step| step.work == Work::Compile)
    }
}

/// Reads a page: what it needs, and its blocks. An error is a line and what is wrong.
fn parse(text: &str) -> Result<(Vec<String>, Vec<Step>), String> {
    let (mut needs, mut steps) = (Vec::<String>::new(), Vec::<Step>::new());
    // The last comment, and if there were only blank lines since the last block.
    let (mut mark, mut follows) = (None, false);
    let mut is_after_blank = true;
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let fail = |problem: &str| Err(format!("{number}: {problem}"));
        if let Some(comment) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
            match comment.strip_prefix("needs: ") {
                Some(names) => needs.extend(names.split(", ").map(str::to_owned)),
                None => mark = Some(comment),
            }
            follows = false;
            continue;
        }
        let Some(language) = line.strip_prefix(FENCE) else {
            if line.trim_start().starts_with(FENCE) {
                return fail("a block within a list or a quotation is not read: begin it at the left margin");
            }
            if is_after_blank && line.starts_with("    ") && !line.trim().is_empty() {
                return fail("an indented block is not read: begin and end it with ``` and name its language");
            }
            is_after_blank = line.trim().is_empty();
            if !is_after_blank {
                (mark, follows) = (None, false);
            }
            continue;
        };
        let mut block = String::new();
        loop {
            match lines.next() {
                None => return fail("a block without an end"),
                Some((line, _)) if line == FENCE => break,
                Some((line, _)) => block.extend([line, "\n"]),
            }
        }
        let mark = mark.take();
        let is_after_a_block = std::mem::replace(&mut follows, true);
        let previous = steps.last_mut().map(|step| &mut step.work).filter(|_| is_after_a_block);
        if language == "text" && mark.is_none() {
            if let Some(Work::Run(run @ Run { prints: None, .. })) = previous {
                run.prints = Some(block);
            }
            continue;
        }
        let work = match work(language, mark, &block) {
            Ok(work) => work,
            Err(problem) => return fail(&problem),
        };
        steps.push(Step { line: number, text: block, work });
    }
    Ok((needs, steps))
}

fn work(language: &str, mark: Option<&str>, block: &str) -> Result<Work, String> {
    let code = |mark: &str| mark.strip_prefix("exits with ")?.parse().ok();
    Ok(match (language, mark) {
        ("", _) => return Err("a block without a language".to_owned()),
        (_, Some(mark)) if mark.starts_with("not run: ") => Work::Leave,
        ("sh", None) => Work::Run(Run::default()),
        ("sh", Some("goes on")) => Work::Run(Run { goes_on: true, ..Run::default() }),
        ("sh", Some(mark)) if code(mark).is_some() => Work::Run(Run { exits_with: code(mark), ..Run::default() }),
        (_, Some(mark)) => return Err(format!("nobody knows the comment `{mark}`")),
        ("rust", None) => Work::Compile,
        (_, None) => match file_name(block) {
            Some(name) => Work::Write(name.to_owned()),
            None if language == "apache" => Work::Check,
            None => {
                let remedy = "begin it with a comment with the name of its file, or put `<!-- not run: REASON -->` before it";
                return Err(format!("nothing is done with this block of `{language}`: {remedy}"));
            }
        },
    })
}

/// Returns the name of a file in the comment that a block begins with.
fn file_name(block: &str) -> Option<&str> {
    let line = block.lines().next()?;
    let comment = ["# ", "-- ", "// ", "; ", "<!-- "].iter().find_map(|sign| line.strip_prefix(sign))?;
    let name = comment.split(' ').next()?.trim_end_matches([',', ':']);
    let (before, ending) = name.rsplit_once('.')?;
    let is_name = !before.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._/-".contains(letter));
    (is_name && ending.starts_with(|letter: char| letter.is_ascii_lowercase())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<(usize, Work)> {
        parse(text).unwrap().1.into_iter().map(|step| (step.line, step.work)).collect()
    }

    #[test]
    fn commands_have_what_they_print_and_how_they_end() {
        let printed = Run { prints: Some("a\n".to_owned()), ..Run::default() };
        assert_eq!(steps("```sh\necho a\n```\n\n```text\na\n```\n"), [(1, Work::Run(printed))]);
        let apart = "```sh\necho a\n```\nthen\n```text\na drawing\n```\n";
        assert_eq!(steps(apart), [(1, Work::Run(Run::default()))]);
        let marked = "<!-- exits with 1 -->\n```sh\nfalse\n```\n\n<!-- goes on -->\n```sh\nserve\n```\n";
        let (fails, serves) = (Run { exits_with: Some(1), ..Run::default() }, Run { goes_on: true, ..Run::default() });
        assert_eq!(steps(marked), [(2, Work::Run(fails)), (7, Work::Run(serves))]);
    }

    #[test]
    fn files_have_names_in_their_first_line() {
        assert_eq!(steps("```nginx\n# nginx.conf, for one site\nevents {}\n```\n"), [(1, Work::Write("nginx.conf".to_owned()))]);
        assert_eq!(steps("```lua\n-- /etc/waf/busy.lua: too many\n```\n"), [(1, Work::Write("/etc/waf/busy.lua".to_owned()))]);
        assert_eq!(steps("```apache\n# 10.0.0.0/8 is ours\nSecMarker A\n```\n"), [(1, Work::Check)]);
        assert_eq!(steps("```rust\nfn main() {}\n```\n"), [(1, Work::Compile)]);
    }

    #[test]
    fn nothing_is_left_out_without_a_reason() {
        assert!(parse("```nginx\nevents {}\n```\n").unwrap_err().starts_with("1: nothing is done"));
        assert!(parse("<!-- runs somehow -->\n```sh\nls\n```\n").is_err());
        assert!(parse("```\nls\n```\n").is_err() && parse("```sh\nls\n").is_err() && parse("* a\n  ```sh\n  ls\n  ```\n").is_err());
        assert!(parse("To list:\n\n    ls\n").is_err() && parse("```sh\nif true; then\n\n    ls\nfi\n```\n* a\n    more of it\n").is_ok());
        assert_eq!(steps("<!-- not run: it needs systemd -->\n```sh\nsystemctl\n```\n"), [(2, Work::Leave)]);
        // A comment is about the block that follows it.
        assert_eq!(steps("<!-- not run: x -->\n\ntext\n\n```sh\nls\n```\n"), [(5, Work::Run(Run::default()))]);
    }

    #[test]
    fn a_page_says_what_it_needs() {
        assert_eq!(parse("# A\n\n<!-- needs: nginx, crs -->\n").unwrap().0, ["nginx", "crs"]);
    }
}
