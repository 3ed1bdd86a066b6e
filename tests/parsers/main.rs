//! Compares this engine with the parsers of applications on thousands of bodies.
//!
//! Rules must see every value that an application reads from a body, or a flag that they may not. Bodies are generated from grammars and mutated,
//! with a fixed seed. Known differences are in `tests/exclusions/parsers.txt`, with a reason for each, and must occur.
//!
//! ```text
//! SECRULE_BODIES=100000 SECRULE_SEED=7 cargo test --release --test parsers -- --nocapture
//! ```
//!
//! generates more bodies of each kind, and others. Peers (`tests/parsers/peers`) that are not installed are left out;
//! `SECRULE_REQUIRE_PEERS=1` makes that a failure.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics fails, as it should")]

mod draw;
mod engine;
mod json;
mod peer;
mod xml;

use draw::Draw;
use engine::{Body, Engine, Seen};
use peer::{Peer, Value};
use std::collections::BTreeMap;

/// Number of bodies that are read together.
const BATCH: usize = 500;

/// Number of bodies that are shown for each disagreement.
const SHOWN: usize = 10;

/// A kind of bodies.
struct Kind {
    engine: Engine,
    peers: Vec<Peer>,
    draw: fn(&mut Draw) -> Body,
    /// Returns the values that this peer reads from a body without flags and that rules do not see.
    disagreement: fn(&str, &Seen, &[Value]) -> Option<&'static str>,
}

#[test]
fn what_applications_get_of_xml_is_seen_or_flagged() {
    Kind {
        engine: Engine::new(Some("XML"), "XML:/*", "XML:/*|XML://@*"),
        peers: peers(&[
            ("expat", &[PYTHON, "-B", "read_xml.py", "expat"]),
            ("expat with parameter entities", &[PYTHON, "-B", "read_xml.py", "expat-pe"]),
            ("libxml2", &[PYTHON, "-B", "read_xml.py", "libxml2"]),
        ]),
        draw: xml::draw,
        disagreement: xml::disagreement,
    }
    .compare("XML");
}

#[test]
fn what_applications_get_of_json_is_seen_or_flagged() {
    Kind {
        engine: Engine::new(Some("JSON"), "ARGS_NAMES", "ARGS"),
        peers: peers(&[("Python's json", &[PYTHON, "-B", "read_json.py"]), ("Node.js", &["node", "read_json.mjs"])]),
        draw: json::draw,
        disagreement: json::disagreement,
    }
    .compare("JSON");
}

/// The distribution's own program, which has its packages.
const PYTHON: &str = "/usr/bin/python3";

fn peers(commands: &[(&'static str, &[&str])]) -> Vec<Peer> {
    commands.iter().filter_map(|(name, command)| Peer::start(name, command)).collect()
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
        // For each peer: the number of bodies that it accepts, and of those that are flagged.
        let mut taken = vec![(0, 0); self.peers.len()];
        while read < count {
            let bodies: Vec<Body> = (0..BATCH.min(count - read)).map(|_| (self.draw)(&mut draw)).collect();
            let seen: Vec<Seen> = bodies.iter().map(|body| self.engine.read(body)).collect();
            read += bodies.len();
            flagged += seen.iter().filter(|seen| seen.is_flagged).count();
            for (peer, (accepted, refused)) in self.peers.iter_mut().zip(&mut taken) {
                for ((body, seen), answer) in bodies.iter().zip(&seen).zip(peer.read(&bodies)) {
                    let Some(values) = answer else { continue };
                    *accepted += 1;
                    if seen.is_flagged {
                        *refused += 1;
                    } else if let Some(what) = (self.disagreement)(peer.name, seen, &values) {
                        let theirs: String = values.iter().map(|value| format!(" {value}")).collect();
                        let shown = format!("{} {}\n  rules see{seen}\n  it gets{theirs}", body.content_type, body.bytes.escape_ascii());
                        disagreements.entry(format!("{name}: {}: {what}", peer.name)).or_default().push(shown);
                    }
                }
            }
        }
        println!("{read} bodies, {flagged} flagged");
        for (peer, (accepted, refused)) in self.peers.iter().zip(&taken) {
            println!("{}: takes {accepted}, of which {refused} are flagged", peer.name);
            // Otherwise there was little to compare.
            assert!(accepted - refused > count / 10, "{} and rules see too few bodies alike", peer.name);
        }
        let known = secrule_testkit::exclusions("parsers.txt");
        for (what, bodies) in &disagreements {
            println!("{what}: {} times, {}", bodies.len(), if known.contains_key(what) { "known" } else { "NEW" });
        }
        let new = disagreements.iter().filter(|(what, _)| !known.contains_key(*what));
        let shown: Vec<_> = new.map(|(what, bodies)| format!("{what}:\n{}", bodies[..SHOWN.min(bodies.len())].join("\n"))).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
        let is_expected = |what: &str| self.peers.iter().any(|peer| what.starts_with(&format!("{name}: {}: ", peer.name)));
        let gone: Vec<_> = known.keys().filter(|what| is_expected(what) && !disagreements.contains_key(*what)).collect();
        assert!(gone.is_empty(), "these no longer occur: {gone:?}");
    }
}
