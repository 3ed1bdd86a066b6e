//! `secrule serve` as its users see it: what it says, what it serves, how it takes new rules, and how it ends.

// A helper that fails ends the test, as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod serving;

use serving::{Serving, refused, replace};
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::PathBuf;

/// Rules that deny `/old`.
const RULES: &str = "SecRuleEngine On\nSecRule REQUEST_URI \"@contains /old\" \"id:1,phase:1,deny,log,msg:'old'\"\n";

/// A file of rules in a folder of its own.
fn rules(name: &str, text: &str) -> PathBuf {
    let file = serving::folder(name).join("rules.conf");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn without_anything_a_page_passes_and_its_attacks_are_stopped() {
    let mut serving = Serving::start(&[]);
    let (status, page) = serving.get("/");
    assert!(status == 200 && page.contains("This request passed"), "{page}");
    let attacks: Vec<&str> = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(attacks.len(), 3);
    for attack in attacks {
        assert_eq!(serving.get(attack).0, 403, "{attack}");
    }
    serving.signal("TERM");
    assert_eq!(serving.process.wait().unwrap().code(), Some(0));
    let mut events = String::new();
    serving.process.stdout.take().unwrap().read_to_string(&mut events).unwrap();
    assert!(events.lines().any(|line| line.starts_with("127.0.0.1 GET /: stopped with 403: ")), "{events}");
    assert!(!events.contains("password"), "{events}");
}

#[test]
fn nothing_is_stopped_if_that_is_wanted() {
    let file = rules("detect", RULES);
    let serving = Serving::start(&["--rules", file.to_str().unwrap(), "--detect-only"]);
    assert_eq!(serving.get("/old").0, 200);
}

#[test]
fn new_rules_hold_when_their_file_changes_and_on_sighup() {
    let file = rules("reload", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!((serving.get("/old").0, serving.get("/new").0), (403, 200));
    replace(&file, &RULES.replace("/old", "/new"));
    serving.wait_for("/new", 403);
    assert_eq!(serving.get("/old").0, 200);
    assert_eq!(serving.line(), "secrule: 1 rule was loaded again\n");
    serving.signal("HUP");
    assert_eq!(serving.line(), "secrule: 1 rule was loaded again\n");
}

#[test]
fn rules_that_do_not_load_change_nothing_and_say_why() {
    let file = rules("broken", RULES);
    let mut serving = Serving::start(&["--rules", file.to_str().unwrap(), "--expect-rules", "1"]);
    replace(&file, "SecRule ARGS\n");
    let line = serving.line();
    assert!(line.starts_with("secrule: the earlier rules stay: the rules do not load"), "{line}");
    assert_eq!(serving.get("/old").0, 403);
    replace(&file, "SecRuleEngine On\n");
    while !serving.line().contains("there are 0 rules, and --expect-rules 1") {}
    assert_eq!(serving.get("/old").0, 403);
}

#[test]
fn what_cannot_start_says_why() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refused(&["--listen", &address]);
    assert!(said.contains(&address) && said.contains("another server has it, which `ss -ltnp"), "{said}");
    assert!(refused(&["--rules", "/nowhere/rules.conf"]).contains("/nowhere/rules.conf"));
    assert!(refused(&["--upstream", "127.0.0.1:3000"]).contains("write http://HOST"));
    assert!(refused(&["--tls-certificate", "/nowhere/site.pem"]).contains("--tls-key"));
    let tls = ["--listen", "127.0.0.1:0", "--tls-certificate", "/nowhere/site.pem", "--tls-key", "/nowhere/site.key"];
    assert!(refused(&tls).contains("/nowhere/site.pem"));
    let file = rules("few", RULES);
    assert!(refused(&["--rules", file.to_str().unwrap(), "--expect-rules", "2"]).contains("there is 1 rule, and --expect-rules 2"));
    assert!(refused(&["--no-such-flag"]).contains("--help"));
}
