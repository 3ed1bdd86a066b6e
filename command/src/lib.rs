//! Takes a command line, gives results on standard output and an exit code; uses the library as any other program would.
//!
//! Each verb has a file. Results go to standard output; errors of a verb go to standard error.

#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::todo, clippy::unreachable, clippy::unwrap_used)]

mod ban;
mod bytes;
mod check;
mod duration;
mod eval;
// A test of the project runs the cases of the CRS with these two.
#[doc(hidden)]
pub mod exchange;
#[doc(hidden)]
pub mod ftw;
mod list;
mod message;
mod open_store;
mod profile;
mod requests;
mod rules;
#[cfg(feature = "serve")]
mod serve;
mod store;
mod stores;
mod subset;
mod table;
mod test;
#[cfg(feature = "worlds")]
mod worlds;

use clap::{Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// A web application firewall engine that speaks ModSecurity's rule language
#[derive(Parser, Debug)]
#[command(name = "secrule", version, after_long_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,

    /// Format of the results
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t)]
    format: Format,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  something was found: an error in the rules, a request that is denied, a test that fails;
     or what is asked for does not exist: a ban, a list, a record
  2  the work could not be done: wrong usage, a file that cannot be read, rules that do not load";

#[derive(Subcommand, Debug)]
enum Verb {
    Ban(ban::Options),
    Check(check::Options),
    Eval(eval::Options),
    #[cfg(feature = "worlds")]
    Extension(worlds::extension::Options),
    #[cfg(feature = "worlds")]
    Host(worlds::host::Options),
    List(list::Options),
    #[cfg(feature = "worlds")]
    Plugin(worlds::plugin::Options),
    Profile(profile::Options),
    #[cfg(feature = "serve")]
    Serve(Box<serve::Options>),
    Store(store::Options),
    Test(test::Options),
}

/// Format of the results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
}

/// Outcome of a verb without a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Fine,
    Finding,
}

/// Reason why a verb failed.
#[derive(Debug)]
enum Failure {
    /// A message.
    Reason(String),
    /// The results have no reader any more.
    Closed,
}

/// Runs a command line.
pub fn run(arguments: Arguments) -> ExitCode {
    // Not locked: a verb that goes on may write from another thread.
    let mut out = BufWriter::new(io::stdout());
    let result = match arguments.verb {
        Verb::Ban(options) => ban::run(&options, arguments.format, &mut out),
        Verb::Check(options) => check::run(&options, arguments.format, &mut out),
        Verb::Eval(options) => eval::run(&options, arguments.format, &mut out),
        #[cfg(feature = "worlds")]
        Verb::Extension(options) => worlds::extension::run(&options, arguments.format, &mut out),
        #[cfg(feature = "worlds")]
        Verb::Host(options) => worlds::host::run(&options),
        Verb::List(options) => list::run(&options, arguments.format, &mut out),
        #[cfg(feature = "worlds")]
        Verb::Plugin(options) => worlds::plugin::run(&options, arguments.format, &mut out),
        Verb::Profile(options) => profile::run(&options, arguments.format, &mut out),
        #[cfg(feature = "serve")]
        Verb::Serve(options) => serve::run(&options),
        Verb::Store(options) => store::run(&options, arguments.format, &mut out),
        Verb::Test(options) => test::run(&options, arguments.format, &mut out),
    };
    match result.and_then(|outcome| Ok(out.flush().map(|()| outcome)?)) {
        Ok(Outcome::Fine) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Ok(Outcome::Finding) => ExitCode::from(1),
        Err(Failure::Reason(reason)) => {
            // Results before the failure are still useful. If they or the message cannot be written, nothing else can be done.
            let _ = out.flush();
            note(&format!("secrule: {reason}"));
            ExitCode::from(2)
        }
    }
}

/// Writes JSON for programs.
fn write_json(out: &mut dyn Write, document: &impl serde::Serialize) -> Result<(), Failure> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}

/// Makes a progress bar, which is shown on a terminal only. `unit` is the unit of its count.
fn progress_bar(length: u64, unit: &str, format: Format) -> ProgressBar {
    if format == Format::Json {
        return ProgressBar::hidden();
    }
    let template = format!("{{bar:40}} {{pos}}/{{len}} {unit}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

/// Writes a note to standard error, apart from the results. A closed standard error is ignored.
fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
}

impl Failure {
    fn unreadable(path: &Path, error: impl fmt::Display) -> Self {
        Failure::Reason(format!("{}: {error}", path.display()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Reason(format!("the results cannot be written: {error}")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Text => "text",
            Format::Json => "json",
        })
    }
}
