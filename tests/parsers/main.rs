//! Compares this engine with the parsers of applications on thousands of bodies.
//!
//! Rules must see every value that an application reads from a body, or a flag that they may not. Bodies are generated from grammars and mutated,
//! with a fixed seed. Known differences are in `tests/exclusions/parsers.txt`, with a reason for each, and must occur.
//!
//! ```text
//! SECRULE_BODIES=100000 SECRULE_SEED=7 cargo test --release --test parsers -- --nocapture
//! ```
//!
//! generates more bodies of each kind, and others. Each peer (`tests/parsers/peers`) has its own test.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

mod draw;
mod engine;
mod json;
mod peer;
mod xml;

use draw::Draw;
use engine::{Body, Engine, Seen};
use peer::{Peer, Value};
use secrule_testkit::trials::{self, Needs};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Number of bodies that are read together.
const BATCH: usize = 500;

/// Number of bodies that are shown for each disagreement.
const SHOWN: usize = 10;

/// A kind of bodies.
struct Kind {
    engine: Engine,
    peer: Peer,
    draw: fn(&mut Draw) -> Body,
    /// Returns the values that the peer of this name reads from a body without flags and that rules do not see.
    disagreement: fn(&str, &Seen, &[Value]) -> Option<&'static str>,
}

/// The distribution's own program, which has its packages.
const PYTHON: &str = "/usr/bin/python3";

const XML_PEERS: [(&str, Needs, &[&str]); 3] = [
    ("expat", Needs::Python(PYTHON, "xml.parsers.expat"), &[PYTHON, "-B", "read_xml.py", "expat"]),
    ("expat with parameter entities", Needs::Python(PYTHON, "xml.parsers.expat"), &[PYTHON, "-B", "read_xml.py", "expat-pe"]),
    ("libxml2", Needs::Python(PYTHON, "lxml.etree"), &[PYTHON, "-B", "read_xml.py", "libxml2"]),
];

const JSON_PEERS: [(&str, Needs, &[&str]); 2] = [
    ("Python's json", Needs::Program(PYTHON), &[PYTHON, "-B", "read_json.py"]),
    ("Node.js", Needs::Program("node"), &["node", "read_json.mjs"]),
];

fn main() -> ExitCode {
    let xml = XML_PEERS.map(|(peer, needs, command)| {
        let name = format!("what_applications_get_of_xml_is_seen_or_flagged ({peer})");
        trials::trial(name, &[needs], move || xml(Peer::start(peer, command)).compare("XML"))
    });
    let json = JSON_PEERS.map(|(peer, needs, command)| {
        let name = format!("what_applications_get_of_json_is_seen_or_flagged ({peer})");
        trials::trial(name, &[needs], move || json(Peer::start(peer, command)).compare("JSON"))
    });
    trials::run(xml.into_iter().chain(json))
}

fn xml(peer: Peer) -> Kind {
    let engine = Engine::new(Some("XML"), "XML:/*", "XML:/*|XML://@*");
    Kind { engine, peer, draw: xml::draw, disagreement: xml::disagreement }
}

fn json(peer: Peer) -> Kind {
    let engine = Engine::new(Some("JSON"), "ARGS_NAMES", "ARGS");
    Kind { engine, peer, draw: json::draw, disagreement: json::disagreement }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

impl Kind {
    /// `name` is that of its disagreements in the list of known ones.
    fn compare(mut self, name: &str) {
        let (count, seed) = (setting("SECRULE_BODIES", 3000) as usize, setting("SECRULE_SEED", 1));
        let mut draw = Draw::new(seed);
        let mut disagreements: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut read, mut flagged) = (0, 0);
        // Bodies that the peer accepts, and those of them that are flagged.
        let (mut accepted, mut refused) = (0, 0);
        let peer = self.peer.name;
        while read < count {
            let bodies: Vec<Body> = (0..BATCH.min(count - read)).map(|_| (self.draw)(&mut draw)).collect();
            let seen: Vec<Seen> = bodies.iter().map(|body| self.engine.read(body)).collect();
            read += bodies.len();
            flagged += seen.iter().filter(|seen| seen.is_flagged).count();
            for ((body, seen), answer) in bodies.iter().zip(&seen).zip(self.peer.read(&bodies)) {
                let Some(values) = answer else { continue };
                accepted += 1;
                if seen.is_flagged {
                    refused += 1;
                } else if let Some(what) = (self.disagreement)(peer, seen, &values) {
                    let theirs: String = values.iter().map(|value| format!(" {value}")).collect();
                    let shown = format!("{} {}\n  rules see{seen}\n  it gets{theirs}", body.content_type, body.bytes.escape_ascii());
                    disagreements.entry(format!("{name}: {peer}: {what}")).or_default().push(shown);
                }
            }
        }
        trials::note(&format!("{name}: {read} bodies, {flagged} flagged; {peer} takes {accepted}, of which {refused} are flagged"));
        // Otherwise there was little to compare.
        assert!(accepted - refused > count / 10, "{peer} and rules see too few bodies alike");
        let known = secrule_testkit::exclusions("parsers.txt");
        for (what, bodies) in &disagreements {
            trials::note(&format!("{what}: {} times, {}", bodies.len(), if known.contains_key(what) { "known" } else { "NEW" }));
        }
        let new = disagreements.iter().filter(|(what, _)| !known.contains_key(*what));
        let shown: Vec<_> = new.map(|(what, bodies)| format!("{what}:\n{}", bodies[..SHOWN.min(bodies.len())].join("\n"))).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
        let is_expected = |what: &str| what.starts_with(&format!("{name}: {peer}: "));
        let gone: Vec<_> = known.keys().filter(|what| is_expected(what) && !disagreements.contains_key(*what)).collect();
        assert!(gone.is_empty(), "these no longer occur: {gone:?}");
    }
}
