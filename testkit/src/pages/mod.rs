//! Pages of the manual: Markdown → files and commands, which run as a reader would type them, and links, which lead somewhere.
//!
//! | on a page | is |
//! | --- | --- |
//! | a block `sh` | run, in the order of the page, in one shell; no command of it may fail |
//! | a block `text` directly after it | what the commands print; `…` stands for anything in a line, and in a line of its own for any lines |
//! | a block that begins with a comment with the name of a file | written to that file |
//! | a block `apache` without a name | checked with `secrule check` |
//! | a block `rust` | compiled: the page is among the tests of a crate's documentation |
//! | a block `text` elsewhere | a drawing, or lines of a log |
//!
//! Commands begin in an empty folder; the project is `../secrule` from there. Any other block must say why nobody runs it. A comment before a block
//! changes what is done with it:
//!
//! | comment | effect |
//! | --- | --- |
//! | `<!-- not run: REASON -->` | nothing is done with it |
//! | `<!-- exits with 1 -->` | at least one command ends with this code, and none with another but 0 |
//! | `<!-- goes on -->` | the commands run until the end of the page, beside those that follow: a server |
//!
//! `<!-- needs: NAME, NAME -->` anywhere on the page names what it needs; the test that runs pages knows the names.

mod links;
mod parse;
mod terminal;

pub use links::{broken_links, linked};
pub use terminal::Terminal;

use std::path::PathBuf;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its path in the project.
    pub path: PathBuf,
    /// Names of what it needs.
    pub needs: Vec<String>,
    /// Its blocks, in their order.
    pub steps: Vec<Step>,
}

/// A block of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the page on which it begins.
    pub line: usize,
    pub text: String,
    pub work: Work,
}

/// Work that a block asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Work {
    /// Writes it to a file.
    Write(String),
    /// Runs it.
    Run(Run),
    /// Checks it as a file of rules.
    Check,
    /// Nothing: the documentation tests of a crate compile it.
    Compile,
    /// Nothing, for a reason.
    Leave,
}

/// How commands are run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Their expected output.
    pub prints: Option<String>,
    /// The code that a command ends with, where that is not 0.
    pub exits_with: Option<i32>,
    /// `true` if they run until the end of the page.
    pub goes_on: bool,
}
