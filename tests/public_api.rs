//! The public interface as a list, `tests/public_api.txt`: a change to it is seen, and meant.
//!
//! `UPDATE_PUBLIC_API=1 cargo test --test public_api` writes the list anew. rustdoc's JSON is not stable, so the list is compared only with the
//! Rust release whose JSON the crate `public-api` reads.

use secrule_testkit::trial;
use secrule_testkit::trials::{self, Needs};
use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The release whose rustdoc made the list: that of another may word it otherwise.
const RELEASE: &str = "1.95";

const LIST: &str = "tests/public_api.txt";

fn main() -> ExitCode {
    trials::run([trial!(the_public_interface_is_the_one_in_the_list, [Needs::Rust(RELEASE)])])
}

fn the_public_interface_is_the_one_in_the_list() {
    if let Err(difference) = compare() {
        panic!("{difference}");
    }
}

fn compare() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The folder that this test was built in, so that dependencies are not built anew.
    let target = std::env::current_exe()?.ancestors().nth(3).ok_or("no target folder")?.to_owned();
    let mut rustdoc = Command::new(env!("CARGO"));
    rustdoc.current_dir(root).args(["rustdoc", "--quiet", "--lib", "--package", "secrule", "--all-features", "--target-dir"]).arg(&target);
    // The JSON is meant for tools on nightly; a release writes it as well when it is asked so.
    let made = rustdoc.args(["--", "-Zunstable-options", "--output-format=json"]).env("RUSTC_BOOTSTRAP", "1").output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned().into());
    }
    let api = public_api::Builder::from_rustdoc_json(target.join("doc/secrule.json")).omit_blanket_impls(true).omit_auto_trait_impls(true);
    let api = api.omit_auto_derived_impls(true).build()?;
    // Implementations for types of the rooms are listed although the rooms are hidden.
    let is_public = |item: &String| !item.contains("secrule::record::") && !item.contains("secrule::resolver::");
    let now: String = api.items().map(|item| format!("{item}\n")).filter(is_public).collect();
    if std::env::var_os("UPDATE_PUBLIC_API").is_some() {
        return Ok(std::fs::write(root.join(LIST), now)?);
    }
    let listed = std::fs::read_to_string(root.join(LIST))?;
    let missing = |a: &str, b: &str, sign: &str| {
        a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(|line| format!("{sign} {line}\n")).collect::<String>()
    };
    let difference = missing(&listed, &now, "-") + &missing(&now, &listed, "+");
    let remedy = "if that is meant, run UPDATE_PUBLIC_API=1 cargo test --test public_api, and say so in CHANGELOG.md";
    if difference.is_empty() { Ok(()) } else { Err(format!("the public interface changed:\n{difference}{remedy}").into()) }
}
