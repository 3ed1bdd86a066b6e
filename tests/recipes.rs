//! The scripts of `examples/scripts` load, and do what their first lines say.

#![cfg(feature = "lua")]

use secrule::{Transaction, Waf};
use secrule_testkit::host::Exchange;
use std::fs;
use std::path::Path;

fn waf() -> Waf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scripts");
    Waf::from_file(folder.join("scripts.conf")).unwrap_or_else(|error| panic!("{error}"))
}

/// Judges a request up to its body; returns the status of the intervention.
fn judge(waf: &Waf, client: &str, body: &str) -> (Option<u16>, Transaction) {
    let mut transaction = waf.transaction_with_id("the-id");
    let request = Exchange::of(b"/", body.as_bytes()).from(client).header("Content-Type", "application/x-www-form-urlencoded");
    let intervention = request.run(&mut transaction);
    assert_eq!(transaction.script_failures(), []);
    (intervention.map(|intervention| intervention.status()), transaction)
}

#[test]
fn bodies_are_appended_to_a_file() {
    // The script writes to the working folder; no other test of this program does.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recipes-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let waf = waf();
    std::env::set_current_dir(&folder).unwrap();
    assert_eq!(judge(&waf, "192.0.2.1", "a=1&b=2").0, None);
    assert_eq!(judge(&waf, "192.0.2.1", "c=\nforged").0, None);
    assert_eq!(fs::read_to_string(folder.join("bodies.log")).unwrap(), "the-id a=1&b=2\nthe-id c=\\x0aforged\n");
    assert_eq!(judge(&waf, "192.0.2.2", "a=%3C%3Fphp").0, Some(403));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn lists_and_rates_decide() {
    let waf = waf();
    let (status, transaction) = judge(&waf, "203.0.113.7", "");
    assert_eq!((status, &*transaction.rule_matches()[0].data()), (Some(429), "on the blacklist: 203.0.113.7"));
    let blocked = |client: &str| (0..30).filter(|_| judge(&waf, client, "").0 == Some(429)).count();
    assert_eq!((blocked("192.0.2.9"), blocked("198.51.100.9")), (10, 0));
}
