//! The manual: its commands do what its pages say, its links lead somewhere, and its contents list every page.
//!
//! `testkit/src/pages/mod.rs` says what is done with the blocks of a page. A page runs in a root and a network of its own, so that it may name `/etc/nginx`
//! and port 80. `cargo test --test manual -- docs/start/serve.md` runs one page.

// A helper that fails ends the test, as it should.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use secrule_testkit::pages::{Page, Terminal, broken_links, linked};
use secrule_testkit::trials::{self, Needs, Trial};
use secrule_testkit::{files, project, trial};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const SUMMARY: &str = "docs/SUMMARY.md";

/// The crates whose documentation tests compile the Rust of pages.
const RUST: [&str; 2] = ["hosts/tower/src/lib.rs", "hosts/pingora/src/lib.rs"];

/// Pages of the project beside the manual whose commands are run, too.
const OTHERS: [&str; 5] = ["PLUGINS.md", "EXTENSIONS.md", "STORES.md", "LIMITS.md", "examples/serve/crowdsec.md"];

const MODULES: [&str; 3] = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/libexec/nginx/modules"];

fn main() -> ExitCode {
    let own = manual().into_iter().chain(OTHERS.map(PathBuf::from)).map(Page::read).filter(Page::has_work).map(followed);
    trials::run(own.chain([
        trial!(every_page_is_in_the_contents),
        trial!(links_lead_somewhere),
        trial!(links_of_the_book_stay_in_it),
        trial!(rust_on_pages_is_compiled),
    ]))
}

/// Makes a test of a page.
fn followed(page: Page) -> Trial {
    let mut needs = vec![Needs::OwnRoot];
    let (mut has_library, mut is_installed, mut feature) = (false, false, None);
    for name in &page.needs {
        needs.push(match name.as_str() {
            "apache" => Needs::Program("apache2"),
            // As after an installation, or beside the one that is installed.
            "c-library" | "c-library-beside" => {
                (has_library, is_installed) = (true, name == "c-library");
                Needs::CLibrary
            }
            "caddy" => Needs::Program("caddy"),
            "command-envoy" => Needs::CommandWith(feature.insert("envoy")),
            "worlds" => Needs::CommandWith(feature.insert("worlds")),
            "crs" => Needs::File("modsecurity-crs", &["/usr/share"]),
            "envoy" => Needs::Program("envoy"),
            "haproxy" => Needs::Program("haproxy"),
            "nginx" => Needs::Program("nginx"),
            "nginx-modsecurity" => Needs::File("ngx_http_modsecurity_module.so", &MODULES),
            "trafficserver" => Needs::File("tslua.so", &["/usr/lib/trafficserver/modules"]),
            other => panic!("{}: no test knows blocks of `{other}`", page.path.display()),
        });
    }
    trials::trial(page.path.display().to_string(), &needs, move || {
        let command =
            feature.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_secrule")), |feature| trials::command_with(feature).unwrap());
        let library = has_library.then(|| trials::c_library().parent().unwrap().canonicalize().unwrap());
        Terminal { programs: command.parent().unwrap().canonicalize().unwrap(), library, is_installed }.follow(&page);
    })
}

/// Returns the pages of the manual.
fn manual() -> Vec<PathBuf> {
    let pages = files(&project().join("docs"), ".md");
    pages.into_iter().map(|page| page.strip_prefix(project()).unwrap().to_owned()).filter(|page| page != Path::new(SUMMARY)).collect()
}

/// Returns the documents of the project beside the manual.
fn documents() -> Vec<PathBuf> {
    let of = |folder: &str| files(&project().join(folder), ".md");
    let at_the_root =
        fs::read_dir(project()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let found = at_the_root.chain(["benches", "crs", "examples"].into_iter().flat_map(of)).chain([project().join("fuzz/README.md")]);
    found.map(|path| path.strip_prefix(project()).unwrap().to_owned()).collect()
}

fn every_page_is_in_the_contents() {
    let listed: BTreeSet<PathBuf> = linked(Path::new(SUMMARY)).0.into_iter().collect();
    assert_eq!(listed, manual().into_iter().collect());
}

fn links_lead_somewhere() {
    let pages = manual().into_iter().chain(documents()).chain([PathBuf::from(SUMMARY)]);
    let broken: Vec<String> = pages.flat_map(|page| broken_links(&page)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// mdBook makes pages of those of `docs/` alone: a link to another text would lead out of the book. `docs/LIMITS.md` is the page of `LIMITS.md`.
fn links_of_the_book_stay_in_it() {
    let pages = manual();
    let mut astray = Vec::new();
    for page in &pages {
        let (links, included) = linked(page);
        // A page includes texts with links, which count from the page that includes them.
        let within = included.iter().filter(|path| path.extension().is_some_and(|end| end == "md")).flat_map(|path| linked(path).0);
        let within = within.map(|path| Path::new("docs").join(path));
        let own = links.into_iter().filter(|link| !included.contains(link));
        let texts = own.chain(within).filter(|link| link.extension().is_some_and(|end| end == "md"));
        astray.extend(texts.filter(|link| !pages.contains(link)).map(|link| format!("{} links to {}", page.display(), link.display())));
    }
    let remedy = "a document that the manual includes names pages of the manual without a link";
    assert!(astray.is_empty(), "{}\n{remedy}", astray.join("\n"));
}

fn rust_on_pages_is_compiled() {
    let compiled = RUST.map(|file| fs::read_to_string(project().join(file)).unwrap());
    for page in manual().into_iter().map(Page::read).filter(Page::has_rust) {
        let page = page.path.display().to_string();
        let include = format!("{page}\")");
        assert!(compiled.iter().any(|text| text.contains(&include)), "none of {RUST:?} includes {page}");
    }
}
