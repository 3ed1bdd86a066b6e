//! Tests that need something that is not part of the project: shared cases, a program, the built C library.
//!
//! A file of such tests has `harness = false` in its `Cargo.toml`, and a `main` that lists them:
//!
//! ```no_run
//! use secrule_testkit::trial;
//! use secrule_testkit::trials::{self, Needs};
//!
//! fn main() -> std::process::ExitCode {
//!     trials::run([trial!(the_library_defines_what_it_should, [Needs::CLibrary, Needs::Program("nm")])])
//! }
//!
//! fn the_library_defines_what_it_should() {}
//! ```
//!
//! Without what it needs a test is shown as ignored, with the reason. With `SECRULE_REQUIRE_SHARED=1` (shared cases) or `SECRULE_REQUIRE_PEERS=1`
//! (everything else) it fails. The arguments are those of other tests: `cargo test NAME`, `-- --ignored`, `--quiet`.

use crate::{find_shared, project};
pub use libtest_mimic::Trial;
use libtest_mimic::{Arguments, Completion};
use std::fmt;
use std::net::{IpAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Something that a test needs.
#[derive(Clone, Copy, Debug)]
pub enum Needs {
    /// A file or folder of the shared cases.
    Shared(&'static str),
    /// A program in the `PATH`, or with its path.
    Program(&'static str),
    /// A Python, and a module that it can import.
    Python(&'static str, &'static str),
    /// An installed library that a C program can be linked with.
    Library(&'static str),
    /// A file with this name in one of these folders.
    File(&'static str, &'static [&'static str]),
    /// A file that this process may write to.
    Writable(&'static str),
    /// An address of this machine that is not loopback.
    OwnAddress,
    /// A release of Rust, such as `1.95`.
    Rust(&'static str),
    /// A root and a network of its own, which the user root of Linux may make.
    OwnRoot,
    /// The library that `make capi` builds.
    CLibrary,
    /// The same, with a feature.
    CLibraryWith(&'static str),
    /// The command of the release build.
    ReleaseCommand,
    /// The command of any build, with a feature.
    CommandWith(&'static str),
}

/// Makes a test of a function, under its name: `trial!(function)` or `trial!(function, [needs, …])`.
#[macro_export]
macro_rules! trial {
    ($test:ident) => {
        $crate::trials::trial(stringify!($test), &[], $test)
    };
    ($test:ident, $needs:expr) => {
        $crate::trials::trial(stringify!($test), &$needs, $test)
    };
}

/// Makes a test that is ignored without what it needs.
pub fn trial(name: impl Into<String>, needs: &[Needs], test: impl FnOnce() + Send + 'static) -> Trial {
    let needs = needs.to_vec();
    Trial::ignorable_test(name, move || {
        let absent: Vec<Needs> = needs.into_iter().filter(|need| !need.is_there()).collect();
        if let Some(required) = absent.iter().find(|need| need.is_required()) {
            return Err(format!("needs {required}").into());
        }
        if let Some(need) = absent.first() {
            return Ok(Completion::ignored_with(format!("needs {need}")));
        }
        test();
        Ok(Completion::Completed)
    })
}

/// Runs the tests of a file as the arguments of the process say.
pub fn run(trials: impl IntoIterator<Item = Trial>) -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().collect()).exit_code()
}

/// Prints a line about a test that may pass, if the output of tests is wanted (`--nocapture`): these tests run without a capture.
pub fn note(line: &str) {
    if std::env::args().any(|argument| argument == "--nocapture") {
        println!("{line}");
    }
}

impl Needs {
    fn is_there(self) -> bool {
        match self {
            Self::Shared(path) => find_shared(path).is_some(),
            Self::Program(name) => folders_of_programs().iter().any(|folder| folder.join(name).is_file()),
            Self::Python(program, module) => {
                let mut python = Command::new(program);
                python.args(["-c", &format!("import {module}")]).stderr(Stdio::null());
                python.status().is_ok_and(|status| status.success())
            }
            Self::Library(name) => {
                // Prints the name alone if there is none.
                let found = Command::new("cc").arg(format!("-print-file-name={name}")).output();
                found.is_ok_and(|found| found.stdout.contains(&b'/'))
            }
            Self::File(name, folders) => folders.iter().any(|folder| Path::new(folder).join(name).exists()),
            Self::Writable(path) => std::fs::OpenOptions::new().write(true).open(path).is_ok(),
            Self::OwnAddress => own_address().is_some(),
            Self::Rust(release) => {
                let version = Command::new("rustc").arg("--version").output();
                version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).starts_with(&format!("rustc {release}.")))
            }
            Self::OwnRoot => {
                let mut own = Command::new("unshare");
                own.args(["--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                own.status().is_ok_and(|status| status.success())
            }
            Self::CLibrary => c_library().exists(),
            Self::CLibraryWith(feature) => {
                let features = std::fs::read_to_string(built("capi/features")).unwrap_or_default();
                Self::CLibrary.is_there() && features.split_ascii_whitespace().any(|known| known == feature)
            }
            Self::ReleaseCommand => release_command().exists(),
            Self::CommandWith(feature) => command_with(feature).is_some(),
        }
    }

    /// Returns `true` if its absence is a failure.
    fn is_required(self) -> bool {
        let variable = match self {
            Self::Shared(_) => "SECRULE_REQUIRE_SHARED",
            // Another release is no fault of the machine.
            Self::Rust(_) => return false,
            _ => "SECRULE_REQUIRE_PEERS",
        };
        std::env::var_os(variable).is_some()
    }
}

/// Shows it as the remedy, too.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(path) => write!(f, "../shared/{path}; SECRULE_SHARED names another folder"),
            Self::Program(name) => write!(f, "the program {name}"),
            Self::Python(program, module) => write!(f, "{program} with the module {module}"),
            Self::Library(name) => write!(f, "a C compiler and the library {name}"),
            Self::File(name, folders) => write!(f, "{name} in {}", folders.join(" or ")),
            Self::Writable(path) => write!(f, "{path} to be writable"),
            Self::OwnAddress => f.write_str("an address of this machine that is not loopback, and a route from it"),
            Self::Rust(release) => write!(f, "Rust {release}"),
            Self::OwnRoot => f.write_str("the user root of Linux, who may make namespaces"),
            Self::CLibrary => f.write_str("the C library; `make capi` builds it"),
            Self::CLibraryWith(feature) => write!(f, "the C library with the feature {feature}; `make capi FEATURES=…` builds it"),
            Self::ReleaseCommand => f.write_str("the command; `cargo build --release` builds it"),
            Self::CommandWith(feature) => {
                write!(f, "the command with {feature}; `cargo build --release --package secrule-command --features worlds,redis` builds it")
            }
        }
    }
}

/// Returns the address from which this machine reaches others, if it is not loopback.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent.
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_loopback())
}

/// Returns the path of the library that `make capi` builds.
pub fn c_library() -> PathBuf {
    built("capi/libmodsecurity.so.3")
}

/// Returns the path of the command of the release build: timings of a debug build are meaningless.
pub fn release_command() -> PathBuf {
    built("release/secrule")
}

/// Returns the path of the command with a feature, `worlds`, `envoy` or a kind of store: that of the release build, or else the other.
pub fn command_with(feature: &str) -> Option<PathBuf> {
    ["release/secrule", "debug/secrule"].map(built).into_iter().find(|command| {
        let run = |arguments: &[&str]| Command::new(command).args(arguments).output();
        match feature {
            "worlds" => run(&["host", "--help"]).is_ok_and(|ended| ended.status.success()),
            "envoy" => run(&["serve", "--help"]).is_ok_and(|ended| String::from_utf8_lossy(&ended.stdout).contains("--ext-proc")),
            // It does not answer, or it is not known.
            store => run(&["ban", "list", "--store", &format!("{store}://127.0.0.1:9")])
                .is_ok_and(|ended| !String::from_utf8_lossy(&ended.stderr).contains("no stores of the kind")),
        }
    })
}

/// Returns a folder for files of tests that are of no use later.
pub fn scratch() -> PathBuf {
    built("tmp")
}

fn built(path: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    project().join(target).join(path)
}

fn folders_of_programs() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_distinguished_from_what_is_not() {
        assert!(Needs::Program("cargo").is_there() && Needs::File("Cargo.toml", &["/nowhere", "."]).is_there());
        let absent = [
            Needs::Shared("no-such-folder"),
            Needs::Program("secrule-no-such-program"),
            Needs::Python("python3", "secrule_no_such_module"),
            Needs::Library("libsecrule-no-such-library.so"),
            Needs::File("Cargo.toml", &["/nowhere"]),
            Needs::Writable("/nowhere/file"),
        ];
        for need in absent {
            assert!(!need.is_there(), "{need}");
        }
    }
}
